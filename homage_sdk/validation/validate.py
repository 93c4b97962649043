"""All rules over one release in one pass."""

from __future__ import annotations

from collections.abc import Callable, Collection

from homage_sdk.errors import UnknownIdError
from homage_sdk.problems import Problem
from homage_sdk.release.records import Release
from homage_sdk.validation.data import Data
from homage_sdk.validation.probe import Probes
from homage_sdk.validation.rule import Rule
from homage_sdk.validation.rules import RULES


def validate(
    release: Release,
    *,
    probes: Probes | None = None,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
) -> list[Problem]:
    """What the reader met and what the rules find, in stable order (``Problem.order``).

    Args:
        release: the raw records, from ``read_release``.
        probes: by path relative to the release root, what ``probe_video`` gave or the error it
            raised; without it the ``deep`` rules find nothing.
        select: codes or beginnings of codes (``HOM3``) to keep; all when empty.
        ignore: codes or beginnings of codes to leave out.

    Raises:
        UnknownIdError: a code that begins no rule's.

    """
    wanted = chooser(select, ignore)
    data = Data(release, probes)
    problems = [problem for problem in release.problems if wanted(problem.code)]
    for rule in RULES:
        if wanted(rule.code):
            problems += rule.problems(data)
    return sorted(problems, key=lambda problem: problem.order)


def chooser(select: Collection[str] = (), ignore: Collection[str] = ()) -> Callable[[str], bool]:
    """Whether a code is wanted; both are codes or beginnings of codes, see ``validate``.

    >>> wanted = chooser(select=["HOM3"], ignore=["HOM309"])
    >>> wanted("HOM304"), wanted("HOM309"), wanted("HOM420")
    (True, False, False)
    """
    for given in (*select, *ignore):
        if not any(rule.code.startswith(given) for rule in RULES):
            raise UnknownIdError(f"no rule {given!r}", hint="see `homage explain`")
    kept, dropped = tuple(select) or ("",), tuple(ignore)
    return lambda code: code.startswith(kept) and not code.startswith(dropped)


def video_paths(release: Release) -> list[str]:
    """The videos worth probing for the deep rules: what is not empty, in order of path."""
    files = release["files"].to_pylist()
    return [row["path"] for row in files if row["kind"] == "video" and row["bytes"]]


def find_rule(code: str) -> Rule:
    """The rule of a code; UnknownIdError names the nearest."""
    found = next((rule for rule in RULES if rule.code == code.upper()), None)
    if found is None:
        near = sorted(RULES, key=lambda rule: _distance(rule.code, code.upper()))[:3]
        raise UnknownIdError(
            f"no rule {code!r}", hint=f"nearest: {', '.join(rule.code for rule in near)}"
        )
    return found


def _distance(code: str, other: str) -> tuple[int, str]:
    digits = "".join(c for c in other if c.isdigit())
    return abs(int(code[3:]) - int(digits[:6] or 0)), code
