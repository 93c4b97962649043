"""Files that no reader takes, or that lie where they do not belong."""

from __future__ import annotations

from collections.abc import Iterator

from homage_sdk.errors import Place
from homage_sdk.problems import Problem
from homage_sdk.release.codes import fault
from homage_sdk.release.files.duplicates import at_home
from homage_sdk.release.files.inventory import FileEntry, Inventory
from homage_sdk.release.files.layouts import Layout, sequence_in
from homage_sdk.release.files.unfinished import is_unfinished, unpacked_name


def strays(inventory: Inventory, layout: Layout) -> Iterator[Problem]:
    """Archives, unfinished downloads, label-like files, files in another participant's folder."""
    there: set[str] = set()
    for _, entry in inventory.of_kind("other"):
        stem = unpacked_name(entry.name)
        size = f"{entry.bytes:,} bytes"
        if is_unfinished(entry.name):
            yield _stray("HOM141", entry, size, "a whole file")
        elif stem is not None:
            there = there or _names(inventory)
            beside = f"{entry.path[: -len(entry.name)]}{stem}"
            if beside not in there:
                yield _stray("HOM140", entry, size, beside)
        elif at_home(entry, layout) and entry.name.lower().endswith((".json", ".csv")):
            yield _stray("HOM108", entry, entry.name)
    for entry in inventory.files:
        if entry.kind in ("atomic_actions", "scene_graphs", "video", "sensor"):
            yield from _misplaced(entry)


def _misplaced(entry: FileEntry) -> Iterator[Problem]:
    parent = entry.path.rsplit("/", 2)[-2] if "/" in entry.path else ""
    sequence = sequence_in(entry.name)
    if sequence is None or not (parent[:1] == "p" and parent[1:].isdigit()):
        return
    folder = sequence.split("_", 1)[0]
    if parent != folder:
        yield _stray("HOM131", entry, parent, folder)


def _stray(code: str, entry: FileEntry, found: str, expected: str = "") -> Problem:
    place = Place(entry.path, sequence=sequence_in(entry.name) or "")
    return fault(code, place, found=found, expected=expected)


def _names(inventory: Inventory) -> set[str]:
    """The paths of all files and of the folders that they lie in."""
    names: set[str] = set()
    for entry in inventory.files:
        path = entry.path
        while path and path not in names:
            names.add(path)
            path = path.rpartition("/")[0]
    return names
