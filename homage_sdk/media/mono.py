"""The samples of a decoded frame of sound, its channels mixed to one."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float32]

_SAMPLES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


def mono(frame: av.AudioFrame) -> Wave:
    """The mean of all channels: float32 within -1..1."""
    values = _channels(frame)
    if values.dtype.kind == "u":
        values = values.astype(np.float32) - 128
        scale = 1 / 128
    else:
        scale = 1.0 if values.dtype.kind == "f" else -1 / np.iinfo(values.dtype).min
    mono: Wave = np.clip(values.mean(axis=0, dtype=np.float64) * scale, -1, 1).astype(np.float32)
    return mono


def _channels(frame: av.AudioFrame) -> npt.NDArray[Any]:
    """Of any type of sample: [channels, S].

    Not ``to_ndarray``: of eight planes or more PyAV 18 finds one too many, and reads where nothing
    is.
    """
    n_channels, form = frame.layout.nb_channels, frame.format
    n_planes, each = (n_channels, 1) if form.is_planar else (1, n_channels)
    dtype = _SAMPLES[form.packed.name]
    planes = [np.frombuffer(bytes(p), dtype, frame.samples * each) for p in frame.planes[:n_planes]]
    return np.concatenate([plane.reshape(-1, each).T for plane in planes])
