"""Releases of a few label files, written with the standard library alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDERS = {
    "hacgen": (
        "list_with_activity_labels",
        "annotation_files/atomic_actions",
        "annotation_files/scene_graphs",
        "action_split_data/V1.0",
        "__",
    ),
    "videoshift": (
        "activity_lists",
        "annotations/atomic_actions",
        "annotations/scene_graph_annotations",
        "ego-and-3rd-person-view",
        "_",
    ),
}


def action(name: str = "take cup", first: Any = 1, last: Any = 30) -> dict[str, Any]:
    length = last - first + 1 if isinstance(first, int) and isinstance(last, int) else 1
    return {"class": name, "frame_start": first, "frame_end": last, "action_length": length}


def graph(number: Any = 1, **changes: Any) -> dict[str, Any]:
    return {
        "frame": number,
        "objects": [
            {"id": 0, "category": "person", "bbox": [10, 10, 60, 90]},
            {"id": 3, "category": "cup", "bbox": [50.5, 40, 70, 60]},
        ],
        "relationships": [{"subject": 0, "object": 3, "category": "holding"}],
    } | changes


def document(video: str, *frames: dict[str, Any]) -> dict[str, Any]:
    return {"video": video, "width": 640, "height": 480, "frames": list(frames)}


class Tiny:
    """A release that grows call by call; every writer returns the file."""

    def __init__(self, root: Path, layout: str = "hacgen") -> None:
        self.root = root
        parts = FOLDERS[layout]
        self.lists, self.atomic, self.graphs, self.videos = (root / part for part in parts[:4])
        self.gap = parts[4]
        root.mkdir(parents=True, exist_ok=True)

    def put(self, file: Path, data: bytes | str) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        return file

    def list(self, split: str, *lines: str) -> Path:
        return self.put(self.lists / f"{split}_list.csv", "".join(f"{line}\n" for line in lines))

    def classes(self, name: str, *lines: str) -> Path:
        return self.put(self.lists / name, "".join(f"{line}\n" for line in lines))

    def actions(self, sequence: str, *items: Any, raw: bytes | str | None = None) -> Path:
        file = self.atomic / sequence[:5] / f"{sequence}{self.gap}aa.json"
        return self.put(file, json.dumps(list(items)) if raw is None else raw)

    def scene(self, view: str, *frames: Any, raw: bytes | str | None = None) -> Path:
        file = self.graphs / view[:5] / f"{view}{self.gap}sg.json"
        return self.put(file, json.dumps(document(view, *frames)) if raw is None else raw)

    def video(
        self, view: str, data: bytes = b"\x1a\x45\xdf\xa3 no real video", suffix: str = ".mkv"
    ) -> Path:
        return self.put(self.videos / view[:5] / f"{view}{suffix}", data)


def whole(root: Path, layout: str = "hacgen") -> Tiny:
    """Two sequences with everything but readable videos."""
    tiny = Tiny(root, layout)
    tiny.list("train", "p0001_r001_a001,make_tea")
    tiny.list("test", "p0002_r001_a002,fold_towel")
    tiny.classes("classInd.txt", "1 make_tea", "2 fold_towel")
    tiny.classes("classInd_atomic.txt", "1 take_cup", "2 wash/dry_cup")
    for sequence in ("p0001_r001_a001", "p0002_r001_a002"):
        tiny.actions(sequence, action(), action("wash/dry cup", 16, 90))
        tiny.scene(sequence.replace("_a", "_v001_a"), graph(1), graph(16), graph(30))
    return tiny
