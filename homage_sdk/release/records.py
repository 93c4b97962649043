"""What a reader takes out of a release: raw records in columns, with the place each came from.

A full release holds over a million boxes and relationships, so records are Arrow tables, not
objects. They are *raw*: spelled as published, after the reader's mapping (key names, frame base,
box format) but before any policy. ``file`` columns index the ``files`` table; with the position
columns beside them every row can name its file and JSON pointer or line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from homage_sdk.problems import Problem

LARGEST = 2**31 - 1
"""No frame, pixel or id is larger: what an int32 column of a catalog holds."""

LARGEST_VIEW = 2**15 - 1
"""No view number is larger: what an int16 column of a catalog holds."""

RAW_TABLES: dict[str, pa.Schema] = {
    # kind: split_list | class_list | atomic_actions | scene_graphs | sensor | video | other
    "files": pa.schema([("path", pa.string()), ("kind", pa.string()), ("bytes", pa.int64())]),
    # One line of a split list. `sequence` is null where the text is no sequence id.
    "list_entries": pa.schema(
        [
            ("file", pa.int32()),
            ("row", pa.int32()),
            ("sequence_raw", pa.string()),
            ("sequence", pa.string()),
            ("activity_raw", pa.string()),
            ("split", pa.string()),
        ]
    ),
    # One line of a class list. kind: activity | atomic | object | relationship
    "class_entries": pa.schema(
        [
            ("file", pa.int32()),
            ("row", pa.int32()),
            ("kind", pa.string()),
            ("id", pa.int64()),
            ("raw", pa.string()),
        ]
    ),
    # One object of an atomic-action list; pointer /{index}. Null where missing or of a wrong type.
    "actions": pa.schema(
        [
            ("file", pa.int32()),
            ("index", pa.int32()),
            ("sequence", pa.string()),
            ("class_raw", pa.string()),
            ("first_frame", pa.int64()),
            ("last_frame", pa.int64()),
            ("length", pa.float64()),
        ]
    ),
    # One frame of a scene-graph file; pointer /frames/{index}.
    "frames": pa.schema(
        [
            ("file", pa.int32()),
            ("index", pa.int32()),
            ("sequence", pa.string()),
            ("view", pa.int32()),
            ("frame", pa.int64()),
            ("width", pa.int64()),
            ("height", pa.int64()),
        ]
    ),
    # `graph` is the row of its frame in "frames"; pointer {frame}/objects/{index}.
    "objects": pa.schema(
        [
            ("graph", pa.int32()),
            ("index", pa.int32()),
            ("object_id", pa.int64()),
            ("category_raw", pa.string()),
            ("x1", pa.float64()),
            ("y1", pa.float64()),
            ("x2", pa.float64()),
            ("y2", pa.float64()),
        ]
    ),
    # pointer {frame}/relationships/{index}.
    "relationships": pa.schema(
        [
            ("graph", pa.int32()),
            ("index", pa.int32()),
            ("subject_id", pa.int64()),
            ("object_id", pa.int64()),
            ("category_raw", pa.string()),
        ]
    ),
    # One video file. `sequence`/`view` are null where the name is no view id.
    "videos": pa.schema([("file", pa.int32()), ("sequence", pa.string()), ("view", pa.int32())]),
    "sensors": pa.schema(
        [
            ("file", pa.int32()),
            ("sequence", pa.string()),
            ("sensor", pa.string()),
            ("position", pa.string()),
            ("columns", pa.list_(pa.string())),
            ("n_rows", pa.int32()),
            ("first_s", pa.float64()),
            ("last_s", pa.float64()),
        ]
    ),
}


def raw_table(name: str, rows: Sequence[Sequence[object]]) -> pa.Table:
    """Rows in the order of the columns, as the raw table of that name."""
    schema = RAW_TABLES[name]
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


@dataclass
class Release:
    """The raw records of one release, and the faults met while reading it.

    ``root`` is the folder that holds the layout (one below the user's, when nested);
    ``layout`` is ``"hacgen"`` or ``"videoshift"``.
    """

    root: Path
    layout: str
    tables: dict[str, pa.Table]
    problems: list[Problem] = field(default_factory=list)
    fingerprint: str = ""
    """SHA-256 over the names, sizes and modification times of the release's files."""

    def __getitem__(self, name: str) -> pa.Table:
        return self.tables[name]
