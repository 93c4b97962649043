"""Sound as the public code of CCAU has it: a coloured picture of the spectrogram of a whole file.

Samples at 44.1 kHz, librosa's mel spectrogram at its defaults (windows of 2,048, one every 512, 128
bands up to half the rate), decibels below the file's maximum, matplotlib's colours ``jet`` from the
file's lowest to its highest level: one pixel a cell. The public code draws the same as a figure and
keeps it as JPEG; here it is PNG, to the bit what matplotlib's colours give.
"""

from __future__ import annotations

import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError

RATE = 44_100
BANDS = 128
_WINDOW, _HOP = 2048, 512
_COLUMNS_A_FRAME = 86.15 / 30
"""The public code's number; exactly, it is 44,100 / 512 / 30."""

_HEAD = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR"

Picture = npt.NDArray[np.uint8]


def picture_of(wave: npt.NDArray[np.float32]) -> Picture:
    """RGB of a sound, uint8 [BANDS, T, 3]: float32 [S] at ``RATE``, the lowest band first."""
    import librosa
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    with warnings.catch_warnings():  # a sound that is shorter than a window is none the worse
        warnings.filterwarnings("ignore", message="n_fft=", category=UserWarning)
        power = librosa.feature.melspectrogram(
            y=wave, sr=RATE, n_fft=_WINDOW, hop_length=_HOP, n_mels=BANDS
        )
    level = librosa.power_to_db(power, ref=np.max)
    colours: Picture = colormaps["jet"](Normalize()(level), bytes=True)[..., :3]
    return np.ascontiguousarray(colours)


def versions() -> dict[str, str]:
    """The versions of the libraries that decide a picture and its bytes."""
    import cv2
    import librosa
    import matplotlib

    named = {"librosa": librosa, "matplotlib": matplotlib, "opencv": cv2}
    return {name: str(library.__version__) for name, library in named.items()}


def to_png(picture: Picture) -> bytes:
    """The picture as packed."""
    import cv2

    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise MediaError("a picture of sound cannot be written", found=str(picture.shape))
    return data.tobytes()


def from_png(data: bytes, n_samples: int, *, place: str = "") -> Picture:
    """A packed picture of ``n_samples`` of sound; MediaError where it is anything else.

    Its size is held against the sound's before a pixel is decoded.
    """
    import cv2

    expected = _HEAD + struct.pack(">IIBB", n_columns(n_samples), BANDS, 8, 2)
    found: Any = None
    if data[: len(expected)] == expected:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise MediaError(
            "not the picture of this sound",
            place=place,
            found=f"{len(data):,} bytes",
            expected=f"a PNG of {n_columns(n_samples)} x {BANDS} pixels, RGB of 8 bits",
        )
    picture: Picture = cv2.cvtColor(found, cv2.COLOR_BGR2RGB)
    return picture


def n_columns(n_samples: int) -> int:
    """T of a sound of so many samples at ``RATE``."""
    return 1 + n_samples // _HOP


def clip_columns(n_frames: int) -> int:
    """Columns of a clip that lasts ``n_frames`` of 30 a second.

    >>> clip_columns(120)
    344
    """
    return int(_COLUMNS_A_FRAME * n_frames)


def clip_window(first: int, last: int, n_frames: int, n_columns: int) -> tuple[int, int]:
    """Which columns the public code takes for a clip: the first, and the one after the last.

    Around the middle of the clip's ``first`` and ``last`` shown frame, which count from 0, and
    never before column 1; ``n_columns`` of the whole sound end it, where they are enough.

    >>> clip_window(30, 147, 120, 10_000), clip_window(0, 117, 120, 10_000)
    ((82, 426), (1, 345))
    """
    length = clip_columns(n_frames)
    middle = int(_COLUMNS_A_FRAME * (first + last) * 0.5)
    middle = min(middle, int(n_columns - 0.5 * length))
    begin = max(1, int(middle - 0.5 * length))
    return begin, begin + length
