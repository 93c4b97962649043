"""Frames and sound to an .mkv as a camera would write it, with the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from homage_sdk.synth.audio.timbre import SAMPLE_RATE, Samples
from homage_sdk.synth.film.canvas import Picture
from homage_sdk.synth.world.timeline import FPS

_TICKS = 90_000
"""Clock ticks a second of the video track."""

_PRIMING = 1024
"""Samples an AAC encoder needs before its first: the picture waits for them, as on real files."""

_X264 = {
    "preset": "superfast",
    "crf": "24",
    "g": "250",
    "bf": "2",
    "threads": "1",
    "x264-params": "threads=1:lookahead_threads=1:rc-lookahead=10:sliced-threads=0",
}


@dataclass(frozen=True, slots=True)
class Track:
    """A sound track: samples at the synthesis rate, the microphone's gain, own noise and rate."""

    samples: Samples
    gain: float
    noise: np.random.Generator
    sample_rate: int


def write_video(
    path: Path,
    frames: Iterable[Picture],
    size: tuple[int, int],
    track: Track | None,
    *,
    lying_header: bool = False,
) -> None:
    """Encode RGB frames [H, W, 3] at 30 a second, H.264 with B-frames, and AAC sound.

    ``lying_header`` claims a thousand frames a second, so that a reader who multiplies duration by
    rate gets milliseconds for frames (FORMAT.md: seen on real files); the timestamps are right.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"fflags": "+bitexact"}
    with av.open(str(path), "w", format="matroska", container_options=options) as out:
        video = out.add_stream("libx264", rate=1000 if lying_header else FPS, options=dict(_X264))
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.thread_count = 1
        video.codec_context.time_base = Fraction(1, _TICKS)
        begin = _PRIMING * _TICKS // track.sample_rate if track is not None else 0
        video.codec_context.flags |= _BITEXACT
        sound = None
        if track is not None:
            sound = out.add_stream("aac", rate=track.sample_rate, layout="mono")
            sound.codec_context.options = {"aac_coder": "fast"}
            sound.codec_context.bit_rate = 64_000
            sound.codec_context.flags |= _BITEXACT
        chunks = _chunks(track) if track is not None else iter(())
        audio_s = 0.0
        for index, picture in enumerate(frames):
            while sound is not None and track is not None and audio_s <= index / FPS:
                chunk = next(chunks, None)
                if chunk is None:
                    break
                out.mux(sound.encode(chunk))
                audio_s += chunk.samples / track.sample_rate
            yuv: Picture = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).astype(
                np.uint8, copy=False
            )
            frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
            frame.pts = begin + index * (_TICKS // FPS)
            frame.time_base = Fraction(1, _TICKS)
            out.mux(video.encode(frame))
        if sound is not None:
            for chunk in chunks:
                out.mux(sound.encode(chunk))
            out.mux(sound.encode(None))
        out.mux(video.encode(None))


MICROPHONE_NOISE = 3e-4
"""What every microphone adds by itself; it also keeps the encoder out of denormal numbers."""

_BITEXACT = 1 << 23
"""AV_CODEC_FLAG_BITEXACT: no version string, no date, no random identifier."""


def _chunks(track: Track) -> Iterator[av.AudioFrame]:
    rate = track.sample_rate
    n = len(track.samples) * rate // SAMPLE_RATE
    at = np.arange(n) * (SAMPLE_RATE / rate)
    samples = np.interp(at, np.arange(len(track.samples)), track.samples).astype(np.float32)
    hiss = MICROPHONE_NOISE * track.noise.standard_normal(n, dtype=np.float32)
    samples = np.clip(samples * track.gain + hiss, -1, 1).astype(np.float32)
    step = 1024
    for begin in range(0, n, step):
        block: npt.NDArray[np.float32] = samples[begin : begin + step]
        frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        frame.pts = begin + _PRIMING
        frame.time_base = Fraction(1, rate)
        yield frame
