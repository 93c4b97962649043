"""Media with one blind change: a wrong picture is never handed out as good where ffmpeg notices.

Each base clip lies in its own container with its own codec; each case changes one of them at a
random place. What is judged is the road of the product: probe, decoding pass, rules, packing. The
undamaged pictures are those that a plain decoder gives for the unchanged file, by their time.
"""

from __future__ import annotations

import random
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from mutate_bytes import BYTES, changed

from homage_sdk.errors import HomageError, MediaError
from homage_sdk.ingest.probe import probe_videos
from homage_sdk.media.check_pictures import check_pictures
from homage_sdk.media.decoder import Decoder
from homage_sdk.media.probe import VideoProbe
from homage_sdk.media.soundtrack import check_sound
from homage_sdk.problems import Severity
from homage_sdk.release import read_release
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.packing.encode import chosen_frames, encode_sound, encode_view
from homage_sdk.validation import validate
from tests.ffmpeg import PROGRAM
from tests.unit.media.videos import like, remux, write_video
from tests.unit.release.tiny import Tiny

BLOCK = 8
TOLERANCE = 16
"""A picture is another one where the mean luma of a block of 8x8 pixels is off by more levels."""

PACKETS = ("dropped packet", "doubled packet", "edited pts")
KINDS = (*BYTES, *PACKETS)
OPTIONS = PackOptions(short_side=32, stride=1)
VIEW = "p0001_r001_v000_a001"
STRICT = ("-err_detect", "crccheck+bitstream+buffer+explode", "-xerror")

CLIPS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264 in mkv": (".mkv", {"audio": True}),
    "h264 with B-frames in mp4": (".mp4", {"b_frames": 3, "audio": True}),
    "h264 with open GOPs in mov": (
        ".mov",
        {"extra_options": {"x264-params": "keyint=12:min-keyint=1:bframes=3:open-gop=1"}},
    ),
    "mpeg4 in avi": (".avi", {"codec": "mpeg4"}),
    "vp8 in webm": (".webm", {"codec": "libvpx"}),
    "vp9 in webm": (".webm", {"codec": "libvpx-vp9"}),
    "hevc in mkv": (
        ".mkv",
        {"codec": "libx265", "extra_options": {"x265-params": "log-level=none"}},
    ),
    "mjpeg in mkv": (".mkv", {"codec": "mjpeg", "pixels": "yuvj420p"}),
}
REAL = "real"
REAL_PACKETS = 75


def make(folder: Path, real: Path | None) -> None:
    """Write the base clips; ``real``: a camera's clip, its first packets are copied."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (suffix, how) in CLIPS.items():
        plain = folder / f"plain{suffix}"
        write_video(plain, **{"frames": 60, "gop": 12, **how})
        remux(folder / f"{name}{suffix}", plain, lambda packet: packet)
        plain.unlink()
    if real is not None:
        count = iter(range(1_000_000))

        def first(packet: av.Packet) -> av.Packet | None:
            is_kept = packet.stream.type == "video" and next(count) < REAL_PACKETS
            return packet if is_kept else None

        remux(folder / f"{REAL}.mp4", real, first)


def luma(frame: av.VideoFrame) -> npt.NDArray[np.float64]:
    """Mean of each block: float64 [H / 8, W / 8]; what does not fill a block is left out."""
    plane = frame.planes[0]
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(frame.height, plane.line_size)
    high, wide = frame.height // BLOCK, frame.width // BLOCK
    blocks = rows[: high * BLOCK, : wide * BLOCK].reshape(high, BLOCK, wide, BLOCK)
    means: npt.NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return means


@dataclass(frozen=True, eq=False)
class Base:
    """An undamaged clip: when each picture is shown, and its blocks."""

    path: Path
    times_s: npt.NDArray[np.float64]
    pictures: npt.NDArray[np.float64]

    def is_right(self, time_s: float, picture: npt.NDArray[np.float64]) -> bool:
        """Whether this is what the clip shows at a time."""
        nearest = int(np.abs(self.times_s - time_s).argmin())
        if abs(self.times_s[nearest] - time_s) > 0.6 * float(np.diff(self.times_s).min()):
            return False
        own = self.pictures[nearest]
        return own.shape == picture.shape and float(np.abs(own - picture).max()) <= TOLERANCE


@cache
def base_of(path: Path) -> Base:
    """A clip, decoded by PyAV's plain loop."""
    with av.open(str(path)) as container:
        frames = sorted(
            (float(frame.pts * frame.time_base), n, luma(frame))
            for n, frame in enumerate(container.decode(video=0))
        )
    times, _, pictures = zip(*frames, strict=True)
    return Base(path, np.array(times), np.array(pictures))


def run(bases: Path, work: Path, seed: int, number: int) -> dict[str, Any]:
    """One case; see ``mutate.py`` for what is done with the answer."""
    draw = random.Random(f"media/{seed}/{number}")
    path = draw.choice(sorted(bases.iterdir()))
    base = base_of(path)
    tiny = Tiny(work / "release")
    tiny.list("train", "p0001_r001_a001,make_tea")
    file = tiny.video(VIEW, b"", path.suffix)
    while True:
        kind = draw.choice(KINDS)
        with suppress(av.FFmpegError):  # of a muxer that refuses such packets: another change
            write(file, path, kind, draw)
            break
    found: dict[str, Any] = {"base": path.stem, "change": kind}
    return found | judge(tiny, file, base)


