"""The encoded bytes depend on the pictures alone."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk.media.probe import probe_video
from homage_sdk.release.sensors import SensorValues
from homage_sdk.shards import PackOptions
from homage_sdk.shards.format.sensor_array import array_bytes
from homage_sdk.shards.packing.encode import encode_sound, encode_view
from homage_sdk.shards.packing.inputs import PACKING
from tests.unit.media.videos import write_video


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


PACKED = {
    (3, "18.1.0", "62.28.102", "9.5.102", "6.3.102"): "67d135732d98521dabd9c59dcf326acc",
}
"""Digests by ``PACKING`` and the versions of PyAV, libavcodec, libswscale and libswresample."""


def test_other_bytes_need_another_version_of_packing(tmp_path: Path) -> None:
    """Where this fails and the libraries are the same, raise ``PACKING`` by one.

    Else what older code packed is kept beside what this one makes. The source is lossless, so that
    no other encoder has a part in it.
    """
    libraries = ("libavcodec", "libswscale", "libswresample")
    made_with = [".".join(map(str, av.library_versions[name])) for name in libraries]
    if not any(known[1:] == (av.__version__, *made_with) for known in PACKED):
        pytest.skip("no digest for these versions of the libraries")
    digest = hashlib.sha256()
    for rotation, rate in ((0, 16_000), (90, 44_100)):
        source = write_video(
            tmp_path / f"{rotation}.mkv",
            frames=40,
            rotation=rotation,
            codec="ffv1",
            audio=True,
            audio_codec="pcm_f32le",
            audio_start_s=0.25,
            rate=rate,
        )
        options = PackOptions(short_side=32)
        positions = [*range(0, 40, 3), 39, 39]
        index = probe_video(source).index
        digest.update(repr(encode_view(source, index, positions, options)).encode())
        digest.update(repr(encode_sound(source, 0.0, 1.5, options)).encode())
    values = np.arange(6, dtype=np.float64).reshape(2, 3) / 7
    digest.update(array_bytes([SensorValues(("x", "y", "z"), np.array([0.0, 0.5]), values)]))
    assert PACKED.get((PACKING, av.__version__, *made_with)) == digest.hexdigest()[:32]
