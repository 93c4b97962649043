"""Sound by time: the samples that were heard between two moments of a video.

Time 0 is the first video frame, as everywhere; a file without a picture starts at its first sample.
"""

from __future__ import annotations

from operator import index
from pathlib import Path
from typing import BinaryIO, SupportsIndex

import av
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError, UsageError
from homage_sdk.media.header.opening import open_packed, reason
from homage_sdk.media.soundtrack import Sound, soundtrack

_MAX_WINDOW_S = 6 * 3600
_HIGHEST_RATE = 768_000


def read_sound(
    path: Path,
    begin_s: float,
    end_s: float,
    sample_rate: int = 16_000,
    *,
    video_start_s: float | None = None,
) -> Sound:
    """Mono sound from ``begin_s`` up to ``end_s``, in seconds after the first video frame.

    Samples lie where the pts of their packets put them, on one grid for the whole file: a window is
    the same samples as that part of any longer window. The file is decoded from its beginning, once
    for all windows that are asked for in turn.

    Args:
        path: a video or sound file.
        begin_s: may be negative.
        end_s: later than ``begin_s``.
        sample_rate: of the result, in Hz; resampled where the file has another.
        video_start_s: when the first video frame appears on the file's clock, where known (the
            catalog's ``start_time_s``); measured from the file when left out.

    Returns:
        ``S = round(end_s * sample_rate) - round(begin_s * sample_rate)`` samples, and which of them
        were recorded.

    Raises:
        UsageError: no such rate.
        MediaError: the file is missing, has no sound, or none that can be decoded.

    """
    first, stop = _window(begin_s, end_s, _rate(sample_rate))
    return soundtrack(Path(path), index(sample_rate), video_start_s).window(first, stop)


def read_audio(
    path: Path,
    begin_s: float,
    end_s: float,
    sample_rate: int = 16_000,
    *,
    video_start_s: float | None = None,
) -> npt.NDArray[np.float32]:
    """The samples of :func:`read_sound`: float32 [S], silence where nothing was recorded."""
    return read_sound(path, begin_s, end_s, sample_rate, video_start_s=video_start_s).samples


def read_flac(
    file: BinaryIO, begin_s: float, end_s: float, *, place: str = ""
) -> npt.NDArray[np.float32]:
    """A window of packed sound, mono FLAC of 16 bits without gaps: float32 [S], at its own rate.

    Silence before it starts and after it ends. Raises MediaError, naming ``place``, when it is not
    such a file, or is damaged.
    """
    if file.read(4) != b"fLaC":
        raise MediaError("not a sound file", place=place, expected="FLAC")
    file.seek(0)
    try:
        container = open_packed(file, "flac")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError("not a sound file", place=place, found=reason(error)) from error
    with container:
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        rate = stream.codec_context.sample_rate
        first, stop = _window(begin_s, end_s, rate)
        out = np.zeros(stop - first, dtype=np.float32)
        try:
            if stop > 0:
                container.seek(max(first, 0), stream=stream)
                for frame in container.decode(stream):
                    if (frame.format.name, frame.layout.name) != ("s16", "mono"):
                        raise MediaError("not packed sound", place=place, expected="mono, 16 bits")
                    if (at := frame.pts) is None:
                        raise MediaError("packed sound without timestamps", place=place)
                    if at >= stop:
                        break
                    begin, end = max(at, first), min(at + frame.samples, stop)
                    if begin < end:
                        samples = np.frombuffer(bytes(frame.planes[0]), np.int16, frame.samples)
                        part = samples[begin - at : end - at]
                        np.multiply(
                            part, np.float32(1 / 32768), out=out[begin - first : end - first]
                        )
        except (av.FFmpegError, OSError) as error:
            raise MediaError(
                "the sound cannot be decoded",
                place=place,
                found=reason(error),
                hint="the file is damaged: copy it again",
            ) from error
    return out


def _window(begin_s: float, end_s: float, rate: int) -> tuple[int, int]:
    """The first sample of a window, and the one after its last."""
    if not begin_s < end_s < begin_s + _MAX_WINDOW_S:
        raise MediaError("not a window of time", found=f"{begin_s} s to {end_s} s")
    return round(begin_s * rate), round(end_s * rate)


def _rate(sample_rate: int) -> int:
    """What sound may be sampled at; numpy's whole numbers too."""
    if not isinstance(sample_rate, SupportsIndex) or not 1 <= index(sample_rate) <= _HIGHEST_RATE:
        raise UsageError(
            "not a sample rate",
            found=repr(sample_rate),
            expected=f"1 to {_HIGHEST_RATE:,} a second",
        )
    return index(sample_rate)
