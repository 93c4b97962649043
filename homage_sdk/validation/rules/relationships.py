"""Rules about the relationships of annotated frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from homage_sdk.problems import Severity
from homage_sdk.release.arrays import repeated
from homage_sdk.validation.columns import MISSING, Bools, where
from homage_sdk.validation.data import Data
from homage_sdk.validation.rule import Finding, rule

_OPPOSITES = (
    ("in_front_of", "behind"),
    ("looking_at", "not_looking_at"),
    ("above", "beneath"),
    ("touching", "not_contacting"),
    ("holding", "not_contacting"),
)
"""Pairs that cannot both be true of one subject and one object in one frame."""


@rule(
    "HOM440",
    "relationship whose subject does not exist",
    why="The subject id names no object of the same frame: the relationship says something about "
    "nobody. It is left out of the catalog.",
    example='{"subject": 9, "object": 3, "category": "holding"}, no object 9',
    hint="correct the id, or add the object",
)
def dangling_subject(data: Data) -> Iterator[Finding]:
    """A subject id that no object of the frame has."""
    yield from _dangling(data, end=0, key="subject")


@rule(
    "HOM441",
    "relationship whose object does not exist",
    why="The object id names no object of the same frame: the relationship points at nothing. It "
    "is left out of the catalog.",
    example='{"subject": 0, "object": 9, "category": "holding"}, no object 9',
    hint="correct the id, or add the object",
)
def dangling_object(data: Data) -> Iterator[Finding]:
    """An object id that no object of the frame has."""
    yield from _dangling(data, end=1, key="object")


def _dangling(data: Data, end: int, key: str) -> Iterator[Finding]:
    ids, rows = data.relationship_ends[end], data.links[end]
    known = _frames_with_all_ids(data)[data.relationship_graph]
    for row in where((rows < 0) & (ids != MISSING) & known):
        yield Finding(
            data.relationship_place(row, key),
            _sequence(data, row),
            f"id {ids[row]}",
            "the id of an object of this frame",
        )


def _frames_with_all_ids(data: Data) -> Bools:
    """Frames of which no object lacks its id: else the missing one explains what dangles."""
    whole = np.ones(len(data.frames), dtype=bool)
    whole[data.object_graph[data.object_ids == MISSING]] = False
    return whole


@rule(
    "HOM442",
    "relationship of an object with itself",
    why="Subject and object are one: nothing can be in front of itself.",
    example='{"subject": 3, "object": 3, "category": "holding"}',
    hint="correct one of the two ids",
)
def with_itself(data: Data) -> Iterator[Finding]:
    """Subject id equals object id."""
    subjects, objects = data.relationship_ends
    for row in where((subjects == objects) & (subjects != MISSING) & (data.links[0] >= 0)):
        yield Finding(
            data.relationship_place(row), _sequence(data, row), f"id {subjects[row]} twice", "two"
        )


@rule(
    "HOM443",
    "subject of a relationship is not a person",
    severity=Severity.WARNING,
    why="Relationships were annotated from the person to the objects (paper, section 3). Where "
    "nine in ten uses of a predicate have a person as subject, one that has not is most often "
    "written with its ends exchanged.",
    example='{"subject": 3 (iron), "object": 0 (person), "category": "holding"}',
    hint="exchange subject and object",
)
def subject_not_person(data: Data) -> Iterator[Finding]:
    """Subjects of another class, of a predicate of which nine in ten subjects are people."""
    subject_rows, object_rows = data.links
    words, subjects = data.relationship_classes, data.object_classes
    usable = (subject_rows >= 0) & (object_rows >= 0) & (subject_rows != object_rows)
    usable &= words.codes >= 0
    if not usable.any():
        return
    usable &= subjects.codes[subject_rows] >= 0
    people = usable & subjects.among({"person"})[subject_rows]
    size = len(words.spellings) + 1
    uses = np.bincount(words.key_codes[usable], minlength=size)
    by_people = np.bincount(words.key_codes[people], minlength=size)
    expected = by_people >= 0.9 * uses
    for row in where(usable & ~people & expected[words.key_codes]):
        yield Finding(
            data.relationship_place(row, "subject"),
            _sequence(data, row),
            f"{data.object_classes[int(subject_rows[row])]!r} {words[row]}",
            "a person",
        )


@rule(
    "HOM444",
    "relationship given twice",
    severity=Severity.WARNING,
    why="The same subject, predicate and object stand twice in one frame: counted twice in every "
    "statistic and every loss.",
    example="person holding iron, and once more",
    hint="remove one of the two",
)
def given_twice(data: Data) -> Iterator[Finding]:
    """The second and later copies in one frame."""
    subjects, objects = data.relationship_ends
    words = data.relationship_classes
    again = repeated(data.relationship_graph, subjects, objects, words.key_codes)
    for row in where(again & (words.codes >= 0) & (subjects != MISSING)):
        yield Finding(
            data.relationship_place(row),
            _sequence(data, row),
            f"{subjects[row]} {words[row]} {objects[row]} again",
            "once",
        )


@rule(
    "HOM445",
    "relationships that contradict each other",
    severity=Severity.WARNING,
    why="Of one subject and one object in one frame two predicates are claimed that cannot both "
    "be true: one of them is a slip.",
    example="person looking at iron, and person not looking at iron",
    hint="look at the frame and remove the wrong one",
)
def contradicting(data: Data) -> Iterator[Finding]:
    """At the later of the two."""
    subjects, objects = data.relationship_ends
    words = data.relationship_classes
    for one, other in _OPPOSITES:
        pair = words.among({one, other})
        if not (words.among({one}).any() and words.among({other}).any()):
            continue
        rows = np.flatnonzero(pair)
        ends = (data.relationship_graph[rows], subjects[rows], objects[rows])
        copies = repeated(*ends, words.key_codes[rows])
        kept = rows[~copies]
        ends = (data.relationship_graph[kept], subjects[kept], objects[kept])
        for row in kept[repeated(*ends)].tolist():
            yield Finding(
                data.relationship_place(row),
                _sequence(data, row),
                f"{subjects[row]} {words[row]} {objects[row]}",
                f"not both {one} and {other}",
            )


def _sequence(data: Data, row: int) -> str:
    return data.frame_sequences[int(data.relationship_graph[row])]
