"""A place of what a clip shows, carried back to the picture it was cut from: a moving square."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from homage_sdk.loader import LoaderOptions
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.loader.pictures.shown import carried_back, part_shown

WIDTH, HEIGHT, SIDE = 256, 192, 20
PLACES = [(108, 50), (148, 60), (128, 96), (118, 140), (140, 122), (110, 90)]
"""Middles of the square, in pixels of the picture, one a frame; all in sight of any crop."""


@pytest.fixture(scope="module")
def film() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for k, (x, y) in enumerate(PLACES):
            image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
            image[y - SIDE // 2 : y + SIDE // 2, x - SIDE // 2 : x + SIDE // 2] = 240
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return buffer.getvalue()


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_moving_square_is_found_where_it_was_drawn(
    film: bytes, fit: str, mode: str, mirrored: bool
) -> None:
    size = 96
    options = LoaderOptions(fit=fit, size=size, crop=160 if fit == "crop" else None)
    draw = np.random.default_rng(4) if mode == "train" else None
    part, _ = part_shown(WIDTH, HEIGHT, options, draw)
    out = np.zeros((len(PLACES), size, size, 3), np.uint8)
    decode_clip(film, np.arange(len(PLACES)), 10, part, out, flip=mirrored)
    for picture, (x, y) in zip(out, PLACES, strict=True):
        bright = picture[..., 1] > 150
        assert bright.sum() > 20
        row, column = (at.mean() for at in np.nonzero(bright))
        place = np.array([column + 0.5, row + 0.5]) / size
        found = carried_back(place, part, WIDTH, HEIGHT, mirrored=mirrored) * [WIDTH, HEIGHT]
        assert np.abs(found - [x, y]).max() < 1.5, (found, (x, y))


def test_corners_of_the_whole_picture_stay_where_they_are() -> None:
    part, _ = part_shown(WIDTH, HEIGHT, LoaderOptions(fit="stretch", size=96), None)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(carried_back(corners, part, WIDTH, HEIGHT), corners)
    turned = carried_back(corners, part, WIDTH, HEIGHT, mirrored=True)
    np.testing.assert_allclose(turned, corners[[1, 0, 3, 2]])
