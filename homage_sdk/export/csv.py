"""Labels as CSV (RFC 4180, UTF-8, header), for spreadsheets and any other tool."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from homage_sdk.time import Interval

if TYPE_CHECKING:
    import pyarrow as pa

    from homage_sdk.dataset.dataset import Dataset

_SEQUENCES = """
SELECT s.sequence, s.participant, s.room, s.take, s.split, s.activity, s.duration_s,
       s.n_views, s.has_ego, s.has_audio, s.n_atomic_actions, s.n_scene_graphs
FROM sequences s
ORDER BY s.sequence
"""
_ACTIONS = """
SELECT sequence, action_id, class_id, name, first_frame, last_frame
FROM atomic_actions ORDER BY sequence, first_frame, last_frame, action_id
"""
_OBJECTS = """
SELECT f.sequence, f.view, f.frame, o.object_id, o.class_id, o.name,
       o.x1, o.y1, o.x2, o.y2
FROM objects o JOIN frames f USING (scene_graph_id)
ORDER BY f.sequence, f.view, f.frame, f.scene_graph_id, o.object_id
"""
_RELATIONSHIPS = """
SELECT sequence, view, frame, subject_id, subject, predicate, object_id, object
FROM triples
ORDER BY sequence, view, frame, scene_graph_id, subject_id, predicate_class, object_id
"""


def csv_tables(dataset: Dataset) -> dict[str, str]:
    r"""The selection as CSV texts: sequences, atomic_actions, objects, relationships, classes.

    Frames are 1-based and inclusive; ``begin_s`` and ``end_s`` of an action are seconds from the
    start of the sequence. Boxes are xyxy pixels.

    >>> tables = csv_tables(Dataset(catalog))
    >>> print(*tables["atomic_actions"].splitlines()[:2], sep="\n")
    "sequence","action_id","class_id","name","first_frame","last_frame","begin_s","end_s"
    "p0001_r001_a001",0,5,"take cup from swh",1,30,0,1
    """
    return {name: csv_text(table) for name, table in arrow_tables(dataset).items()}


def arrow_tables(dataset: Dataset) -> dict[str, pa.Table]:
    """The tables that ``csv_tables`` writes, by name."""
    import pyarrow as pa

    actions = dataset.sql(_ACTIONS)
    intervals = [
        Interval(first, last)
        for first, last in zip(
            actions["first_frame"].to_pylist(), actions["last_frame"].to_pylist(), strict=True
        )
    ]
    begin = pa.array([interval.begin_s() for interval in intervals], pa.float64())
    end = pa.array([interval.end_s() for interval in intervals], pa.float64())
    return {
        "sequences": dataset.sql(_SEQUENCES),
        "atomic_actions": actions.append_column("begin_s", begin).append_column("end_s", end),
        "objects": dataset.sql(_OBJECTS),
        "relationships": dataset.sql(_RELATIONSHIPS),
        "classes": dataset.sql("SELECT kind, id, name, slug FROM classes ORDER BY kind, id"),
    }


def csv_text(table: pa.Table) -> str:
    """A table as CSV: header, UTF-8, quoted where it must be."""
    import pyarrow.csv

    buffer = io.BytesIO()
    pyarrow.csv.write_csv(table, buffer)
    return buffer.getvalue().decode()
