"""The tables of a catalog: their Arrow schemas, with every column explained.

This file is the one source: ``schemas/``, the documentation page and the reader's checks are
generated from it. Change a column and SCHEMA_VERSION goes up, with a step in ``migrate.py``.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 2


def _field(name: str, kind: pa.DataType, doc: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"doc": doc})


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind))  # as Parquet names it


def _table(doc: str, *fields: pa.Field) -> pa.Schema:
    return pa.schema(list(fields), metadata={"doc": doc})


TABLES: dict[str, pa.Schema] = {
    "sequences": _table(
        "One row a synchronized sequence, in order of id.",
        _field("sequence", pa.string(), "Sequence id, p0002_r001_a007"),
        _field("participant", pa.int32(), "Number after p"),
        _field("room", pa.int32(), "Number after r"),
        _field("take", pa.int32(), "Number after a"),
        _field("activity_id", pa.int32(), "classes.id of kind activity", nullable=True),
        _field("split", pa.string(), "train, val, test as published", nullable=True),
        _field(
            "duration_s",
            pa.float64(),
            "Seconds: longest view by its packets; without video, the last labelled frame",
            nullable=True,
        ),
        _field("n_views", pa.int16(), "Rows of this sequence in views"),
        _field("has_ego", pa.bool_(), "A view v000 exists"),
        _field("has_audio", pa.bool_(), "At least one view has a sound stream"),
        _field("n_atomic_actions", pa.int32(), "Rows of this sequence in atomic_actions"),
        _field("n_scene_graphs", pa.int32(), "Rows of this sequence in frames"),
    ),
    "views": _table(
        "One row a video of a sequence; media columns are null where the file was not readable.",
        _field("sequence", pa.string(), "Sequence id"),
        _field("view", pa.int16(), "Number after v; 0 is the ego view"),
        _field("kind", pa.string(), "ego or third"),
        _field("path", pa.string(), "Relative to the release root", nullable=True),
        _field("bytes", pa.int64(), "Size of the file", nullable=True),
        _field("width", pa.int32(), "Pixels, as displayed (after rotation)", nullable=True),
        _field("height", pa.int32(), "Pixels, as displayed (after rotation)", nullable=True),
        _field("fps", pa.float64(), "Frames a second, measured over the packets", nullable=True),
        _field("n_frames", pa.int32(), "Counted packets, never the header", nullable=True),
        _field("time_base_num", pa.int32(), "Seconds a pts tick, numerator", nullable=True),
        _field("time_base_den", pa.int32(), "Seconds a pts tick, denominator", nullable=True),
        _field("start_time_s", pa.float64(), "First video pts in seconds", nullable=True),
        _field("duration_s", pa.float64(), "End of the last frame minus the start", nullable=True),
        _field("has_audio", pa.bool_(), "A sound stream exists", nullable=True),
        _field("audio_start_s", pa.float64(), "First audio pts in seconds", nullable=True),
        _field("sample_rate", pa.int32(), "Hz of the sound stream", nullable=True),
        _field("sha256", pa.string(), "Of the file, where asked for", nullable=True),
    ),
    "atomic_actions": _table(
        "One row an atomic-action interval, in order of sequence and first frame.",
        _field("action_id", pa.int32(), "Unique in this catalog"),
        _field("sequence", pa.string(), "Sequence id"),
        _field("class_id", pa.int32(), "classes.id of kind atomic"),
        _field("first_frame", pa.int32(), "1-based, included"),
        _field("last_frame", pa.int32(), "1-based, included"),
    ),
    "frames": _table(
        "One row an annotated frame (a scene graph).",
        _field("scene_graph_id", pa.int32(), "Unique in this catalog"),
        _field("sequence", pa.string(), "Sequence id"),
        _field("view", pa.int16(), "The annotated third-person view"),
        _field("frame", pa.int32(), "1-based"),
        _field("width", pa.int32(), "Pixels of the annotated view", nullable=True),
        _field("height", pa.int32(), "Pixels of the annotated view", nullable=True),
        _field("action_ids", _list(pa.int32()), "atomic_actions.action_id active at this frame"),
    ),
    "objects": _table(
        "One row a box.",
        _field("scene_graph_id", pa.int32(), "frames.scene_graph_id"),
        _field("object_id", pa.int32(), "Unique within its scene graph"),
        _field("class_id", pa.int32(), "classes.id of kind object"),
        _field("x1", pa.float32(), "Left, pixels"),
        _field("y1", pa.float32(), "Top, pixels"),
        _field("x2", pa.float32(), "Right, pixels"),
        _field("y2", pa.float32(), "Bottom, pixels"),
    ),
    "relationships": _table(
        "One row a relationship between two objects of one scene graph.",
        _field("scene_graph_id", pa.int32(), "frames.scene_graph_id"),
        _field("subject_id", pa.int32(), "objects.object_id of the subject"),
        _field("object_id", pa.int32(), "objects.object_id of the object"),
        _field("class_id", pa.int32(), "classes.id of kind relationship"),
    ),
    "sensors": _table(
        "One row a sensor file.",
        _field("sequence", pa.string(), "Sequence id"),
        _field("sensor", pa.string(), "One of the 12 types, e.g. acceleration"),
        _field("position", pa.string(), "Where it was, e.g. head or v001"),
        _field("path", pa.string(), "Relative to the release root"),
        _field("columns", _list(pa.string()), "Value columns"),
        _field("n_rows", pa.int32(), "Samples"),
        _field("first_s", pa.float64(), "Time of the first sample", nullable=True),
        _field("last_s", pa.float64(), "Time of the last sample", nullable=True),
    ),
    "classes": _table(
        "One row a class of a taxonomy.",
        _field("kind", pa.string(), "activity, atomic, object or relationship"),
        _field("id", pa.int32(), "Stable: of the older catalog, else of the class list"),
        _field("name", pa.string(), "The name: as in the older catalog, else as published"),
        _field("slug", pa.string(), "Safe in a file name"),
    ),
    "problems": _table(
        "One row a fault that validation found, in stable order.",
        _field("code", pa.string(), "Rule, e.g. HOM203"),
        _field("severity", pa.string(), "error, warning or info"),
        _field("file", pa.string(), "Relative to the release root"),
        _field("row", pa.int32(), "1-based line of a text file", nullable=True),
        _field("pointer", pa.string(), "JSON pointer in a JSON file"),
        _field("sequence", pa.string(), "Sequence id, or empty"),
        _field("message", pa.string(), "What is wrong"),
        _field("found", pa.string(), "What was there"),
        _field("expected", pa.string(), "What should have been there"),
        _field("hint", pa.string(), "What to do"),
    ),
    "pts": _table(
        "One row a video frame in presentation order: the index that makes time exact.",
        _field("sequence", pa.string(), "Sequence id"),
        _field("view", pa.int16(), "View number"),
        _field("position", pa.int32(), "1-based, in presentation order"),
        _field("pts", pa.int64(), "Presentation timestamp, in ticks of the view's time base"),
        _field("keyframe", pa.bool_(), "Decoding can begin here"),
    ),
}

OF_THE_CATALOG = ("classes", "problems")
"""Tables that a selection of sequences leaves whole."""


def column_doc(table: str, column: str) -> str:
    """What a column means."""
    return str(TABLES[table].field(column).metadata[b"doc"].decode())
