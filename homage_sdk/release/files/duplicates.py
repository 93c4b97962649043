"""Which file is read where several carry the labels or the video of the same id."""

from __future__ import annotations

from collections.abc import Callable

from homage_sdk.problems import Code
from homage_sdk.release.files.inventory import FileEntry, Inventory
from homage_sdk.release.files.layouts import Layout, ids_in

KeyOf = Callable[[str], str | None]
"""What a file is about, by its name; None where the name does not say."""


SECOND_FILE = Code(
    "HOM132",
    "second file for the same thing",
    why="Two files carry the labels, the sensor or the video of the same id. The one in the "
    "layout's own folder is read, of several the one in fewest folders, then the first in order "
    "of path; the rest are left out.",
    hint="keep one of the two",
    example="p0002_r001_a007__aa.json and p0002_r001_a007_aa.json",
)


def first_of(inventory: Inventory, kind: str, key_of: KeyOf, layout: Layout) -> dict[str, str]:
    """The path that is read for each key: the one in the most regular place."""
    first: dict[str, str] = {}
    entries = (entry for _, entry in inventory.of_kind(kind))
    for entry in sorted(entries, key=lambda entry: place_order(entry, layout)):
        key = key_of(entry.name)
        if key is not None:
            first.setdefault(key, entry.path)
    return first


def place_order(entry: FileEntry, layout: Layout) -> tuple[bool, int, str]:
    """Sorts files: those in the layout's own folders first, of these those in fewest folders.

    A copy of a folder beside the original or in it so never comes before the original.
    """
    return not at_home(entry, layout), entry.path.count("/"), entry.path


def at_home(entry: FileEntry, layout: Layout) -> bool:
    """Whether a file lies in one of the layout's own folders."""
    return entry.path.split("/", 1)[0] in layout.folders


def name_key(name: str) -> str | None:
    """The view id in a name, else the sequence id."""
    sequence, view_id = ids_in(name)
    return view_id or sequence


def view_key(name: str) -> str | None:
    """The view id that a video's name is, with nothing but its suffix behind it."""
    view_id = ids_in(name)[1]
    return view_id if name.split(".", 1)[0] == view_id else None
