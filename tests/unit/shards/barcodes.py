"""A tiny catalog whose videos carry their frame numbers: the oracle of packing and loading."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from tests.unit.media.videos import write_video

ACTIONS = ("take cup", "pour_tea", "fold towel/cloth")


def write_release(root: Path) -> Path:
    """Five sequences in the hacgen layout: every kind of absence, rates and lengths that differ."""
    lists = root / "list_with_activity_labels"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_text("1 make_tea\n2 fold_towels\n")
    classes = "".join(f"{n} {name.replace(' ', '_')}\n" for n, name in enumerate(ACTIONS, 1))
    (lists / "classInd_atomic.txt").write_text(classes)
    (lists / "train_list.csv").write_text(
        "p0001_r000_a000,make_tea\np0001_r000_a001,fold_towels\np0001_r001_a002,make_tea\n"
        "p0002_r000_a003,fold_towels\n"
    )
    (lists / "val_list.csv").write_text("p0003_r000_a004,make_tea\n")
    (lists / "test_list.csv").write_text("")
    made = {
        # ego with sound, two third-person views of other rates and a start that is not 0
        "p0001_r000_v000_a000": {"frames": 300, "audio": True, "tone_at": (3.0, 4.0)},
        "p0001_r000_v002_a000": {"frames": 300, "fps": Fraction(30000, 1001), "b_frames": 2},
        "p0001_r000_v005_a000": {"frames": 290, "start_s": 0.7, "gop": 100},
        # no ego view: the sound of the first view that has any
        "p0001_r000_v001_a001": {"frames": 200},
        "p0001_r000_v003_a001": {"frames": 200, "audio": True, "tone_at": (1.0, 2.0)},
        # too short for one clip, 25 frames a second
        "p0001_r001_v000_a002": {"frames": 50, "fps": Fraction(25)},
        # one view only, ego, without sound
        "p0002_r000_v000_a003": {"frames": 400, "b_frames": 3},
        "p0003_r000_v000_a004": {"frames": 330, "audio": True},
        "p0003_r000_v001_a004": {"frames": 330},
    }
    for name, how in made.items():
        folder = root / "action_split_data" / "V1.0" / name[:5]
        folder.mkdir(parents=True, exist_ok=True)
        write_video(folder / f"{name}.mkv", size=(192, 128), **how)
    actions = {
        "p0001_r000_a000": [(0, 1, 60), (1, 31, 150), (0, 151, 240)],
        "p0001_r000_a001": [(2, 1, 200)],
        "p0001_r001_a002": [(1, 1, 30), (0, 31, 60)],
        "p0003_r000_a004": [(2, 61, 120), (1, 121, 330)],
    }
    for sequence, rows in actions.items():
        folder = root / "annotation_files" / "atomic_actions" / sequence[:5]
        folder.mkdir(parents=True, exist_ok=True)
        labels = [
            {"class": ACTIONS[c], "frame_start": a, "frame_end": b, "action_length": b - a + 1}
            for c, a, b in rows
        ]
        (folder / f"{sequence}__aa.json").write_text(json.dumps(labels))
    graphs = root / "annotation_files" / "scene_graph_annotations" / "p0001"
    graphs.mkdir(parents=True)
    objects = [
        {"id": 7, "category": "person", "bbox": [10, 10, 90, 120]},
        {"id": 3, "category": "cup", "bbox": [96, 32, 192, 64]},
    ]
    relationships = [{"subject": 7, "object": 3, "category": "holding"}]
    frames = [
        {"frame": n, "objects": objects[: 1 + (n > 20)], "relationships": relationships[: n > 20]}
        for n in (10, 40, 44, 120, 200)
    ]
    document = {"video": "p0001_r000_v002_a000", "width": 192, "height": 128, "frames": frames}
    (graphs / "p0001_r000_v002_a000_sg.json").write_text(json.dumps(document))
    return root
