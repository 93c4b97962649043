"""Mono sound as a file; its bytes depend on the samples alone."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError


def flac(wave: npt.NDArray[np.float32], sample_rate: int) -> bytes:
    """Float32 [S] within -1..1 as mono 16-bit FLAC."""
    return mono_file(wave, sample_rate, "flac", "flac", "s16")


def as_16_bits(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Float32 [S] within -1..1 as int16 [S]."""
    whole: npt.NDArray[np.int16] = np.clip(np.rint(wave * 32767.0), -32768, 32767).astype(np.int16)
    return whole


def mono_file(
    wave: npt.NDArray[np.float32],
    sample_rate: int,
    container: str,
    codec: Literal["flac", "aac"],
    samples: Literal["s16", "fltp"],
    bit_rate: int | None = None,
) -> bytes:
    """Float32 [S] within -1..1 as a mono file of a container, by an encoder that takes ``samples``.

    ``bit_rate``: bits a second, for a codec that loses something.
    """
    if not len(wave):
        raise MediaError("no sound to pack")
    whole = as_16_bits(wave)
    values = whole if samples == "s16" else wave
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream(codec, rate=sample_rate)
        stream.codec_context.layout = "mono"
        stream.codec_context.format = samples
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        if bit_rate is not None:
            stream.codec_context.bit_rate = bit_rate
        step = 4096
        for begin in range(0, len(values), step):
            part = values[None, begin : begin + step]
            frame = av.AudioFrame.from_ndarray(part, format=samples, layout="mono")
            frame.sample_rate, frame.pts = sample_rate, begin
            frame.time_base = Fraction(1, sample_rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()
