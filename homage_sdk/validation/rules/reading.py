"""The faults that reading itself meets, explained like any other rule."""

from __future__ import annotations

from homage_sdk.release.codes import READER_CODES
from homage_sdk.validation.rule import Rule
from homage_sdk.validation.rules import media

_TAKEN = {rule.code for rule in media.RULES}

RULES = tuple(
    Rule(
        code=entry.code,
        severity=entry.severity,
        title=entry.title,
        why=entry.explanation,
        example="",
        hint=entry.hint,
    )
    for entry in READER_CODES.values()
    if entry.code not in _TAKEN
)
