"""Rules about the relationships of annotated frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from homage_sdk.soundness import Reason
from homage_sdk.soundness.columns import Bools, repeated
from homage_sdk.soundness.judge import EndColumns
from homage_sdk.validation.data import Data, where
from homage_sdk.validation.rule import Finding, error, warning

_OPPOSITES = (
    ("in_front_of", "behind"),
    ("looking_at", "not_looking_at"),
    ("above", "beneath"),
    ("touching", "not_contacting"),
    ("holding", "not_contacting"),
)
"""Pairs that cannot both be true of one subject and one object in one frame."""


@error(
    "HOM440",
    "relationship whose subject does not exist",
    why="The subject id names no object of the same frame: the relationship is about "
    "nothing. It is left out of the catalog.",
    example='{"subject": 9, "object": 3, "category": "holding"}, no object 9',
    hint="correct the id, or add the object",
)
def dangling_subject(data: Data) -> Iterator[Finding]:
    """A subject id that no object of the frame has."""
    ends = data.relationships.subjects
    return _at_ends(data, ends, ends.absent, "subject", "the id of an object of this frame")


@error(
    "HOM441",
    "relationship whose object does not exist",
    why="The object id names no object of the same frame: the relationship points at nothing. It "
    "is left out of the catalog.",
    example='{"subject": 0, "object": 9, "category": "holding"}, no object 9',
    hint="correct the id, or add the object",
)
def dangling_object(data: Data) -> Iterator[Finding]:
    """An object id that no object of the frame has."""
    ends = data.relationships.objects
    return _at_ends(data, ends, ends.absent, "object", "the id of an object of this frame")


def _at_ends(
    data: Data, ends: EndColumns, rows: Bools, key: str, expected: str
) -> Iterator[Finding]:
    return (data.at_relationship(r, f"id {ends.ids[r]}", expected, key=key) for r in where(rows))


@error(
    "HOM446",
    "relationship with an object that is left out",
    why="The object that the id names is left out of the catalog for a fault of its own (an error "
    "at the object), or some object of the frame has no readable id and may be the one. The "
    "relationship is left out with it.",
    example='{"subject": 0, "object": 3, "category": "holding"}, and the box of object 3 is null',
    hint="correct the object: the relationship is then used",
)
def with_left_out(data: Data) -> Iterator[Finding]:
    """At the end whose object is not in the catalog; a fault of the whole file explains all."""
    links = data.relationships
    others = ~np.isin(data.frames["file"], data.wholly_faulty_files)[links.graph]
    for key, ends in (("subject", links.subjects), ("object", links.objects)):
        yield from _at_ends(data, ends, ends.left_out & others, key, "an object without a fault")


@warning(
    "HOM442",
    "relationship of an object with itself",
    why="Subject and object are one: nothing can be in front of itself. It is kept as it is.",
    example='{"subject": 3, "object": 3, "category": "holding"}',
    hint="correct one of the two ids",
)
def with_itself(data: Data) -> Iterator[Finding]:
    """Subject id equals object id."""
    links = data.relationships
    for row in where(_sound(data) & (links.subjects.rows == links.objects.rows)):
        yield data.at_relationship(row, f"id {links.subjects.ids[row]} twice", "two")


@warning(
    "HOM443",
    "subject of a relationship is not a person",
    why="Relationships were annotated from the person to the objects (paper, section 3). Where "
    "nine in ten uses of a predicate have a person as subject, one that has not is most often "
    "written with its ends exchanged.",
    example='{"subject": 3 (iron), "object": 0 (person), "category": "holding"}',
    hint="exchange subject and object",
)
def subject_not_person(data: Data) -> Iterator[Finding]:
    """Subjects of another class, of a predicate of which nine in ten subjects are people."""
    links, classes = data.relationships, data.objects.classes
    subjects, words = links.subjects.rows, links.classes
    usable = _sound(data) & (subjects != links.objects.rows)
    people = usable.copy()
    people[usable] = classes.among({"person"})[subjects[usable]]
    size = len(words.spellings) + 1
    uses = np.bincount(words.key_codes[usable], minlength=size)
    by_people = np.bincount(words.key_codes[people], minlength=size)
    expected = by_people >= 0.9 * uses
    for row in where(usable & ~people & expected[words.key_codes]):
        found = f"{classes[int(subjects[row])]!r} {words[row]}"
        yield data.at_relationship(row, found, "a person", key="subject")


@error(
    "HOM444",
    "relationship given twice",
    why="The same subject, predicate and object stand twice in one frame: a copy. It is left out, "
    "so that no statistic and no loss counts it twice.",
    example="person holding iron, and once more",
    hint="remove one of the two",
)
def given_twice(data: Data) -> Iterator[Finding]:
    """The second and later copies in one frame."""
    for row in where(data.relationships.reasons == Reason.RELATIONSHIP_REPEATED):
        yield data.at_relationship(row, f"{_triple(data, row)} again", "once")


@warning(
    "HOM445",
    "relationships that contradict each other",
    why="Of one subject and one object in one frame two predicates are claimed that cannot both "
    "be true: one of them is a slip.",
    example="person looking at iron, and person not looking at iron",
    hint="look at the frame and remove the wrong one",
)
def contradicting(data: Data) -> Iterator[Finding]:
    """At the later of the two."""
    links = data.relationships
    for one, other in _OPPOSITES:
        rows = np.flatnonzero(_sound(data) & links.classes.among({one, other}))
        again = repeated(links.subjects.rows[rows], links.objects.rows[rows])
        for row in rows[again].tolist():
            yield data.at_relationship(row, _triple(data, row), f"not both {one} and {other}")


def _sound(data: Data) -> Bools:
    return np.asarray(data.relationships.reasons == Reason.SOUND)


def _triple(data: Data, row: int) -> str:
    links = data.relationships
    return f"{links.subjects.ids[row]} {links.classes[row]} {links.objects.ids[row]}"
