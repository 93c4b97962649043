"""Every record of a release judged: its columns, and of each row the reason to leave it out.

Pure functions over the raw tables. Rules report by these reasons and ingest drops by them, so that
what one calls an error the other leaves out, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from homage_sdk.release.records import LARGEST, LARGEST_VIEW, Release
from homage_sdk.soundness.columns import NULL, Bools, Floats, Ints, Words, floats, integers
from homage_sdk.soundness.reasons import Reason, Reasons, counted, first_reason, mark_repeats

LARGEST_SIDE = 16384
"""In pixels: no view is wider or higher."""


@dataclass(frozen=True)
class ActionColumns:
    """Atomic actions; each column is [actions]."""

    sequence: Words
    classes: Words
    first: Ints
    last: Ints
    reasons: Reasons


@dataclass(frozen=True)
class FrameColumns:
    """Annotated frames; each column is [frames].

    ``size`` [2, frames] is width and height, 0 where it is not known or impossible.
    """

    sequence: Words
    view: Ints
    frame: Ints
    size: Ints
    impossible_size: Bools
    reasons: Reasons


@dataclass(frozen=True)
class ObjectColumns:
    """Objects of annotated frames; ``graph`` is the row of the frame, ``boxes`` [objects, 4]."""

    graph: Ints
    ids: Ints
    classes: Words
    boxes: Floats
    own: Reasons
    """Of the object itself, whatever its frame is."""
    reasons: Reasons


@dataclass(frozen=True)
class EndColumns:
    """Subjects, or objects, of relationships; each column is [relationships].

    ``rows`` are those of ``ObjectColumns``, -1 where no sound object has the id: it is ``absent``
    from the frame, or what has it, or may have it, is ``left_out``.
    """

    ids: Ints
    rows: Ints
    absent: Bools
    left_out: Bools


@dataclass(frozen=True)
class RelationshipColumns:
    """Relationships between the objects of an annotated frame; each column is [relationships]."""

    graph: Ints
    classes: Words
    subjects: EndColumns
    objects: EndColumns
    reasons: Reasons


@dataclass(frozen=True)
class Records:
    """All labels of a release, judged."""

    actions: ActionColumns
    frames: FrameColumns
    objects: ObjectColumns
    relationships: RelationshipColumns
    list_lines: Reasons

    @property
    def left_out(self) -> dict[str, int]:
        """How many records each reason leaves out, by its text."""
        labels = (self.actions, self.frames, self.objects, self.relationships)
        return counted(*(columns.reasons for columns in labels), self.list_lines)


def judge(release: Release) -> Records:
    """Read the columns of all labels and decide which of them are sound."""
    frames = judge_frames(release["frames"])
    objects = judge_objects(release["objects"], frames)
    return Records(
        judge_actions(release["actions"]),
        frames,
        objects,
        judge_relationships(release["relationships"], frames, objects),
        judge_list_lines(release["list_entries"]),
    )


def judge_actions(raw: pa.Table) -> ActionColumns:
    """An action needs a class and two frames from 1 on, in order; of copies the first counts."""
    sequence, classes = Words.of(raw["sequence"]), Words.of(raw["class_raw"])
    first, last = integers(raw["first_frame"]), integers(raw["last_frame"])
    readable = _in_range(first) & _in_range(last)
    reasons = first_reason(
        (_low(first) | _low(last), Reason.ACTION_BELOW_ONE),
        (readable & (last < first), Reason.ACTION_REVERSED),
        (classes.nameless, Reason.ACTION_NAMELESS),
        (~readable | (classes.codes < 0) | (sequence.codes < 0), Reason.ACTION_INCOMPLETE),
    )
    columns = (sequence.codes, classes.key_codes, first, last)
    mark_repeats(reasons, Reason.ACTION_REPEATED, *columns)
    return ActionColumns(sequence, classes, first, last, reasons)


def judge_frames(raw: pa.Table) -> FrameColumns:
    """A frame needs its sequence, its view and a number from 1 on; repeated ones are kept."""
    sequence = Words.of(raw["sequence"])
    view, frame = integers(raw["view"]), integers(raw["frame"])
    named = (sequence.codes >= 0) & (view >= 0) & (view <= LARGEST_VIEW)
    reasons = first_reason(
        (_low(frame), Reason.FRAME_BELOW_ONE),
        (~(named & _in_range(frame)), Reason.FRAME_INCOMPLETE),
    )
    size = np.stack([integers(raw[side]) for side in ("width", "height")])
    known = (size > 0) & (size <= LARGEST_SIDE)
    impossible = ((size != NULL) & ~known).any(axis=0)
    return FrameColumns(sequence, view, frame, np.where(known, size, 0), impossible, reasons)


def judge_objects(raw: pa.Table, frames: FrameColumns) -> ObjectColumns:
    """An object needs an id of its own, a category and a box with an area, in a sound frame."""
    graph, ids = integers(raw["graph"]), integers(raw["object_id"])
    classes = Words.of(raw["category_raw"])
    boxes = np.stack([floats(raw[name]) for name in ("x1", "y1", "x2", "y2")]).T
    boxed = (np.abs(boxes) <= LARGEST).all(axis=1)
    stored = np.where(boxed, boxes.T, 0).astype(np.float32)  # where near corners fall together
    flat = (stored[2] <= stored[0]) | (stored[3] <= stored[1])
    own = first_reason(
        (boxed & flat, Reason.OBJECT_FLAT),
        (classes.nameless, Reason.OBJECT_NAMELESS),
        (~(boxed & _in_range(ids) & (classes.codes >= 0)), Reason.OBJECT_INCOMPLETE),
    )
    mark_repeats(own, Reason.OBJECT_REPEATED, graph, ids)
    reasons = np.where(frames.reasons[graph] == 0, own, np.uint8(Reason.OBJECT_OF_FRAME))
    return ObjectColumns(graph, ids, classes, boxes, own, reasons)


def judge_relationships(
    raw: pa.Table, frames: FrameColumns, objects: ObjectColumns
) -> RelationshipColumns:
    """A relationship needs a category and two sound objects; of copies the first counts."""
    graph, classes = integers(raw["graph"]), Words.of(raw["category_raw"])
    subjects, targets = (
        _ends(graph, integers(raw[name]), objects) for name in ("subject_id", "object_id")
    )
    readable = (classes.codes >= 0) & _in_range(subjects.ids) & _in_range(targets.ids)
    reasons = first_reason(
        (frames.reasons[graph] != 0, Reason.RELATIONSHIP_OF_FRAME),
        (classes.nameless, Reason.RELATIONSHIP_NAMELESS),
        (~readable, Reason.RELATIONSHIP_INCOMPLETE),
        (subjects.absent | targets.absent, Reason.RELATIONSHIP_DANGLING),
        (subjects.left_out | targets.left_out, Reason.RELATIONSHIP_END_OUT),
    )
    columns = (subjects.rows, targets.rows, classes.key_codes)
    mark_repeats(reasons, Reason.RELATIONSHIP_REPEATED, *columns)
    return RelationshipColumns(graph, classes, subjects, targets, reasons)


def judge_list_lines(raw: pa.Table) -> Reasons:
    """The first line that names a sequence says its split and activity."""
    sequence = Words.of(raw["sequence"])
    reasons = first_reason((sequence.codes < 0, Reason.LINE_INCOMPLETE))
    mark_repeats(reasons, Reason.LINE_REPEATED, sequence.codes)
    return reasons


def _in_range(numbers: Ints) -> Bools:
    """Frames and ids that an int32 column holds; null is far below."""
    return np.asarray((numbers >= -LARGEST) & (numbers <= LARGEST))


def _low(frames: Ints) -> Bools:
    """Frame numbers that are there and below 1."""
    return np.asarray((frames < 1) & (frames >= -LARGEST))


def _ends(graph: Ints, ids: Ints, objects: ObjectColumns) -> EndColumns:
    """Which object of its frame each id names."""
    sound = np.flatnonzero(objects.own == Reason.SOUND)
    keys = _keys(objects.graph[sound], objects.ids[sound])
    order = np.argsort(keys, kind="stable")
    wanted = _keys(graph, ids)
    rows = np.append(sound[order], -1)
    at = np.searchsorted(keys[order], wanted)
    rows = np.where(np.append(keys[order], -1)[at] == wanted, rows[at], -1)
    absent, left_out = (np.zeros(len(ids), dtype=np.bool_) for _ in range(2))
    lost = np.flatnonzero((rows < 0) & (wanted >= 0))
    if len(lost):
        unread = objects.graph[~_in_range(objects.ids)]
        there = np.isin(wanted[lost], _keys(objects.graph, objects.ids))
        left_out[lost] = there | np.isin(graph[lost], unread)
        absent[lost] = ~left_out[lost]
    return EndColumns(ids, rows, absent, left_out)


def _keys(graph: Ints, ids: Ints) -> Ints:
    """One number for a frame and an id; -1 where the id is none."""
    return np.where(_in_range(ids), (graph << 32) + ids + LARGEST, -1)
