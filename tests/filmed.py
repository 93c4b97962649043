"""A release whose pictures carry their numbers: what pages of a sequence must show is known."""

from __future__ import annotations

import random
from pathlib import Path

import av
import numpy as np

from homage_sdk.ingest import ingest
from tests.unit.media.videos import like, remux, write_video
from tests.unit.release.tiny import Tiny, action, graph

SEQUENCE = "p0001_r001_a001"
HOSTILE = 'take </script><img src=x onerror="document.title=1"> & "cup"'
GAP_AFTER, GAP_FRAMES = 60, 30
"""View 2 holds no picture for a second after so many frames."""
DAMAGED = 72
"""The picture of view 3, 0-based, that does not decode, and those that refer to it."""


def filmed_catalog(
    folder: Path, *, frames: int = 150, hostile: bool = False, faults: bool = True
) -> Path:
    """A catalog of one sequence with five views; the last one has no readable video.

    Without ``faults`` there are four, whole and equally long.

    View 0 has sound (440 Hz from 1 to 2 s) and starts at 21 ms, view 1 is annotated and its
    pictures are not evenly spaced, view 2 has a gap, view 3 a damaged picture; it ends
    a second early.
    """
    size = (192, 128)
    tiny = Tiny(folder / "release")
    name = HOSTILE if hostile else "take cup"
    tiny.list("train", f"{SEQUENCE},make_tea")
    tiny.actions(
        SEQUENCE,
        action(name, 1, 30),
        action("pour tea", 31, 90),
        action("hold cup", 31, frames + 100),
        action("take spoon", 60, 120),
    )
    box = {"id": 4, "category": name, "bbox": [160, 240, 320, 480]}
    person = {"id": 0, "category": "person", "bbox": [64, 48, 320, 432]}
    relation = {"subject": 0, "object": 4, "category": "holding" if not hostile else HOSTILE}
    scene = {"objects": [person, box], "relationships": [relation]}
    view = SEQUENCE.replace("_a", "_v{:03d}_a")
    tiny.scene(view.format(1), graph(31, **scene), graph(91, **scene))
    paths = [tiny.video(view.format(k)) for k in range(5 if faults else 4)]
    draw = random.Random(1)
    extra = {"audio": True, "tone_at": (1.0, 2.0), "rate": 48_000}
    write_video(paths[0], frames=frames, size=size, start_s=0.021, **extra)
    write_video(
        paths[1],
        frames=frames,
        size=size,
        pts_s=[k / 30 + draw.uniform(0, 0.004) for k in range(frames)],
    )
    times = [k / 30 for k in range(frames)]
    if not faults:
        for path in paths[2:]:
            write_video(path, frames=frames, size=size)
        ingest(tiny.root, folder / "catalog")
        return folder / "catalog"
    kept = [t for k, t in enumerate(times) if not GAP_AFTER <= k < GAP_AFTER + GAP_FRAMES]
    write_video(paths[2], frames=len(kept), size=size, pts_s=kept)
    whole = write_video(folder / "whole.mkv", frames=frames - 30, size=size)
    count = iter(range(frames))
    noise = np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8).tobytes()

    def damage(packet: av.Packet) -> av.Packet:
        return like(packet, bytes(packet)[:5] + noise) if next(count) == DAMAGED else packet

    remux(paths[3], whole, damage)
    sensor = folder / "release" / "sensors" / f"{SEQUENCE}__gyro__head.csv"
    rows = "".join(f"{k / 50:.2f},{np.sin(k / 9):.4f},{k % 7}\n" for k in range(frames * 5 // 3))
    tiny.put(sensor, f"time_s,x,y\n{rows}")
    ingest(tiny.root, folder / "catalog")
    return folder / "catalog"
