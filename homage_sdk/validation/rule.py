"""What a rule is: a code that looks for itself in a release's records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from homage_sdk.problems import Code, Place, Problem, Severity

if TYPE_CHECKING:
    from homage_sdk.validation.data import Data


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not hold; the rule adds its code, severity, title and hint."""

    place: Place
    found: str = ""
    expected: str = ""
    hint: str = ""


Check = Callable[["Data"], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Code):
    """A code with the function that finds its places.

    ``deep`` rules need the videos to be probed and give nothing without.
    """

    check: Check = field(compare=False)

    def problems(self, data: Data) -> list[Problem]:
        """What this rule finds in ``data``."""
        return [
            self.at(each.place, found=each.found, expected=each.expected, hint=each.hint)
            for each in self.check(data)
        ]


def _declared(
    severity: Severity,
    code: str,
    title: str,
    *,
    why: str,
    example: str,
    hint: str,
    deep: bool = False,
) -> Callable[[Check], Rule]:
    return lambda check: Rule(code, title, why, hint, example, severity, deep, check=check)


error = partial(_declared, Severity.ERROR)
"""Turn a function over ``Data`` into the Rule of that code; so do ``warning`` and ``info``."""
warning = partial(_declared, Severity.WARNING)
info = partial(_declared, Severity.INFO)
