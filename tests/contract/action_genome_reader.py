"""What a loader of Action Genome for training does, written from what is documented of STTran's.

It prepends the background to the object classes, writes its own spelling over fixed places of both
class lists, cuts the relationships at 3 and 9, reads the split of a frame from its first object,
and skips frames without a visible object or a person, and videos with fewer than three frames.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

OWN_OBJECTS = {
    **{9: "closet/cabinet", 11: "cup/glass/bottle", 23: "paper/notebook"},
    **{24: "phone/camera", 31: "sofa/couch"},
}
OWN_RELATIONSHIPS = {
    **{0: "looking_at", 1: "not_looking_at", 5: "in_front_of", 7: "on_the_side_of"},
    **{10: "covered_by", 11: "drinking_from", 13: "have_it_on_the_back", 15: "leaning_on"},
    **{16: "lying_on", 17: "not_contacting", 18: "other_relationship", 19: "sitting_on"},
    **{20: "standing_on", 25: "writing_on"},
}
KINDS = ("attention_relationship", "spatial_relationship", "contacting_relationship")


@dataclass
class Loaded:
    """Videos as lists of frames; a frame is its person's box and its objects."""

    classes: list[str]
    relationships: dict[str, list[str]]
    videos: dict[str, list[str]] = field(default_factory=dict)
    persons: dict[str, np.ndarray] = field(default_factory=dict)
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    skipped_frames: int = 0
    skipped_videos: list[str] = field(default_factory=list)


def load(folder: Path, mode: str) -> Loaded:
    """The frames of one split (``train`` or ``test``) as a model is given them."""
    classes = ["__background__", *(folder / "object_classes.txt").read_text().splitlines()]
    lines = (folder / "relationship_classes.txt").read_text().splitlines()
    for names, own in ((classes, OWN_OBJECTS), (lines, OWN_RELATIONSHIPS)):
        for place, name in own.items():
            names[place] = name
    groups = dict(zip(KINDS, (lines[0:3], lines[3:9], lines[9:]), strict=True))
    loaded = Loaded(classes, groups)
    persons = pickle.loads((folder / "person_bbox.pkl").read_bytes())
    objects = pickle.loads((folder / "object_bbox_and_relationship.pkl").read_bytes())
    by_video: dict[str, list[str]] = {}
    for name in persons:
        if objects[name][0]["metadata"]["set"] != mode:
            continue
        if any(each["visible"] for each in objects[name]) and len(persons[name]["bbox"]):
            by_video.setdefault(name.split("/")[0], []).append(name)
        else:
            loaded.skipped_frames += 1
    for video, names in by_video.items():
        if len(names) < 3:
            loaded.skipped_videos.append(video)
            continue
        loaded.videos[video] = names
        for name in names:
            loaded.persons[name] = persons[name]["bbox"]
            loaded.objects[name] = [
                {
                    "class": classes.index(each["class"]),
                    "bbox": _corners(*each["bbox"]),
                    **{kind: [groups[kind].index(word) for word in each[kind]] for kind in KINDS},
                }
                for each in objects[name]
                if each["visible"]
            ]
    return loaded


def _corners(x: float, y: float, w: float, h: float) -> tuple[float, ...]:
    return x, y, x + w, y + h
