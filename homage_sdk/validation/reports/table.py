"""A list of problems for a person at a terminal: grouped by rule, first places, a summary."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from homage_sdk.problems import Problem, Severity
from homage_sdk.validation.reports.formats import counts
from homage_sdk.validation.rules import CODES

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def problem_table(
    problems: Sequence[Problem],
    *,
    path: str,
    known: int = 0,
    places: int = 3,
    contents: str | None = None,
) -> RenderableType:
    """What ``homage validate`` shows; at most ``places`` places of each kind, the rest counted.

    ``contents`` says what was looked at.
    """
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.code, []).append(problem)
    ranked = sorted(groups, key=lambda code: (_ORDER.index(groups[code][0].severity), code))
    parts: list[RenderableType] = []
    for code in ranked:
        found = groups[code]
        severity = found[0].severity
        head = Text.assemble(
            (f"{severity.value:<8}", _STYLES[severity]),
            (code, "bold"),
            f"  {CODES[code].title if code in CODES else found[0].message}",
            (f"  x {len(found)}" if len(found) > 1 else "", "bold"),
        )
        parts += [Text() if parts else Text(end=""), head]
        parts += [Padding(text, (0, 0, 0, 9), expand=False) for text in _places(found, places)]
        if found[0].hint:
            parts.append(
                Padding(Text(f"to do: {found[0].hint}", style="green"), (0, 0, 0, 9), expand=False)
            )
    if parts:
        parts.append(Text())
    if contents is not None:
        parts.append(Text(contents))
    parts.append(summary(problems, path=path, known=known))
    return Group(*parts)


def _places(found: Sequence[Problem], places: int) -> list[Text]:
    lines = []
    for problem in found[:places]:
        lines.append(Text(str(problem.place) or problem.sequence, overflow="fold"))
        said = Text("  ")
        if problem.found:
            said.append(f"found {problem.found}")
        if problem.expected:
            said.append(f"{', ' if problem.found else ''}expected {problem.expected}", style="dim")
        if said.plain.strip():
            lines.append(said)
    if len(found) > places:
        files = len({problem.place.file for problem in found})
        where = f"in {files} files" if files > 1 else "in this file"
        lines.append(Text(f"and {len(found) - places} more, {where}", style="dim"))
    return lines


def summary(problems: Sequence[Problem], *, path: str, known: int = 0) -> Text:
    """The last line: how many of what, or that all is well."""
    totals = counts(problems)
    codes = len({problem.code for problem in problems})
    accepted = f"; {known} known from the baseline" if known else ""
    if not totals["error"] and not totals["warning"]:
        noted = f", {totals['info']} worth knowing" if totals["info"] else ""
        return Text.assemble(("clean", "bold green"), f"{noted}{accepted}: {path}")
    parts = []
    for severity in _ORDER:
        number = totals[severity.value]
        if number:
            name = severity.value if severity is Severity.INFO or number == 1 else f"{severity}s"
            parts.append((f"{number} {name}", _STYLES[severity]))
    text = Text()
    for i, part in enumerate(parts):
        text.append(", " if i else "")
        text.append(*part)
    text.append(f" of {codes} kind{'s' if codes > 1 else ''}{accepted}: {path}")
    text.append("\n`homage explain CODE` says what a code means and what to do", style="dim")
    return text


def render(renderable: RenderableType, width: int = 100) -> str:
    """The same as plain text, for a file."""
    text = StringIO()
    Console(width=width, file=text, color_system=None).print(renderable)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
