"""Split lists (``train_list.csv``) and class lists (``classInd.txt``): one record a line.

A split list has no header and one ``sequence,activity`` a line. A class list is written
``1 name``, ``1,name`` or as bare names, whose line numbers from 1 then are the ids.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from homage_sdk.errors import LabelError
from homage_sdk.ids import SequenceId
from homage_sdk.problems import Code, Problem, Severity
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.duplicates import place_order
from homage_sdk.release.files.inventory import FileEntry, Inventory
from homage_sdk.release.files.layouts import Layout, class_kind_of, split_of
from homage_sdk.release.files.text import read_bytes, to_text
from homage_sdk.release.records import raw_table

_NUMBERED = re.compile(r"(\d{1,9})(?:\s*[,;\t]\s*|\s+)(.*\S)\s*", re.ASCII)
_DAMAGED = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no name holds: a byte of the line was overwritten."""

_SECOND_ID = re.compile(r"p\d{3,}_r\d{2,}_a\d{2,}", re.ASCII)
"""In the place of an activity: two lines became one."""

_LIST_ROW = re.compile(r"\s*([^,;\t]*?)\s*[,;\t]\s*(.*?)\s*")


BAD_SPLIT_LINE = Code(
    "HOM200",
    "line of a split list not readable",
    why="A split list holds one `sequence,activity` a line and no header. A line with control "
    "characters, or with a second sequence, was overwritten.",
    hint="correct the line",
    example="p0002_r001_a007 without a comma",
)
NOT_A_SEQUENCE = Code(
    "HOM201",
    "not a sequence id in a split list",
    why="The first field of the line is no id like p0002_r001_a007.",
    hint="correct the id",
    example="p2_r1_a7,folding_clothes",
)
NO_ACTIVITY = Code(
    "HOM202",
    "no activity in a split list",
    why="The line names a sequence and no activity. The sequence is kept without one.",
    hint="add the activity after a comma",
    example="p0002_r001_a007,",
)
BAD_CLASS_LINE = Code(
    "HOM210",
    "line of a class list not readable",
    why="A class list holds `1 name` or `1,name` a line, or bare names.",
    hint="correct the line",
    example="a line 12 with no name after it",
)
SECOND_LIST = Code(
    "HOM211",
    "second class list of the same kind",
    severity=Severity.WARNING,
    why="Two files below the root list the same classes and disagree. The one highest in the "
    "tree is used.",
    hint="keep one of the two",
    example="classInd.txt and data/classInd.txt with other names or ids",
)
BARE_NAMES = Code(
    "HOM212",
    "class list without ids",
    severity=Severity.INFO,
    why="The file holds bare names: their line numbers, from 1, became their ids.",
    hint="nothing, if the order is the official one",
    example="folding_clothes in line 1, ironing in line 2, no numbers",
)


def _lines(root: Path, entry: FileEntry, faults: Faults) -> list[tuple[int, str]]:
    """The lines that are not blank, with their 1-based numbers."""
    data = read_bytes(root, entry, faults)
    text = None if data is None else to_text(data, faults)
    if text is None:
        return []
    numbered = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)
    return [(row, line) for row, line in numbered if line.strip()]


def read_split_lists(inventory: Inventory, layout: Layout) -> tuple[pa.Table, list[Problem]]:
    """``list_entries`` of every split list below the root: the most regular place first."""
    rows: list[tuple[object, ...]] = []
    problems: list[Problem] = []
    lists = inventory.of_kind("split_list")
    for file, entry in sorted(lists, key=lambda item: place_order(item[1], layout)):
        faults = Faults(entry.path)
        split = split_of(entry.name)
        for row, line in _lines(inventory.root, entry, faults):
            rows.append((file, row, *_split_row(row, line, faults), split))
        problems += faults.problems
    return raw_table("list_entries", rows), problems


def _split_row(row: int, line: str, faults: Faults) -> tuple[str, str | None, str | None]:
    """The text of the id, the id, the activity."""
    match = _LIST_ROW.fullmatch(line)
    if match is None or _DAMAGED.search(line) or _SECOND_ID.search(match.group(2)):
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line.strip())
        faults.add(BAD_SPLIT_LINE, row=row, found=shown, expected="p0002_r001_a007,activity")
        return line.strip(), None, None
    raw, activity = match.group(1).strip('"'), match.group(2).strip('"')
    if not activity:
        faults.add(NO_ACTIVITY, row=row, found=line.strip(), expected="p0002_r001_a007,activity")
    return raw, _sequence(raw, row, faults), activity or None


def _sequence(raw: str, row: int, faults: Faults) -> str | None:
    try:
        return str(SequenceId.parse(raw))
    except LabelError:
        header = row == 1 and not any(c.isdigit() for c in raw)
        hint = "a header? the lists have none: remove the line" if header else ""
        faults.add(NOT_A_SEQUENCE, row=row, found=raw, expected="like p0002_r001_a007", hint=hint)
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
            faults.add(SECOND_LIST, found=f"differs from {used[kind][0]}", expected="one list")
        problems += faults.problems
    return raw_table("class_entries", rows), problems


def _class_rows(lines: list[tuple[int, str]], faults: Faults) -> list[tuple[int, int, str]]:
    numbered = [(row, line, _NUMBERED.fullmatch(line.strip())) for row, line in lines]
    if lines and not any(match for _, _, match in numbered):
        faults.add(BARE_NAMES, found="bare names", expected="`1 name` or `1,name`")
        return [(row, place, line.strip()) for place, (row, line) in enumerate(lines, start=1)]
    rows = []
    for row, line, match in numbered:
        if match is None:
            faults.add(BAD_CLASS_LINE, row=row, found=line.strip(), expected="`1 name` or `1,name`")
        else:
            rows.append((row, int(match.group(1)), match.group(2).strip('"')))
    return rows
