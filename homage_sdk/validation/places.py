"""Findings at the place of a record: its file, and its line or JSON pointer."""

from __future__ import annotations

from homage_sdk.problems import Place
from homage_sdk.soundness.columns import NULL
from homage_sdk.validation.data import Data
from homage_sdk.validation.rule import Finding


def at_file(
    data: Data, file: int, found: str, expected: str = "", *, sequence: str | None = ""
) -> Finding:
    """At a whole file."""
    place = Place(data.paths[int(file)], sequence=sequence or "")
    return Finding(place, found, expected)


def at_file_of(data: Data, frame: int, found: str, expected: str) -> Finding:
    """At the whole file of an annotated frame."""
    file, _, sequence = data.frame_cells[frame]
    return at_file(data, file, found, expected, sequence=sequence)


def at_line(data: Data, table: str, row: int, found: str, expected: str = "") -> Finding:
    """At a line of a list: a row of ``list_entries`` or ``class_entries``."""
    return Finding(line_place(data, table, row), found, expected)


def line_place(data: Data, table: str, row: int) -> Place:
    """The line of a row of ``list_entries`` or ``class_entries``."""
    entry = (data.list_entries if table == "list_entries" else data.class_entries).iloc[row]
    line = None if entry["row"] == NULL else int(entry["row"])
    return Place(data.paths[entry["file"]], row=line, sequence=entry.get("sequence") or "")


def at_action(data: Data, row: int, found: str, expected: str = "", *, key: str = "") -> Finding:
    """At an action, or at one key of it."""
    file, index, sequence = data.action_cells[row]
    pointer = f"/{index}/{key}" if key else f"/{index}"
    return Finding(Place(data.paths[file], pointer, sequence=sequence or ""), found, expected)


def at_frame(data: Data, row: int, found: str, expected: str = "", *, below: str = "") -> Finding:
    """At an annotated frame, or at what lies below it (``/objects/3``)."""
    file, index, sequence = data.frame_cells[row]
    place = Place(data.paths[file], f"/frames/{index}{below}", sequence=sequence or "")
    return Finding(place, found, expected)


def at_object(data: Data, row: int, found: str, expected: str = "", *, key: str = "") -> Finding:
    """At an object of an annotated frame, or at one key of it."""
    below = f"/objects/{data.object_index[row]}{'/' if key else ''}{key}"
    return at_frame(data, int(data.objects.graph[row]), found, expected, below=below)


def at_relationship(
    data: Data, row: int, found: str, expected: str = "", *, key: str = ""
) -> Finding:
    """At a relationship of an annotated frame, or at one key of it."""
    below = f"/relationships/{data.relationship_index[row]}{'/' if key else ''}{key}"
    return at_frame(data, int(data.relationships.graph[row]), found, expected, below=below)
