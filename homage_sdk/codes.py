"""Every code a user can meet: what `homage explain` says, and the page docs/rules.md.

Each is declared once, as a ``Code`` where it is raised: by a reader (``homage_sdk.release``), as a
rule (``homage_sdk.validation``), in ``homage_sdk.ingest`` or ``homage_sdk.shards.verifying``, or by
an error class. Two declarations of one code are a ValueError when this module is imported.
"""

from __future__ import annotations

import textwrap
from difflib import get_close_matches

from homage_sdk import errors
from homage_sdk.errors import HomageError, UnknownIdError
from homage_sdk.ingest import changed_files, class_ids
from homage_sdk.problems import Code, by_code, declared
from homage_sdk.shards.verifying import members, verify
from homage_sdk.storage import dataset_card
from homage_sdk.validation import CODES as OF_A_RELEASE

OF_ERRORS = by_code(
    each.kind
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, HomageError)
)
"""The codes of what ends a command; the baselines raise these errors too."""

OF_INGEST = declared(changed_files, class_ids)
"""The codes that only ingest can report."""

OF_SHARDS = declared(verify, members, dataset_card)
"""The codes that ``homage verify`` reports of shards; the last also of a catalog."""

CODES: dict[str, Code] = by_code(
    code for room in (OF_ERRORS, OF_A_RELEASE, OF_INGEST, OF_SHARDS) for code in room.values()
)
"""All of them, in order."""

_SUBJECTS = {
    0: "Errors that end a command",
    100: "Files, JSON and identifiers",
    200: "Split lists, and what belongs to what",
    240: "Classes",
    300: "Intervals of atomic actions",
    400: "Annotated frames",
    420: "Objects and boxes",
    440: "Relationships",
    500: "Sensors",
    600: "Videos",
    900: "Shards",
}
"""What codes are about, by the first number of each subject."""

_MEANING = {
    "error": "the label or file cannot be used as it stands",
    "warning": "it is used, by a stated policy",
    "info": "worth knowing; nothing is wrong, and it does not make a release fail",
}


def find(code: str) -> Code:
    """The code of that name, in any case; UnknownIdError names the nearest."""
    known = CODES.get(code.upper())
    if known is None:
        near = ", ".join(sorted(CODES, key=lambda each: _distance(each, code))[:3])
        raise UnknownIdError(f"no code {code!r}", hint=f"nearest: {near}")
    return known


def _distance(code: str, other: str) -> tuple[int, str]:
    digits = "".join(c for c in other if c.isdecimal())
    return abs(int(code[3:]) - int(digits[:6] or 0)), code


def by_subject(words: str = "") -> dict[str, list[Code]]:
    """The codes under each subject that have any; only those whose code or title hold ``words``."""
    found: dict[str, list[Code]] = {}
    for code in CODES.values():
        if words.lower() in f"{code.code} {code.title}".lower():
            subject = max(first for first in _SUBJECTS if first <= int(code.code[3:]))
            found.setdefault(_SUBJECTS[subject], []).append(code)
    return found


def explain(code: str, width: int = 88) -> str:
    """One code in full; UnknownIdError names the nearest codes.

    >>> print(explain("HOM302").splitlines()[0])
    HOM302  action ends before it begins
    """
    known = find(code)
    ends = known.code in OF_ERRORS
    meaning = "the command could not run" if ends else _MEANING[known.severity.value]
    parts = [f"{known.code}  {known.title}", f"Severity  {known.severity.value}: {meaning}"]
    for label, text in (("Why", known.why), ("Example", known.example), ("To do", known.hint)):
        if text:
            first, indent = f"{label:<10}", " " * 10
            parts.append(textwrap.fill(text, width, initial_indent=first, subsequent_indent=indent))
    if known.deep:
        parts.append("Found only with --deep, which counts or decodes what the files hold.")
    return "\n".join(parts) + "\n"


def overview(words: str = "") -> str:
    """All codes and titles, one a line, by subject; only those that hold ``words``.

    UnknownIdError names the nearest titles where there are none.
    """
    found = by_subject(words)
    if not found:
        titles = {code.title: code.code for code in CODES.values()}
        near = [f"{titles[t]} {t}" for t in get_close_matches(words, titles, n=3, cutoff=0.3)]
        raise UnknownIdError(
            f"no code is about {words!r}", hint=f"nearest: {'; '.join(near)}" if near else None
        )
    blocks = [
        "\n".join([subject, *(f"  {c.code}  {c.severity.value:<7}  {c.title}" for c in codes)])
        for subject, codes in found.items()
    ]
    return "\n\n".join(blocks) + "\n"


def rules_page() -> str:
    """docs/rules.md: every code, generated so that it cannot drift from the sources."""
    lines = [
        "# What can be wrong, by code",
        "",
        "`homage validate PATH` looks in one pass for everything from HOM1xx to HOM6xx and names",
        "the place of each: file, and line or JSON pointer. `homage verify SHARDS` looks for",
        "HOM9xx. A code below HOM100 stands before the one line with which a command ends.",
        "`homage explain CODE` prints one entry. Entries marked *deep* need `--deep`, which counts",
        "or decodes what the files hold.",
        "",
        *(f"* **{name}**: {meaning}." for name, meaning in _MEANING.items()),
        "",
        "Generated by `homage explain --markdown > docs/rules.md`; do not edit.",
    ]
    for subject, codes in by_subject().items():
        lines += ["", f"## {subject}", ""]
        for code in codes:
            lines += _entry(code)
    return "\n".join(lines).rstrip() + "\n"


def _entry(code: Code) -> list[str]:
    kind = f"{code.severity.value}{', deep' if code.deep else ''}"
    lines = [f"### {code.code} {code.title}", "", f"*{kind}.* {code.why}", ""]
    if code.example:
        example = code.example if "`" in code.example else f"`{code.example}`"
        lines += [f"Example: {example}", ""]
    return [*lines, f"What to do: {code.hint}.", ""]
