"""The rules, one module a subject; ``RULES`` is all of them, in order of code."""

from __future__ import annotations

from homage_sdk.validation.rule import Rule
from homage_sdk.validation.rules import (
    annotated_views,
    boxes,
    classes,
    graphs,
    intervals,
    media,
    occurrences,
    reading,
    recordings,
    relationships,
    sensors,
    splits,
)

SECTIONS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("Files, JSON and identifiers", reading.RULES),
    ("Split lists, and what belongs to what", splits.RULES),
    ("Classes", classes.RULES),
    ("Intervals of atomic actions", (*intervals.RULES, *occurrences.RULES)),
    ("Annotated frames", (*graphs.RULES, *annotated_views.RULES)),
    ("Objects and boxes", boxes.RULES),
    ("Relationships", relationships.RULES),
    ("Sensors", sensors.RULES),
    ("Videos", (*media.RULES, *recordings.RULES)),
)
"""Title and rules of each subject, in the order of the documentation."""

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for _, rules in SECTIONS for rule in rules), key=lambda rule: rule.code)
)
"""Every kind of fault, in order of code."""
