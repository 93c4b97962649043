"""The encoded bytes depend on the pictures alone."""

from __future__ import annotations

import hashlib
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.media.probe import probe_video
from homage_sdk.media.video_reader import VideoReader
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


PATCHES = [
    (200, 40, 40),
    (40, 200, 40),
    (40, 40, 200),
    (128, 128, 128),
    (0, 255, 11),
    (230, 200, 90),
]


def patches(image: np.ndarray) -> np.ndarray:
    """The colour in the middle of each of six columns: int [6, 3]."""
    height, width = image.shape[:2]
    columns = ((np.arange(6) + 0.5) * width / 6).astype(int)
    return image[height // 2, columns].astype(int)


def write_patches(path: Path, codec: str, pixels: str, matrix: int | None, *, full: bool) -> None:
    """Six columns of flat colour in a colour space, tagged with it unless ``matrix`` is None."""
    image = np.repeat(np.array(PATCHES, np.uint8), 32, axis=0)[None].repeat(128, axis=0)
    colour_range = ColorRange.JPEG if full else ColorRange.MPEG
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 192, 128, pixels
        if codec == "libx264":
            stream.options = {"crf": "4"}
        if matrix is not None:
            stream.codec_context.colorspace = {5: 6}.get(matrix, matrix)
            stream.codec_context.color_range = colour_range
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format=pixels,
                interpolation=Interpolation.BILINEAR
                | Interpolation.ACCURATE_RND
                | Interpolation.FULL_CHR_H_INT,
                dst_colorspace=matrix or Colorspace.ITU601,
                dst_color_range=colour_range,
            )
            frame.pts = None
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("codec", "pixels", "matrix", "full"),
    [
        ("libx264", "yuv420p", Colorspace.ITU709, False),
        ("libx264", "yuv420p", Colorspace.ITU709, True),
        ("libx264", "yuv420p", Colorspace.ITU601, False),
        ("libx264", "yuv420p", Colorspace.ITU601, True),
        ("libx264", "yuv420p", Colorspace.BT2020, False),
        ("libx264", "yuv444p", Colorspace.ITU709, False),
        ("libx264", "yuv420p10le", Colorspace.ITU709, False),
        ("libx264", "yuv420p", None, False),
        ("mjpeg", "yuvj420p", Colorspace.ITU601, True),
        ("libx264rgb", "rgb24", None, True),
    ],
)
def test_a_colour_is_the_same_on_every_road(
    tmp_path: Path, codec: str, pixels: str, matrix: int | None, full: bool
) -> None:
    """Source, view, our loader, and a reader that heeds the tags of the packed file."""
    path = tmp_path / "patches.mkv"
    write_patches(path, codec, pixels, matrix, full=full)
    index = probe_video(path).index
    shown = patches(VideoReader(path, index).frames([1])[0])
    data, width, height, _ = encode_view(path, index, [0, 1, 2], PackOptions(stride=1))
    ours = np.empty((1, height, width, 3), np.uint8)
    decode_clip(data, np.array([1]), 30.0, None, ours)
    with av.open(io.BytesIO(data)) as packed:
        context = packed.streams.video[0].codec_context
        assert (context.colorspace, context.color_range, context.color_primaries) == (6, 1, 1)
        others = patches(next(packed.decode(video=0)).to_ndarray(format="rgb24"))
    loaded = patches(ours[0])
    assert abs(loaded - others).max() <= 2
    for found in (shown, loaded, others):
        assert abs(found - PATCHES).max() <= 4


def test_a_turned_view_is_packed_as_it_is_displayed(tmp_path: Path) -> None:
    for rotation in (90, 180, 270):
        path = write_video(
            tmp_path / f"{rotation}.mp4", frames=3, rotation=rotation, codec="libx264"
        )
        index = probe_video(path).index
        data, width, height, _ = encode_view(path, index, [0, 1, 2], PackOptions(stride=1, crf=4))
        shown = VideoReader(path, index).frames([0, 1, 2])
        assert shown.shape == (3, height, width, 3)
        ours = np.empty_like(shown)
        decode_clip(data, np.arange(3), 30.0, None, ours)
        assert abs(ours.astype(int) - shown).mean() < 3


PACKED = {
    (6, "18.1.0", "62.28.102", "9.5.102", "6.3.102"): "2d2a363d9eae2fed8ea6b2b1341c3a75",
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
        digest.update(repr(encode_sound(source, 0.0, 1.5, options)[:3]).encode())
    values = np.arange(6, dtype=np.float64).reshape(2, 3) / 7
    digest.update(array_bytes([SensorValues(("x", "y", "z"), np.array([0.0, 0.5]), values)]))
    assert PACKED.get((PACKING, av.__version__, *made_with)) == digest.hexdigest()[:32]
