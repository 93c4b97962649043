"""What a published layout is made of: the folders that give it away and how files are named.

Files are recognised by *name*, wherever they lie below the root, because downloads are partial and
people move folders. The layout decides what is expected where, and how a folder is detected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from homage_sdk.problems import Code

VIDEO_SUFFIXES = (".mkv", ".mp4", ".avi", ".mov", ".webm", ".m4v")

OTHER_MEDIA_SUFFIXES = (
    *(".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp"),
    *(".3g2", ".ogv", ".mxf", ".h264", ".264", ".h265", ".265", ".hevc", ".mjpeg", ".dv", ".gif"),
    *(".wav", ".mp3", ".flac", ".m4a", ".aac", ".ogg", ".opus", ".mka", ".wma"),
)
"""Of media that are not read: their timestamps, where they have any, were not tried."""

_SPLIT = re.compile(r"(train|val|valid|validation|test\w*?)_list\.(?:csv|txt)", re.I)
_CLASSES = (
    ("atomic", re.compile(r"class_?ind_?(?:atomic(?:_?actions?)?|aa)\.(?:txt|csv)", re.I)),
    ("object", re.compile(r"class_?ind_?objects?\.(?:txt|csv)|object_classes\.(?:txt|csv)", re.I)),
    (
        "relationship",
        re.compile(
            r"class_?ind_?(?:relationships?|predicates?)\.(?:txt|csv)"
            r"|(?:relationship|predicate)_classes\.(?:txt|csv)",
            re.I,
        ),
    ),
    ("activity", re.compile(r"class_?ind(?:_?activit(?:y|ies))?\.(?:txt|csv)", re.I)),
)
_P, _N = r"(?:\d{4}|[1-9]\d{4,8})", r"(?:\d{3}|[1-9]\d{3,8})"  # canonical: no spare zeros
_ID_IN_NAME = re.compile(rf"(?<![A-Za-z0-9])(p{_P}_r{_N})(_v{_N})?_(a{_N})(?!\d)", re.ASCII)


NO_ID = Code(
    "HOM130",
    "file name carries no id",
    why="A label, sensor or video file whose name holds no HOMAGE id, so that nothing says "
    "which sequence it belongs to. It is left out.",
    hint="rename it like its neighbours, e.g. p0002_r001_a007__aa.json",
    example="action_split_data/V1.0/p0002/kitchen.mkv, or p00002_r001_a007__aa.json",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """One published arrangement of folders (FORMAT.md). Paths are relative to the release root."""

    name: str
    lists: str
    atomic_actions: str
    scene_graphs: str
    videos: str
    sensors: str
    atomic_suffix: str

    @property
    def markers(self) -> tuple[str, ...]:
        """The folders that only this layout has."""
        return (self.lists, self.atomic_actions, self.videos)

    @property
    def folders(self) -> frozenset[str]:
        """The first path component of everything that this layout holds."""
        paths = (self.lists, self.atomic_actions, self.scene_graphs, self.videos, self.sensors)
        return frozenset(path.split("/", 1)[0] for path in paths)


LAYOUTS = (
    Layout(  # the original release: grade A for lists, labels and videos
        name="hacgen",
        lists="list_with_activity_labels",
        atomic_actions="annotation_files/atomic_actions",
        scene_graphs="annotation_files/scene_graphs",
        videos="action_split_data",
        sensors="sensors",
        atomic_suffix="__aa.json",
    ),
    Layout(  # the VideoShift release: grade B
        name="videoshift",
        lists="activity_lists",
        atomic_actions="annotations/atomic_actions",
        scene_graphs="annotations/scene_graph_annotations",
        videos="ego-and-3rd-person-view",
        sensors="sensors",
        atomic_suffix="_aa.json",
    ),
)
HACGEN, VIDEOSHIFT = LAYOUTS


def file_kind(name: str) -> str:
    """What a file is, by its name: a value of ``files.kind`` in records.py.

    >>> file_kind("p0002_r001_a007__aa.json"), file_kind("classInd_atomic.txt")
    ('atomic_actions', 'class_list')
    >>> file_kind("p0002_r000_v000_a000.mkv"), file_kind("notes.md")
    ('video', 'other')
    """
    lower = name.lower()
    if lower.endswith(VIDEO_SUFFIXES):
        return "video"
    if lower.endswith("_aa.json"):
        return "atomic_actions"
    if lower.endswith("_sg.json"):
        return "scene_graphs"
    if lower.endswith((".csv", ".txt")):
        if split_of(name) is not None:
            return "split_list"
        if class_kind_of(name) is not None:
            return "class_list"
        if "__" in name and lower.endswith(".csv"):
            return "sensor"
    return "other"


def split_of(name: str) -> str | None:
    """The split that a list's file name says: train, val, test (or testN, as named)."""
    match = _SPLIT.fullmatch(name)
    if match is None:
        return None
    split = match.group(1).lower()
    return "val" if split in ("valid", "validation") else split


def class_kind_of(name: str) -> str | None:
    """Which taxonomy a class list's file name says."""
    return next((kind for kind, pattern in _CLASSES if pattern.fullmatch(name)), None)


def sensor_of(name: str) -> tuple[str, str, str] | None:
    """Sequence, sensor and position of a sensor file's name.

    >>> sensor_of("p0002_r000_a000__acceleration__head.csv")
    ('p0002_r000_a000', 'acceleration', 'head')
    """
    sequence = sequence_in(name)
    parts = re.sub(r"\.csv$", "", name, flags=re.I).split("__")
    if sequence is None or len(parts) != 3 or parts[0] != sequence or not all(parts):
        return None
    return (sequence, parts[1], parts[2])


def view_in(name: str) -> str | None:
    """The view id within a file name; a wrongly padded one (p00002) is none."""
    return ids_in(name)[1]


def sequence_in(name: str) -> str | None:
    """The sequence id within a file name; of a view id, its sequence. Wrongly padded is none."""
    return ids_in(name)[0]


def view_number(view_id: str) -> int:
    """The number after ``v`` of a view id.

    >>> view_number("p0002_r001_v003_a007")
    3
    """
    return int(view_id.split("_")[2][1:])


@lru_cache(maxsize=1 << 15)
def ids_in(name: str) -> tuple[str | None, str | None]:
    """Sequence and view id within a file name, None where it holds none.

    >>> ids_in("p0002_r001_v003_a007__sg.json")
    ('p0002_r001_a007', 'p0002_r001_v003_a007')
    """
    match = _ID_IN_NAME.search(name)
    if match is None:
        return None, None
    head, view, take = match.groups()
    return f"{head}_{take}", match.group() if view else None
