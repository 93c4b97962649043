"""The faults that reading itself can meet: code, severity, title and what it means.

HOM100-HOM199 are about files, JSON and identifiers, HOM200-HOM219 about the lines of split lists
and class lists. Rules over what was read live in ``homage_sdk.validation`` and use other codes.
``homage explain HOM110`` prints an entry of this table.
"""

from __future__ import annotations

from homage_sdk.errors import Place
from homage_sdk.problems import Problem
from homage_sdk.release.file_codes import FILE_CODES
from homage_sdk.release.json_codes import JSON_CODES
from homage_sdk.release.reader_code import ReaderCode

READER_CODES: dict[str, ReaderCode] = {
    entry.code: entry for entry in sorted((*FILE_CODES, *JSON_CODES), key=lambda entry: entry.code)
}
"""Every code that reading can report, in order."""


def fault(
    code: str,
    place: Place,
    message: str = "",
    *,
    found: str = "",
    expected: str = "",
    sequence: str = "",
    hint: str = "",
) -> Problem:
    """A problem of one of the codes above; its title and hint stand in where none are given."""
    entry = READER_CODES[code]
    return Problem(
        code=code,
        severity=entry.severity,
        message=message or entry.title,
        place=place,
        sequence=sequence or place.sequence,
        found=found,
        expected=expected,
        hint=hint or entry.hint,
    )
