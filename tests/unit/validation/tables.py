"""Releases made by hand: rows in, raw tables out, no file anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from homage_sdk.problems import Problem
from homage_sdk.release.records import RAW_TABLES, Release
from homage_sdk.validation import RULES
from homage_sdk.validation.data import Data

Rows = Sequence[dict[str, Any]]

_RULES = {rule.code: rule for rule in RULES}

SEQUENCE = "p0002_r001_a007"
ACTIONS = f"annotation_files/atomic_actions/p0002/{SEQUENCE}__aa.json"
GRAPHS = "annotation_files/scene_graphs/p0002/p0002_r001_v001_a007_sg.json"
FILES = (
    {"path": ACTIONS, "kind": "atomic_actions", "bytes": 100},
    {"path": GRAPHS, "kind": "scene_graphs", "bytes": 100},
)


def release(files: Rows = FILES, **tables: Rows) -> Release:
    """A release of these rows; columns that a row leaves out are null."""
    rows: dict[str, Rows] = {"files": files, **tables}
    made = {
        name: pa.Table.from_pylist(
            [{field.name: row.get(field.name) for field in schema} for row in rows.get(name, ())],
            schema=schema,
        )
        for name, schema in RAW_TABLES.items()
    }
    return Release(Path("release"), "hacgen", made)


def action(index: int, first: int | None, last: int | None, **more: Any) -> dict[str, Any]:
    """A row of ``actions`` in the file ACTIONS."""
    row = {"file": 0, "index": index, "sequence": SEQUENCE, "class_raw": "take cup"}
    return {**row, "first_frame": first, "last_frame": last, **more}


def frame(index: int, number: int | None, **more: Any) -> dict[str, Any]:
    """A row of ``frames`` in the file GRAPHS."""
    row = {"file": 1, "index": index, "sequence": SEQUENCE, "view": 1, "frame": number}
    return {**row, "width": 100, "height": 80, **more}


def box(graph: int, index: int, number: int, category: str, xyxy: Sequence[Any]) -> dict[str, Any]:
    """A row of ``objects``."""
    row = {"graph": graph, "index": index, "object_id": number, "category_raw": category}
    return {**row, **dict(zip(("x1", "y1", "x2", "y2"), xyxy, strict=True))}


def link(graph: int, index: int, subject: int, target: int, category: str) -> dict[str, Any]:
    """A row of ``relationships``."""
    return {
        "graph": graph,
        "index": index,
        "subject_id": subject,
        "object_id": target,
        "category_raw": category,
    }


def found(given: Release, code: str) -> list[Problem]:
    """What one rule finds, in stable order."""
    return sorted(_RULES[code].problems(Data(given)), key=lambda problem: problem.order)


def pointers(given: Release, code: str) -> list[str]:
    """The JSON pointers of what one rule finds, in order of pointer."""
    return sorted(problem.place.pointer for problem in found(given, code))
