"""The rules, one module a subject; with what reading meets, every code a release is given."""

from __future__ import annotations

from homage_sdk.problems import Code, by_code, declared
from homage_sdk.release.codes import READER_CODES
from homage_sdk.validation.rule import Rule
from homage_sdk.validation.rules import (
    annotated_views,
    boxes,
    classes,
    graphs,
    intervals,
    media,
    occurrences,
    recordings,
    relationships,
    sensors,
    splits,
)

_DECLARED = declared(
    *(splits, classes, intervals, occurrences, graphs, annotated_views),
    *(boxes, relationships, sensors, media, recordings),
)

RULES = tuple(code for code in _DECLARED.values() if isinstance(code, Rule))
"""Every rule, in order of code."""

CODES: dict[str, Code] = by_code((*READER_CODES.values(), *RULES))
"""Every code that ``validate`` can report, in order."""