def write(file: Path, source: Path, kind: str, draw: random.Random) -> None:
    """The changed clip. Raises what the muxer raises."""
    if kind in BYTES:
        file.write_bytes(changed(source.read_bytes(), kind, draw))
        return
    with av.open(str(source)) as container:
        n_packets = sum(bool(p.size) for p in container.demux(video=0))
    hit, shift = draw.randrange(n_packets), draw.choice((-40, -7, -1, 1, 5, 300))
    count = iter(range(1_000_000))

    def change(packet: av.Packet) -> av.Packet | None:
        if packet.stream.type != "video" or next(count) != hit:
            return packet
        if kind == "edited pts" and packet.pts is not None:
            packet.pts += shift * max(1, packet.duration or 1)
        return None if kind == "dropped packet" else packet

    if kind == "doubled packet":
        double(file, source, hit)
    else:
        remux(file, source, change)


def double(file: Path, source: Path, hit: int) -> None:
    """Copy packets, the video's packet ``hit`` twice."""
    with av.open(str(source)) as read, av.open(str(file), "w") as out:
        tracks = {s.index: out.add_stream_from_template(s) for s in read.streams}
        count = 0
        for packet in read.demux():
            if packet.dts is None and packet.pts is None:
                continue
            is_hit = packet.stream.type == "video" and count == hit
            count += packet.stream.type == "video"
            again = like(packet, bytes(packet))
            again.pts, again.dts = packet.pts + 1, packet.dts + 1
            again.stream = packet.stream = tracks[packet.stream.index]
            out.mux(packet)
            if is_hit:
                out.mux(again)


def judge(tiny: Tiny, file: Path, base: Base) -> dict[str, Any]:
    """What probing, decoding, rules and packing say of a clip, and what is wrong all the same."""
    name = file.relative_to(tiny.root).as_posix()
    outcome = probe_videos(tiny.root, [name], workers=1)[name]
    if isinstance(outcome, HomageError):
        return {"outcome": "refused"}
    checked = check_pictures(file, outcome.index, everything=True) if outcome.n_frames else None
    if checked is None:
        return {"outcome": "refused"}
    problems = validate(read_release(tiny.root), probes={name: outcome}, checked={name: checked})
    codes = {p.code for p in problems if p.place.file == name and p.severity is not Severity.INFO}
    sound = check_sound(file, everything=True)
    codes |= {"HOM619"} if sound is not None and (sound.n_lost or sound.fault) else set()
    said = sorted(codes - _codes_of(base.path))
    n_wrong, n_spared = compare(file, outcome, base, checked.positions)
    failures = packing(file, outcome, checked.positions)
    silent = not said and not checked.positions
    found = {
        "n_pictures": outcome.n_frames,
        "n_marked": len(checked.positions),
        "n_wrong": n_wrong,
        "n_right_and_marked": n_spared,
        "said": said,
    }
    if not n_wrong:
        return found | {"outcome": "harmless" if silent else "found", "failures": failures}
    if not silent:
        return found | {"outcome": "found in part", "failures": failures}
    if ffmpeg_notices(file):
        failures.append("ffmpeg with strict error detection notices what is missed")
    return found | {"outcome": "missed", "failures": failures}


@cache
def _codes_of(path: Path) -> frozenset[str]:
    """What the rules say of the undamaged clip."""
    with TemporaryDirectory() as folder:
        tiny = Tiny(Path(folder))
        tiny.list("train", "p0001_r001_a001,make_tea")
        name = tiny.video(VIEW, path.read_bytes(), path.suffix).relative_to(tiny.root).as_posix()
        probes = probe_videos(tiny.root, [name], workers=1)
        return frozenset(p.code for p in validate(read_release(tiny.root), probes=probes))


def compare(file: Path, probe: VideoProbe, base: Base, marked: set[int]) -> tuple[int, int]:
    """How many pictures are handed out and wrong, and how many are marked and decode to right."""
    index, n_wrong = probe.index, 0
    decoder = Decoder(file, index)
    try:
        for at in decoder.found(range(len(index))):
            if at.frame is not None:
                time_s = float(index.pts[at.position] * index.time_base)
                n_wrong += not base.is_right(time_s, luma(at.frame))
    finally:
        decoder.close()
    with av.open(str(file)) as container:
        plain = {}
        with suppress(av.FFmpegError):  # a plain decoder gives up
            for frame in container.decode(video=0):
                plain[frame.pts] = luma(frame)
    right = {
        int(n)
        for n in marked
        if (picture := plain.get(int(index.pts[n]))) is not None
        and base.is_right(float(index.pts[n] * index.time_base), picture)
    }
    return n_wrong, len(right)


def packing(file: Path, probe: VideoProbe, marked: set[int]) -> list[str]:
    """Where packing marks other pictures than the decoding pass, in words."""
    positions, there = chosen_frames(probe.index, 1, None, OPTIONS.stride)
    near = zip(positions.tolist(), there, strict=True)
    expected = {k for k, (p, is_near) in enumerate(near) if not is_near or p in marked}
    n_good = len(positions) - len(expected)
    try:
        *_, gaps = encode_view(file, probe.index, positions.tolist(), OPTIONS, there)
    except MediaError as error:
        is_due = n_good < max(1, OPTIONS.min_good * len(positions))
        return [] if is_due else [f"packing refuses what validation passes: {error}"]
    marks = {k for first, stop in gaps for k in range(first, stop)}
    if probe.has_audio:
        with suppress(MediaError):  # packing names the view and goes on
            encode_sound(file, 0.0, min(probe.duration_s, 10.0) or 1.0, OPTIONS)
    return [] if marks == expected else [f"marks differ: {sorted(marks ^ expected)}"]


def ffmpeg_notices(file: Path) -> bool:
    """Whether ffmpeg, told to be strict, reports anything or fails."""
    command = [PROGRAM, "-nostdin", "-v", "error", *STRICT, "-i", str(file)]
    done = subprocess.run(
        [*command, "-map", "0:v:0", "-f", "null", "-"], capture_output=True, check=False
    )
    return done.returncode != 0 or bool(done.stderr.strip())
