"""Packed pictures, cut, mirrored and repeated: equal to PyAV's own frames in every bit."""

from __future__ import annotations

import io

import av
import cv2
import numpy as np
import pytest
import torch

from homage_sdk.errors import ShardError
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.loader.pictures.i420 import black, to_rgb
from homage_sdk.loader.pictures.shown import Crop
from homage_sdk.shards import ShardSet


@pytest.fixture
def packed(shards: ShardSet) -> bytes:
    return shards.read("p0002_r000_a003", "v000.mp4")


def every_frame(data: bytes) -> np.ndarray:
    """All pictures, decoded one by one from the beginning: uint8 [F, h, w, 3]."""
    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420) for frame in frames])


@pytest.mark.parametrize("flip", [False, True])
def test_any_frames_in_any_crop_are_exact(packed: bytes, flip: bool) -> None:
    truth = every_frame(packed)
    count, height, width, _ = truth.shape
    draw = np.random.default_rng(int(flip))
    for _ in range(25):
        positions = np.sort(draw.integers(count, size=draw.integers(1, 12)))  # repeats and gaps
        crop = Crop.random(width, height, int(draw.integers(16, height)), draw)
        out = np.empty((len(positions), crop.side, crop.side, 3), np.uint8)
        decode_clip(packed, positions, 10.0, crop, out, flip=flip)
        rows, columns = slice(crop.y, crop.y + crop.side), slice(crop.x, crop.x + crop.side)
        expected = truth[positions][:, rows, columns]
        assert np.array_equal(out, expected[:, :, ::-1] if flip else expected)
    out = np.empty((1, height, width, 3), np.uint8)
    decode_clip(packed, np.array([count - 1]), 10.0, None, out)
    assert np.array_equal(out[0], truth[-1])


def test_what_is_not_there_is_said(packed: bytes) -> None:
    out = np.empty((1, 64, 64, 3), np.uint8)
    count = len(every_frame(packed))
    with pytest.raises(ShardError, match=f"x.v000.mp4.*lacks a frame.*position {count}"):
        decode_clip(packed, np.array([count]), 10.0, Crop(0, 0, 64), out, place="x.v000.mp4")
    with pytest.raises(ShardError, match="another size than the manifest says"):
        decode_clip(packed, np.array([0]), 10.0, Crop(120, 0, 64), out)
    with pytest.raises(ShardError, match="cannot be decoded"):
        decode_clip(b"RIFF" + packed, np.array([0]), 10.0, Crop(0, 0, 64), out)


def test_every_colour_becomes_the_rgb_that_opencv_gives() -> None:
    """All luma of some chroma, and all chroma of some luma: saturated ones too."""
    size = 256
    values = np.arange(256, dtype=np.uint8)
    luma = np.repeat(values, size).reshape(size, size)
    u = np.tile(values[::2], (size // 2, 1))
    pictures = []
    for v in (0, 1, 15, 127, 128, 129, 240, 255):
        planes = luma, u, np.full_like(u, v)
        pictures.append(np.concatenate([plane.reshape(-1) for plane in planes]))
    draw = np.random.default_rng(0)
    pictures += list(draw.integers(256, size=(8, size * size * 3 // 2), dtype=np.uint8))
    for picture in pictures:
        expected = cv2.cvtColor(picture.reshape(-1, size), cv2.COLOR_YUV2RGB_I420)
        assert np.array_equal(to_rgb(torch.from_numpy(picture)).numpy(), expected)
    assert not to_rgb(black(64 * 64 * 3 // 2)).any()
