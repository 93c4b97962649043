"""Why a record is left out of a catalog: each reason with the codes that report it.

A record that a catalog leaves out has one reason, and one of the reason's codes, all of severity
error, names it in the list of problems: at the record, at a key of it that is needed, or at what
it is a part of (its frame, its file). A record without such an error is in the catalog as it was
labelled, whatever a warning says of it. ``catalog.json`` counts the reasons under their texts.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from homage_sdk.soundness.columns import Ints, repeated

Reasons = NDArray[np.uint8]
"""A ``Reason`` of each row."""

_VALUE = ("HOM113", "HOM117", "HOM118", "HOM119", "HOM120", "HOM121", "HOM122")
"""What the readers say of a value that is missing or cannot be taken."""

_FRAME = ("HOM400", "HOM130", "HOM134", *_VALUE)


class Reason(IntEnum):
    """Why a record is left out; ``SOUND``, 0, is none."""

    text: str
    codes: tuple[str, ...]

    def __new__(cls, text: str, *codes: str) -> Reason:
        """Numbered in order; ``text`` is its name in catalog.json, ``codes`` report it."""
        member = int.__new__(cls, len(cls.__members__))
        member._value_ = len(cls.__members__)
        member.text, member.codes = text, codes
        return member

    SOUND = ""

    ACTION_BELOW_ONE = "actions: a frame below 1", "HOM300", "HOM301"
    ACTION_REVERSED = "actions: last frame before the first", "HOM302"
    ACTION_NAMELESS = "actions: class without a name", "HOM245"
    ACTION_INCOMPLETE = "actions: no readable class, first or last frame", *_VALUE
    ACTION_REPEATED = "actions: repeated exactly", "HOM305"

    FRAME_BELOW_ONE = "scene graphs: frame below 1", "HOM400"
    FRAME_INCOMPLETE = "scene graphs: no readable sequence, view or frame", *_FRAME

    OBJECT_OF_FRAME = "objects: in a scene graph that is left out", *_FRAME
    OBJECT_FLAT = "objects: box without area", "HOM420"
    OBJECT_NAMELESS = "objects: category without a name", "HOM245"
    OBJECT_INCOMPLETE = "objects: no readable id, category or box", *_VALUE
    OBJECT_REPEATED = "objects: id given twice in a scene graph", "HOM426"

    RELATIONSHIP_OF_FRAME = "relationships: in a scene graph that is left out", *_FRAME
    RELATIONSHIP_NAMELESS = "relationships: category without a name", "HOM245"
    RELATIONSHIP_INCOMPLETE = "relationships: no readable id or category", *_VALUE
    RELATIONSHIP_DANGLING = "relationships: subject or object not there", "HOM440", "HOM441"
    RELATIONSHIP_END_OUT = "relationships: subject or object left out", "HOM446", *_VALUE
    RELATIONSHIP_REPEATED = "relationships: repeated exactly", "HOM444"

    LINE_INCOMPLETE = "split lists: no readable sequence id", "HOM200", "HOM201"
    LINE_REPEATED = "split lists: sequence on an earlier line", "HOM203", "HOM204", "HOM205"


def first_reason(*cases: tuple[NDArray[np.bool_], Reason]) -> Reasons:
    """Of each row the first reason whose mask [N] holds, else SOUND."""
    masks, reasons = zip(*cases, strict=True)
    return np.select(masks, [np.uint8(reason) for reason in reasons], np.uint8(Reason.SOUND))


def mark_repeats(reasons: Reasons, reason: Reason, *columns: Ints) -> None:
    """Give ``reason`` to the sound rows that equal an earlier sound one in all columns."""
    rows = np.flatnonzero(reasons == Reason.SOUND)
    reasons[rows[repeated(*(column[rows] for column in columns))]] = reason


def counted(*columns: Reasons) -> dict[str, int]:
    """How many rows each reason leaves out, by its text."""
    counts = np.bincount(np.concatenate(columns), minlength=len(Reason))
    return {reason.text: int(counts[reason]) for reason in Reason if reason and counts[reason]}
