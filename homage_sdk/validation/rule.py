"""What a rule is: a function over a release's records, with a stable code and its explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homage_sdk.errors import Place
from homage_sdk.problems import Problem, Severity

if TYPE_CHECKING:
    from homage_sdk.validation.data import Data


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not hold; the rule adds its code, severity, title and hint."""

    place: Place
    sequence: str | None = ""
    found: str = ""
    expected: str = ""
    message: str = ""
    hint: str = ""


Check = Callable[["Data"], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of fault.

    ``check`` is None where another stage finds the fault while it reads (a file that is not JSON
    cannot be in the tables): the rule then only carries the explanation. ``deep`` rules need the
    videos to be probed and give nothing without.
    """

    code: str
    severity: Severity
    title: str
    why: str
    example: str
    hint: str
    deep: bool = False
    check: Check | None = field(default=None, compare=False)

    def problems(self, data: Data) -> list[Problem]:
        """What this rule finds in ``data``."""
        if self.check is None:
            return []
        return [
            Problem(
                code=self.code,
                severity=self.severity,
                message=found.message or self.title,
                place=found.place,
                sequence=found.sequence or "",
                found=found.found,
                expected=found.expected,
                hint=found.hint or self.hint,
            )
            for found in self.check(data)
        ]


def rule(
    code: str,
    severity: Severity,
    title: str,
    *,
    why: str,
    example: str,
    hint: str,
    deep: bool = False,
) -> Callable[[Check], Rule]:
    """Turn a function over ``Data`` into the Rule of that code."""

    def declare(check: Check) -> Rule:
        return Rule(code, severity, title, why, example, hint, deep, check)

    return declare
