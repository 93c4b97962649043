"""Sound by time: the samples that were heard between two moments of a video.

Time 0 is the first video frame, as everywhere; a file without a picture starts at its first sample.
"""

from __future__ import annotations

from fractions import Fraction
from operator import index
from pathlib import Path
from typing import Any, BinaryIO, SupportsIndex

import av
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError, UsageError
from homage_sdk.media.probe import open_media, open_packed, reason

_WARM_UP_S = 0.25  # decoders of AAC, Opus and the resampler need some sound before they are right
_MAX_WINDOW_S = 6 * 3600
_HIGHEST_RATE = 768_000


def read_audio(
    path: Path | BinaryIO,
    begin_s: float,
    end_s: float,
    sample_rate: int = 16_000,
    *,
    video_start_s: float | None = None,
    place: str = "",
) -> npt.NDArray[np.float32]:
    """Mono sound from ``begin_s`` up to ``end_s``, in seconds after the first video frame.

    Moments before the sound starts or after it ends are silence, so the length depends on the
    window alone. Exact to the file's clock: to a millisecond in .mkv.

    Args:
        path: a video or sound file, or an open FLAC file.
        begin_s: may be negative.
        end_s: later than ``begin_s``.
        sample_rate: of the result, in Hz; resampled where the file has another.
        video_start_s: when the first video frame appears on the file's clock, where known (the
            catalog's ``start_time_s``); measured from the file when left out.
        place: for errors: what an open file is.

    Returns:
        float32 [S] within -1..1, ``S = round(end_s * sample_rate) - round(begin_s * sample_rate)``.

    Raises:
        UsageError: no such rate.
        MediaError: the file is missing, damaged or has no sound.

    """
    sample_rate = _rate(sample_rate)
    if not begin_s < end_s < begin_s + _MAX_WINDOW_S:
        raise MediaError("not a window of time", found=f"{begin_s} s to {end_s} s")
    first, last = round(begin_s * sample_rate), round(end_s * sample_rate)
    out = np.zeros(last - first, dtype=np.float32)
    if not place and isinstance(path, Path | str):
        place = str(path)
    with _open(path, place) as container:
        if not container.streams.audio:
            raise MediaError("no sound in this file", place=place)
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        base = stream.time_base or Fraction(1, 1000)
        try:
            zero_s = _video_start(container) if video_start_s is None else video_start_s
            _seek(container, stream, begin_s + zero_s - _WARM_UP_S)
            resampler: av.AudioResampler | None = None
            at: int | None = None  # position in samples of what comes next
            for frame in container.decode(stream):
                if frame.pts is None:
                    continue
                start_s = frame.pts * float(frame.time_base or base) - zero_s
                if start_s >= end_s:
                    break
                if at is None:
                    at = round(start_s * sample_rate)
                if resampler is None and (ready := _samples(frame, sample_rate)) is not None:
                    at = _paste(out, ready, at, first)
                    continue
                if resampler is None:
                    resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate)
                frame.pts = None
                for part in resampler.resample(frame):
                    at = _paste(out, part.to_ndarray().reshape(-1), at, first)
            for part in resampler.resample(None) if resampler else ():
                at = _paste(out, part.to_ndarray().reshape(-1), at or 0, first)
        except (av.FFmpegError, OSError) as error:
            raise MediaError(
                "the sound cannot be decoded",
                place=place,
                found=reason(error),
                hint="the file is damaged: copy it again",
            ) from error
    return out


def _rate(sample_rate: int) -> int:
    """What sound may be sampled at; numpy's whole numbers too."""
    if not isinstance(sample_rate, SupportsIndex) or not 1 <= index(sample_rate) <= _HIGHEST_RATE:
        raise UsageError(
            "not a sample rate",
            found=repr(sample_rate),
            expected=f"1 to {_HIGHEST_RATE:,} a second",
        )
    return index(sample_rate)


def _samples(frame: av.AudioFrame, sample_rate: int) -> npt.NDArray[np.int16] | None:
    """What a frame holds where it needs no resampling: packed sound is mono of 16 bits."""
    if (frame.format.name, frame.sample_rate) != ("s16", sample_rate):
        return None
    if frame.layout.name != "mono":
        return None
    plane: Any = frame.planes[0]
    return np.frombuffer(plane, np.int16, frame.samples)


def _paste(
    out: npt.NDArray[np.float32],
    samples: npt.NDArray[Any],
    at: int,
    first: int,
) -> int:
    """Copy what lies within ``out``, which begins at ``first``; 16 bits become -1..1."""
    begin, end = max(at, first), min(at + len(samples), first + len(out))
    if begin < end:
        scale = np.float32(1 / 32768 if samples.dtype == np.int16 else 1)
        np.multiply(samples[begin - at : end - at], scale, out=out[begin - first : end - first])
    return at + len(samples)


def _open(path: Path | BinaryIO, place: str) -> av.container.InputContainer:
    if isinstance(path, Path | str):
        return open_media(Path(path))
    if path.read(4) != b"fLaC":
        raise MediaError("not a sound file", place=place, expected="FLAC")
    path.seek(0)
    try:
        return open_packed(path, "flac")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError("not a sound file", place=place, found=reason(error)) from error


def _video_start(container: av.container.InputContainer) -> float:
    """The first video frame's pts, in seconds; the first sound's where there is no picture."""
    stream = (container.streams.video or container.streams.audio)[0]
    smallest: Fraction | None = None
    for count, packet in enumerate(container.demux(stream)):
        if packet.pts is not None and packet.time_base and not packet.is_discard:
            pts = packet.pts * packet.time_base
            smallest = pts if smallest is None else min(smallest, pts)
        if count >= 16:  # B-frames: the first in presentation order is among the first packets
            break
    return float(smallest or 0)


def _seek(container: av.container.InputContainer, stream: av.AudioStream, seconds: float) -> None:
    base = stream.time_base or Fraction(1, 1000)
    start = float((stream.start_time or 0) * base)
    try:
        container.seek(round(max(seconds, start) / base), stream=stream)
    except (av.FFmpegError, OSError):
        container.seek(0)
