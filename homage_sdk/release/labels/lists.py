"""Split lists (``train_list.csv``) and class lists (``classInd.txt``): one record a line.

A split list has no header and one ``sequence,activity`` a line. A class list is written
``1 name``, ``1,name`` or as bare names, whose line numbers from 1 then are the ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from homage_sdk.errors import LabelError
from homage_sdk.ids import SequenceId
from homage_sdk.problems import Problem
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.inventory import FileEntry, Inventory
from homage_sdk.release.files.layouts import class_kind_of, split_of
from homage_sdk.release.files.text import read_bytes, to_text
from homage_sdk.release.records import RAW_TABLES

_NUMBERED = re.compile(r"(\d{1,9})(?:\s*[,;\t]\s*|\s+)(.*\S)\s*", re.ASCII)
_LIST_ROW = re.compile(r"\s*([^,;\t]*?)\s*[,;\t]\s*(.*?)\s*")


def _lines(root: Path, entry: FileEntry, faults: Faults) -> list[tuple[int, str]]:
    """The lines that are not blank, with their 1-based numbers."""
    data = read_bytes(root, entry, faults)
    text = None if data is None else to_text(data, faults)
    if text is None:
        return []
    numbered = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)
    return [(row, line) for row, line in numbered if line.strip()]


def read_split_lists(inventory: Inventory) -> tuple[pa.Table, list[Problem]]:
    """``list_entries`` of every split list below the root, in order of path."""
    rows: list[tuple[object, ...]] = []
    problems: list[Problem] = []
    for file, entry in inventory.of_kind("split_list"):
        faults = Faults(entry.path)
        split = split_of(entry.name)
        for row, line in _lines(inventory.root, entry, faults):
            rows.append((file, row, *_split_row(row, line, faults), split))
        problems += faults.problems
    return _table("list_entries", rows), problems


def _split_row(row: int, line: str, faults: Faults) -> tuple[str, str | None, str | None]:
    """The text of the id, the id, the activity."""
    match = _LIST_ROW.fullmatch(line)
    if match is None:
        faults.add("HOM200", row=row, found=line.strip(), expected="p0002_r001_a007,activity")
        return line.strip(), None, None
    raw, activity = match.group(1).strip('"'), match.group(2).strip('"')
    if not activity:
        faults.add("HOM202", row=row, found=line.strip(), expected="p0002_r001_a007,activity")
    return raw, _sequence(raw, row, faults), activity or None


def _sequence(raw: str, row: int, faults: Faults) -> str | None:
    try:
        return str(SequenceId.parse(raw))
    except LabelError:
        header = row == 1 and not any(c.isdigit() for c in raw)
        hint = "a header? the lists have none: remove the line" if header else ""
        faults.add("HOM201", row=row, found=raw, expected="like p0002_r001_a007", hint=hint)
        return None


def read_class_lists(inventory: Inventory) -> tuple[pa.Table, list[Problem]]:
    """``class_entries`` of every taxonomy that has a class list anywhere below the root.

    Where several files list one kind, the one highest in the tree is used (then the first in order
    of path); one that disagrees with it is reported.
    """
    rows: list[tuple[object, ...]] = []
    problems: list[Problem] = []
    used: dict[str, tuple[str, list[tuple[int, str]]]] = {}
    files = sorted(
        inventory.of_kind("class_list"), key=lambda item: (item[1].path.count("/"), item[1].path)
    )
    for file, entry in files:
        kind = class_kind_of(entry.name) or ""
        faults = Faults(entry.path)
        entries = _class_rows(_lines(inventory.root, entry, faults), faults)
        listed = [(class_id, raw) for _, class_id, raw in entries]
        if kind not in used and listed:
            used[kind] = (entry.path, listed)
            rows += [(file, row, kind, class_id, raw) for row, class_id, raw in entries]
        elif listed and listed != used[kind][1]:
            faults.add("HOM211", found=f"differs from {used[kind][0]}", expected="one list")
        problems += faults.problems
    return _table("class_entries", rows), problems


def _class_rows(lines: list[tuple[int, str]], faults: Faults) -> list[tuple[int, int, str]]:
    numbered = [(row, line, _NUMBERED.fullmatch(line.strip())) for row, line in lines]
    if lines and not any(match for _, _, match in numbered):
        faults.add("HOM212", found="bare names", expected="`1 name` or `1,name`")
        return [(row, place, line.strip()) for place, (row, line) in enumerate(lines, start=1)]
    rows = []
    for row, line, match in numbered:
        if match is None:
            faults.add("HOM210", row=row, found=line.strip(), expected="`1 name` or `1,name`")
        else:
            rows.append((row, int(match.group(1)), match.group(2).strip('"')))
    return rows


def _table(name: str, rows: Iterable[tuple[object, ...]]) -> pa.Table:
    schema = RAW_TABLES[name]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )
