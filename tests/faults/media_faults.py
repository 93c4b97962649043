"""Faults in videos, made by remuxing the clean ones packet by packet."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.faults.file_faults import unannotated_video
from tests.faults.kit import At, Copy, fault


def _remux(
    source: Path,
    target: Path,
    *,
    change: Callable[[str, int, Any], Any] = lambda kind, index, packet: packet,
    sound: bool = True,
    tags: dict[str, str] | None = None,
) -> None:
    """Copy packets; ``change(kind, index, packet)`` returns the packet to write, or None."""
    with av.open(str(source)) as inside, av.open(str(target), "w", format="matroska") as out:
        streams = [s for s in inside.streams if s.type == "video" or (sound and s.type == "audio")]
        to = {stream.index: out.add_stream_from_template(stream) for stream in streams}
        for stream in streams:
            if tags and stream.type == "video":
                to[stream.index].metadata.update(tags)
        out.start_encoding()
        counts = {stream.index: 0 for stream in streams}
        for packet in inside.demux(streams):
            if packet.size == 0:
                continue
            if packet.dts is None:  # not known before the first B-frames; in order is enough
                packet.dts = packet.pts - 2 * packet.duration if packet.duration else packet.pts
            index = counts[packet.stream.index]
            counts[packet.stream.index] += 1
            kind, at = packet.stream.type, packet.stream.index
            changed = change(kind, index, packet)
            if changed is not None:
                changed.stream = to[at]
                out.mux(changed)


def remade(copy: Copy, path: str, **how: Any) -> At:
    """Replace a video by a remuxed one."""
    old = copy.root / path
    new = old.with_name("new.tmp")
    _remux(old, new, **how)
    copy.write(path, new.read_bytes())
    new.unlink()
    return At(path)


def _shifted(kind: str, seconds: Fraction) -> Callable[[str, int, Any], Any]:
    def change(of: str, index: int, packet: Any) -> Any:
        if kind in (of, "both"):
            ticks = int(seconds / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        return packet

    return change


def _encode(path: Path, *, frames: int, fps: int = 30, size: tuple[int, int] = (96, 72)) -> None:
    """A grey video with silence."""
    with av.open(str(path), "w", format="matroska") as out:
        video = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        sound = out.add_stream("aac", rate=16000, layout="mono")
        for index in range(frames):
            picture = np.full((size[1], size[0], 3), (index * 5) % 255, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        samples = np.zeros((1, 16000 * frames // fps), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 16000
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
        out.mux(video.encode(None))


def _frames(copy: Copy, path: str) -> int:
    with av.open(str(copy.root / path)) as container:
        return sum(packet.dts is not None for packet in container.demux(video=0))


def _encoded(copy: Copy, path: str, **how: Any) -> At:
    new = copy.root / "new.tmp"
    _encode(new, **how)
    copy.write(path, new.read_bytes())
    new.unlink()
    return At(path)


def _overwritten(kind: str, index: int, packet: Any) -> Any:
    if kind != "video" or index != 7:
        return packet
    noise = np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8).tobytes()
    other = av.Packet(bytes(packet)[:5] + noise)
    for name in ("pts", "dts", "time_base", "duration", "is_keyframe"):
        setattr(other, name, getattr(packet, name))
    return other


@fault("HOM616", deep=True)
def one_packet_overwritten(copy: Copy) -> At:
    return remade(copy, unannotated_video(copy), change=_overwritten)


@fault("HOM160", deep=True)
def random_bytes(copy: Copy) -> At:
    noise = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    return At(copy.write(unannotated_video(copy), noise))


@fault("HOM600", deep=True)
def cut_in_the_middle(copy: Copy) -> At:
    path = unannotated_video(copy)
    data = copy.read(path)
    return At(copy.write(path, data[: len(data) * 6 // 10]))


def _sound_only(kind: str, index: int, packet: Any) -> Any:
    return packet if kind == "audio" else None


@fault("HOM601", deep=True)
def sound_without_pictures(copy: Copy) -> At:
    return remade(copy, unannotated_video(copy), change=_sound_only)


@fault("HOM602", deep=True)
def one_view_longer(copy: Copy) -> At:
    path = unannotated_video(copy)
    return _encoded(copy, path, frames=_frames(copy, path) + 60)


@fault("HOM603", deep=True)
def sound_gone(copy: Copy) -> At:
    return remade(copy, unannotated_video(copy), sound=False)


@fault("HOM604", deep=True)
def starts_after_a_second(copy: Copy) -> At:
    return remade(copy, unannotated_video(copy), change=_shifted("both", Fraction(1)))


@fault("HOM605", deep=True)
def sound_after_a_second(copy: Copy) -> At:
    return remade(copy, unannotated_video(copy), change=_shifted("audio", Fraction(1)))


@fault("HOM606", deep=True)
def milliseconds_for_frames(copy: Copy) -> At:
    return remade(copy, unannotated_video(copy), tags={"NUMBER_OF_FRAMES": "47342"})


@fault("HOM607", deep=True)
def film_rate(copy: Copy) -> At:
    path = unannotated_video(copy)
    return _encoded(copy, path, frames=_frames(copy, path) * 24 // 30, fps=24)


@fault("HOM608", deep=True)
def other_size(copy: Copy) -> At:
    path = unannotated_video(copy)
    return _encoded(copy, path, frames=_frames(copy, path), size=(64, 48))


@fault("HOM609", deep=True)
def shared_timestamps(copy: Copy) -> At:
    path = unannotated_video(copy)
    copy_of: dict[int, int] = {}

    def repeat(kind: str, index: int, packet: Any) -> Any:
        if kind == "video" and index in (60, 62):
            packet.pts = copy_of[0]
        copy_of[0] = packet.pts if kind == "video" else copy_of.get(0, 0)
        return packet

    return remade(copy, path, change=repeat)


@fault("HOM610", deep=True)
def damaged_packets(copy: Copy) -> At:
    def damage(kind: str, index: int, packet: Any) -> Any:
        if kind != "video":
            return packet
        damaged = av.Packet(b"\x00" * packet.size)
        damaged.pts, damaged.dts = packet.pts, packet.dts
        damaged.time_base, damaged.is_keyframe = packet.time_base, packet.is_keyframe
        return damaged

    return remade(copy, unannotated_video(copy), change=damage)


@fault("HOM614", deep=True)
def lost_pictures(copy: Copy) -> At:
    def lose(kind: str, index: int, packet: Any) -> Any:
        return None if kind == "video" and index in (60, 61) else packet

    return remade(copy, unannotated_video(copy), change=lose)


@fault("HOM615", deep=True)
def lost_sound(copy: Copy) -> At:
    def lose(kind: str, index: int, packet: Any) -> Any:
        return None if kind == "audio" and 20 <= index < 30 else packet

    return remade(copy, unannotated_video(copy), change=lose)


@fault("HOM611", deep=True)
def three_second_sequence(copy: Copy) -> list[At]:
    """All views of a sequence last three seconds, and its labels say so."""
    actions = copy.actions[0]
    sequence = copy.sequence(actions)
    copy.remove(*copy.of(sequence, copy.graphs), *copy.of(sequence, copy.sensors))
    names = sorted({action["class"] for action in copy.json(actions)})
    copy.write_json(
        actions,
        [{"class": name, "frame_start": 1, "frame_end": 60, "action_length": 60} for name in names],
    )
    return [_encoded(copy, path, frames=90) for path in copy.of(sequence, copy.videos)]


@fault("HOM612")
def ego_view_gone(copy: Copy) -> At:
    path = next(p for p in copy.videos if len(copy.of(copy.sequence(p), copy.videos)) > 2)
    first, *_ = copy.of(copy.sequence(path), copy.videos)
    assert "_v000_" in first
    copy.remove(first)
    return At(copy.of(copy.sequence(path), copy.videos)[0])


@fault("HOM613")
def ego_view_only(copy: Copy) -> At:
    sequence = copy.sequence(copy.videos[0])
    copy.remove(*copy.of(sequence, copy.videos)[1:], *copy.of(sequence, copy.graphs))
    return At(copy.of(sequence, copy.videos)[0])


FAULTS = (
    random_bytes,
    one_packet_overwritten,
    cut_in_the_middle,
    sound_without_pictures,
    one_view_longer,
    sound_gone,
    starts_after_a_second,
    sound_after_a_second,
    milliseconds_for_frames,
    film_rate,
    other_size,
    shared_timestamps,
    damaged_packets,
    lost_pictures,
    lost_sound,
    three_second_sequence,
    ego_view_gone,
    ego_view_only,
)
