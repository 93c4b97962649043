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


def _schema(columns: str) -> pa.Schema:
    """Of ``name type, name type``: types as Arrow calls them, and ``strings`` for a list."""
    pairs = [column.split() for column in columns.split(", ")]
    texts = pa.list_(pa.string())
    return pa.schema([(n, texts if k == "strings" else pa.type_for_alias(k)) for n, k in pairs])


RAW_TABLES: dict[str, pa.Schema] = {
    # kind: split_list | class_list | atomic_actions | scene_graphs | sensor | video | other
    "files": _schema("path string, kind string, bytes int64"),
    # One line of a split list. `sequence` is null where the text is no sequence id.
    "list_entries": _schema(
        "file int32, row int32, sequence_raw string, sequence string, activity_raw string, "
        "split string"
    ),
    # One line of a class list. kind: activity | atomic | object | relationship
    "class_entries": _schema("file int32, row int32, kind string, id int64, raw string"),
    # One object of an atomic-action list; pointer /{index}. Null where missing or of a wrong type.
    "actions": _schema(
        "file int32, index int32, sequence string, class_raw string, first_frame int64, "
        "last_frame int64, length double"
    ),
    # One frame of a scene-graph file; pointer /frames/{index}.
    "frames": _schema(
        "file int32, index int32, sequence string, view int32, frame int64, width int64, "
        "height int64"
    ),
    # `graph` is the row of its frame in "frames"; pointer {frame}/objects/{index}.
    "objects": _schema(
        "graph int32, index int32, object_id int64, category_raw string, "
        "x1 double, y1 double, x2 double, y2 double"
    ),
    # pointer {frame}/relationships/{index}.
    "relationships": _schema(
        "graph int32, index int32, subject_id int64, object_id int64, category_raw string"
    ),
    # One video file. `sequence`/`view` are null where the name is no view id.
    "videos": _schema("file int32, sequence string, view int32"),
    "sensors": _schema(
        "file int32, sequence string, sensor string, position string, columns strings, "
        "n_rows int32, first_s double, last_s double"
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
