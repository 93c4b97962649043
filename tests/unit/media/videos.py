"""Tiny videos whose every frame carries its own number, readable through any lossy codec.

The number is a barcode of 12 bits and their complements: two rows of 12 cells, black or white.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 12


def picture(number: int, width: int, height: int) -> np.ndarray:
    """uint8 [H, W, 3]: the frame's number as a barcode over the whole picture."""
    bits = [(number >> b) & 1 for b in range(BITS)]
    rows = np.array([bits, [1 - b for b in bits]], dtype=np.uint8) * 215 + 20
    ys = np.arange(height) * 2 // height
    xs = np.arange(width) * BITS // width
    return np.repeat(rows[ys][:, xs][:, :, None], 3, axis=2)


def number_of(image: np.ndarray) -> int:
    """The number burned into a picture (of any size); -1 when the two rows disagree."""
    height, width = image.shape[:2]
    grey = image.astype(np.float64).mean(axis=2)
    xs = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    top, bottom = grey[height // 4, xs] > 128, grey[height * 3 // 4, xs] > 128
    if (top == bottom).any():
        return -1
    return int(sum(1 << b for b in range(BITS) if top[b]))


def write_video(
    path: Path,
    *,
    frames: int = 90,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] = (96, 64),
    gop: int = 12,
    b_frames: int = 0,
    start_s: float = 0.0,
    pts_s: list[float] | None = None,
    rotation: int = 0,
    audio: bool = False,
    audio_start_s: float = 0.0,
    audio_codec: str = "aac",
    tone_at: tuple[float, float] | None = None,
    seconds_of_audio: float | None = None,
    sound: np.ndarray | None = None,
    options: dict[str, str] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    extra_options: dict[str, str] | None = None,
    first_number: int = 0,
    rate: int = 16000,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a barcode video; ``pts_s`` gives each frame's time for a variable rate."""
    width, height = size
    clock = Fraction(1, 90000) if codec == "libx264" else Fraction(1, 30)
    with av.open(str(path), "w", options=options or {}) as out:
        video = out.add_stream(codec, rate=fps)
        video.width, video.height, video.pix_fmt = width, height, pixels
        video.codec_context.gop_size = gop
        video.codec_context.time_base = clock
        video.time_base = clock
        video.codec_context.max_b_frames = b_frames
        video.codec_context.thread_count = 1
        if metadata:
            video.metadata.update(metadata)
        if codec == "libx264":
            video.options = {
                "preset": "fast",
                "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={b_frames}"
                f":b-adapt=0:b-pyramid={'normal' if b_frames > 1 else 'none'}",
                **(extra_options or {}),
            }
        elif extra_options:
            video.options = extra_options
        if rotation:
            video.set_display_rotation(rotation)
        track = out.add_stream(audio_codec, rate=rate) if audio else None
        if track is not None:
            track.codec_context.layout = "mono"
        for n in range(frames):
            upright = (height, width) if rotation in (90, 270) else (width, height)
            stored = np.rot90(picture(first_number + n, *upright), -rotation // 90)
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(stored), format="rgb24"
            ).reformat(format=pixels)
            t = pts_s[n] if pts_s is not None else float(n / fps)
            frame.pts, frame.time_base = round((t + start_s) / clock), clock
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if track is not None:
            length = seconds_of_audio or (pts_s[-1] if pts_s is not None else float(frames / fps))
            wave = tone(length, tone_at or (0.0, length), rate) if sound is None else sound
            samples = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            samples.sample_rate = rate
            samples.pts, samples.time_base = (
                round((audio_start_s + start_s) * rate),
                Fraction(1, rate),
            )
            resampler = av.AudioResampler(format=track.format.name, layout="mono", rate=rate)
            for part in resampler.resample(samples):
                out.mux(track.encode(part))
            out.mux(track.encode(None))
    return path


def tone(seconds: float, at: tuple[float, float], rate: int) -> np.ndarray:
    """float32 [S]: silence, and 440 Hz within ``at``."""
    t = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * 440 * t) * 0.5
    return np.where((t >= at[0]) & (t < at[1]), wave, 0.0).astype(np.float32)


def remux(path: Path, source: Path, change: Callable[[av.Packet], av.Packet | None]) -> Path:
    """The packets of ``source`` in a new file, each as ``change`` gives it; None leaves one out."""
    with av.open(str(source)) as read, av.open(str(path), "w") as out:
        tracks = {s.index: out.add_stream_from_template(s) for s in read.streams}
        for packet in read.demux():
            if packet.dts is None and packet.pts is None:
                continue
            track = tracks[packet.stream.index]
            changed = change(packet)
            if changed is not None:
                changed.stream = track
                out.mux(changed)
    return path


def like(packet: av.Packet, data: bytes) -> av.Packet:
    """A packet of other bytes in the place of ``packet``."""
    other = av.Packet(data)
    for name in ("pts", "dts", "time_base", "duration", "is_keyframe"):
        setattr(other, name, getattr(packet, name))
    return other
