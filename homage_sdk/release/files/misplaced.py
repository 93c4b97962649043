"""Files that no reader takes: not unpacked, not finished, not where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from homage_sdk.problems import Code, Place, Problem, Severity
from homage_sdk.release.files.duplicates import at_home
from homage_sdk.release.files.inventory import FileEntry, Inventory
from homage_sdk.release.files.layouts import (
    OTHER_MEDIA_SUFFIXES,
    VIDEO_SUFFIXES,
    Layout,
    sequence_in,
)

_ARCHIVE = re.compile(
    r"(?P<stem>.+?)(?:\.part\d+)?(?:\.tar)?"
    r"\.(?:zip|z\d\d|tar|tgz|tbz2?|txz|7z|rar|r\d\d|gz|bz2|xz|zst)(?:\.\d{2,3})?",
    re.I,
)
_UNFINISHED = (
    *(".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".aria2"),
    *(".unconfirmed", ".!qb", ".!ut"),
)

NOT_RECOGNISED = Code(
    "HOM108",
    "file not recognised",
    severity=Severity.INFO,
    why="A label-like file (.json, .csv) whose name fits nothing of a release. It was not read.",
    hint="rename it if it belongs to the release",
    example="annotation_files/atomic_actions/notes.json",
)
OTHER_FOLDER = Code(
    "HOM131",
    "file lies in another participant's folder",
    severity=Severity.WARNING,
    why="The folder names one participant and the file another. The file's own name is believed.",
    hint="move it to its participant's folder",
    example="annotation_files/atomic_actions/p0003/p0002_r001_a007__aa.json",
)
NOT_UNPACKED = Code(
    "HOM140",
    "archive not unpacked",
    severity=Severity.WARNING,
    why="A packed file, and nothing of its name beside it: what it holds is not there to be read.",
    hint="unpack it where it lies, then run the same command again",
    example="annotation_files.zip, and no folder annotation_files",
)
NOT_FINISHED = Code(
    "HOM141",
    "download not finished",
    severity=Severity.WARNING,
    why="The name is one that browsers and download tools give to a file while it comes in. "
    "What is there of it is not read.",
    hint="let the download finish, or start it again",
    example="p0002_r000_v000_a000.mkv.crdownload",
)

NOT_HANDLED = Code(
    "HOM145",
    "kind of media file not handled",
    severity=Severity.WARNING,
    why="The name is a view's or a sequence's, and the suffix is one of a container or a sound "
    "file that is not read. It is left out: the view counts as one without a video.",
    hint="put it into a container that is read: ffmpeg -fflags +genpts -i IN -c copy OUT.mkv",
    example="action_split_data/V1.0/p0002/p0002_r000_v000_a000.ts",
)


def strays(inventory: Inventory, layout: Layout) -> Iterator[Problem]:
    """Archives, unfinished downloads, label-like files, files in another participant's folder."""
    there: set[str] = set()
    for _, entry in inventory.of_kind("other"):
        stem = unpacked_name(entry.name)
        size = f"{entry.bytes:,} bytes"
        if is_unfinished(entry.name):
            yield _stray(NOT_FINISHED, entry, size, "a whole file")
        elif stem is not None:
            there = there or _names(inventory)
            beside = f"{entry.path[: -len(entry.name)]}{stem}"
            if beside not in there:
                yield _stray(NOT_UNPACKED, entry, size, beside)
        elif entry.name.lower().endswith(OTHER_MEDIA_SUFFIXES) and sequence_in(entry.name):
            yield _stray(NOT_HANDLED, entry, entry.name, f"one of {', '.join(VIDEO_SUFFIXES)}")
        elif at_home(entry, layout) and entry.name.lower().endswith((".json", ".csv")):
            yield _stray(NOT_RECOGNISED, entry, entry.name)
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
        yield _stray(OTHER_FOLDER, entry, parent, folder)


def _stray(code: Code, entry: FileEntry, found: str, expected: str = "") -> Problem:
    place = Place(entry.path, sequence=sequence_in(entry.name) or "")
    return code.at(place, found=found, expected=expected)


def _names(inventory: Inventory) -> set[str]:
    """The paths of all files and of the folders that they lie in."""
    names: set[str] = set()
    for entry in inventory.files:
        path = entry.path
        while path and path not in names:
            names.add(path)
            path = path.rpartition("/")[0]
    return names


def unpacked_name(name: str) -> str | None:
    """What an archive is called when it is unpacked; None for what is no archive.

    >>> unpacked_name("annotation_files.tar.gz"), unpacked_name("V1.0.zip.003")
    ('annotation_files', 'V1.0')
    >>> unpacked_name("p0002_r001_a007__aa.json")
    """
    match = _ARCHIVE.fullmatch(name)
    return match["stem"] if match else None


def is_unfinished(name: str) -> bool:
    """Whether a download tool still writes, or gave up writing, a file of this name."""
    return name.lower().endswith(_UNFINISHED)
