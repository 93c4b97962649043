"""Pixels and sound as pictures a page can carry."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from homage_sdk.errors import MediaError


def jpeg_url(frame: NDArray[np.uint8], width: int, quality: int = 82) -> str:
    """An RGB frame [H, W, 3] as a JPEG data URL, ``width`` pixels wide at most."""
    import cv2

    scale = min(1.0, width / frame.shape[1])
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    small = frame if scale == 1.0 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not ok:
        raise MediaError("a frame could not be written as JPEG", found=f"shape {frame.shape}")
    return data_url(data.tobytes())


def spectrogram_url(
    sound: NDArray[np.float32], sample_rate: int, *, width: int = 1040, height: int = 120
) -> str:
    """Sound [S] as a picture: time to the right, 0 Hz to Nyquist upwards, 80 dB of range."""
    import cv2

    window = 512
    hop = max(1, len(sound) // width)
    padded = np.pad(sound.astype(np.float64), window // 2)
    starts = np.arange(0, max(1, len(padded) - window), hop)
    pieces = padded[starts[:, None] + np.arange(window)] * np.hanning(window)
    power = np.abs(np.fft.rfft(pieces, axis=1)).T ** 2
    level = 10 * np.log10(np.maximum(power, 1e-10))
    shade = np.clip((level - level.max() + 80) / 80, 0, 1)
    picture = cv2.resize((255 * shade[::-1]).astype(np.uint8), (width, height))
    coloured = cv2.applyColorMap(picture, cv2.COLORMAP_VIRIDIS)
    ok, data = cv2.imencode(".png", coloured)
    if not ok:
        raise MediaError("a spectrogram could not be drawn", found=f"{len(sound)} samples")
    return data_url(data.tobytes(), "image/png")


def data_url(data: bytes, kind: str = "image/jpeg") -> str:
    """Bytes as a URL that a page can carry inside itself."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
