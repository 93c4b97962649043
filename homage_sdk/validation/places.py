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
    return Finding(Place(data.paths[int(file)]), sequence, found, expected)


def at_line(data: Data, table: str, row: int, found: str, expected: str = "") -> Finding:
    """At a line of a list: a row of ``list_entries`` or ``class_entries``."""
    sequence = data.list_entries["sequence"].iat[row] if table == "list_entries" else ""
    return Finding(line_place(data, table, row), sequence, found, expected)


def line_place(data: Data, table: str, row: int) -> Place:
    """The line of a row of ``list_entries`` or ``class_entries``."""
    entries = data.list_entries if table == "list_entries" else data.class_entries
    line = int(entries["row"].iat[row])
    return Place(data.paths[int(entries["file"].iat[row])], row=None if line == NULL else line)


def at_action(data: Data, row: int, found: str, expected: str = "", *, key: str = "") -> Finding:
    """At an action, or at one key of it."""
    file, index, sequence = data.action_cells[row]
    pointer = f"/{index}/{key}" if key else f"/{index}"
    return Finding(Place(data.paths[file], pointer), sequence, found, expected)


def at_frame(data: Data, row: int, found: str, expected: str = "", *, below: str = "") -> Finding:
    """At an annotated frame, or at what lies below it (``/objects/3``)."""
    file, index, sequence = data.frame_cells[row]
    place = Place(data.paths[file], f"/frames/{index}{below}")
    return Finding(place, sequence, found, expected)


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
