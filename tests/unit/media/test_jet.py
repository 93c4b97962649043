"""Sound as a coloured picture: the public pipeline, by librosa and a figure of matplotlib's."""

from __future__ import annotations

import io
import math

import av
import numpy as np
import pytest

from homage_sdk.errors import MediaError
from homage_sdk.media.spectrograms.jet import (
    BANDS,
    RATE,
    clip_columns,
    clip_window,
    from_png,
    n_columns,
    picture_of,
    to_png,
)


def sound(seconds: float = 2.0) -> np.ndarray:
    draw, t = np.random.default_rng(0), np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * math.pi * (200 * t + 4000 * t**2)) * np.exp(-t)
    return (0.3 * tone + 0.003 * draw.standard_normal(len(t))).astype(np.float32)


def test_a_picture_is_what_the_public_pipeline_draws() -> None:
    """Its steps in numpy: mel power by librosa, dB below the maximum, 80 dB deep, and a figure."""
    import librosa
    import matplotlib.image as images

    wave = sound()
    power = librosa.feature.melspectrogram(y=wave, sr=RATE)  # its call: all else by default
    level = 10 * np.log10(np.maximum(power, 1e-10) / power.max())
    level = np.maximum(level, level.max() - 80)
    file = io.BytesIO()
    images.imsave(file, level, cmap="jet", format="png", origin="upper")
    drawn = images.imread(io.BytesIO(file.getvalue()), format="png")[..., :3]
    found = picture_of(wave)
    assert found.shape == (BANDS, n_columns(len(wave)), 3) and found.dtype == np.uint8
    off = np.abs(np.rint(drawn * 255).astype(int) - found).max(axis=-1)
    assert (off > 4).mean() < 1e-4 and off.max() <= 8  # a level at the edge of two colours
    assert tuple(found[np.unravel_index(level.argmax(), level.shape)]) == (127, 0, 0)
    assert tuple(found[np.unravel_index(level.argmin(), level.shape)]) == (0, 0, 127)


def test_bands_reach_to_half_the_rate_and_begin_with_the_lowest() -> None:
    t = np.arange(RATE) / RATE
    for hertz, low, high in ((100, 0, 6), (20_500, 122, 128)):
        tone = np.sin(2 * math.pi * hertz * t).astype(np.float32)
        red = picture_of(tone)[:, 40].astype(int)
        loudest = int((red[:, 0] - red[:, 2]).argmax())
        assert low <= loudest < high


def test_silence_and_a_single_sample_have_a_picture() -> None:
    for wave in (np.zeros(RATE, np.float32), np.ones(1, np.float32)):
        picture = picture_of(wave)
        assert picture.shape == (BANDS, n_columns(len(wave)), 3)


def test_what_is_packed_is_lossless_and_other_pictures_are_refused() -> None:
    wave = sound(0.5)
    picture, n = picture_of(wave), len(wave)
    data = to_png(picture)
    assert np.array_equal(from_png(data, n), picture)
    with av.open(io.BytesIO(data)) as container:  # any reader sees the same
        (frame,) = container.decode(video=0)
        assert np.array_equal(frame.to_ndarray(format="rgb24"), picture)
    wrong = (
        data[:200],
        b"",
        b"fLaC" + data,
        data[:60] + bytes(len(data) - 60),
        to_png(picture[1:]),
    )
    for other, samples in (*((each, n) for each in wrong), (data, n + RATE)):
        with pytest.raises(MediaError, match=r"x\.png.*not the picture"):
            from_png(other, samples, place="x.png")


def test_the_window_of_a_clip_is_the_public_codes() -> None:
    """Around its middle, which is 46 ms early, and within the picture."""
    assert clip_columns(8 * 5 * 3) == 344
    for first in range(1, 3000, 37):
        last, whole = first + 117, 5000
        middle = int(86.15 / 30.0 * (first + last) * 0.5)
        middle = min(middle, int(whole - 172))
        begin = max(1, int(middle - 172))
        assert clip_window(first, last, 120, whole) == (begin, begin + 344)
        if 1 < begin < whole - 344:
            early_s = first / 30 - begin * 512 / RATE
            assert 0.03 < early_s < 0.07
    assert clip_window(2000, 2117, 120, 5000) == (4656, 5000)
