"""The encoded bytes depend on the pictures alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk.media.probe import probe_video
from homage_sdk.shards import PackOptions
from homage_sdk.shards.packing.encode import encode_view


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety frames of a texture that drifts under a patch that jumps, at 384x288."""
    path = tmp_path_factory.mktemp("moving") / "moving.mkv"
    draw = np.random.default_rng(1)
    coarse = draw.integers(0, 255, (100, 130, 3), np.uint8).repeat(6, 0).repeat(6, 1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 384, 288, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for k in range(90):
            picture = coarse[2 * k : 2 * k + 288, 3 * k : 3 * k + 384].copy()
            y, x = draw.integers(0, 200, 2)
            picture[y : y + 60, x : x + 60] = draw.integers(0, 255, 3)
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = k, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_a_view_encodes_to_the_same_bytes_whatever_lay_in_memory(moving: Path) -> None:
    """With x264's macroblock tree it does not: see ``encode._X264``."""
    index = probe_video(moving).index
    seen = set()
    held = []
    for repeat in range(6):
        held.append(bytearray(b"\xff" * (97_000 * (repeat + 1))))
        held.append([bytearray(b"\xff" * size) for size in range(100, 20_000, 100)])
        if repeat % 2:
            held.clear()
        seen.add(encode_view(moving, index, list(range(0, 90, 2)), PackOptions())[0])
    assert len(seen) == 1
