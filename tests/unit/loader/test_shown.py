"""What a clip shows of a picture: pixels by another road, in plain numpy.

``stretch`` is the paper's (section 5.1: each frame resized), ``pad`` the public code's: in training
a frame of 192 lines in the middle of a black 256 x 256, of that any 224 x 224, in tests the middle
224 x 224, and then 128 pixels a side, each the nearest of those.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from homage_sdk.errors import UsageError
from homage_sdk.loader import Batch, ClipLoader, LoaderOptions
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.loader.pictures.i420 import to_rgb
from homage_sdk.loader.pictures.shown import Padded, Part, Whole, part_shown
from homage_sdk.shards import PackOptions, ShardSet
from tests.lined import lined_shards

SHAPES = [(256, 192), (342, 192), (192, 256), (192, 192), (240, 192), (160, 120), (400, 96)]


@pytest.fixture(scope="session")
def lined(shared_folder: Path) -> Path:
    """Shards with 192 lines, of three sequences of 256 x 192. Read only."""
    return lined_shards(shared_folder, "lined", 3, PackOptions(short_side=192, min_shards=1))


def video(width: int, height: int, n: int = 3) -> bytes:
    """A packed view of coloured waves."""
    buffer, rows, columns = io.BytesIO(), *np.mgrid[:height, :width]
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for k in range(n):
            waves = [np.sin(rows / (9 + 4 * c) + columns / (7 + 5 * c) + k) for c in range(3)]
            image = (127 + 90 * np.stack(waves, axis=-1)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def planes_of(data: bytes) -> list[tuple[np.ndarray, ...]]:
    """Luma, U and V of every picture."""
    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
        width, height = container.streams.video[0].width, container.streams.video[0].height
    found = []
    for frame in frames:
        y, u, v = np.split(frame.reshape(-1), [width * height, width * height * 5 // 4])
        half = height // 2, width // 2
        found.append((y.reshape(height, width), u.reshape(half), v.reshape(half)))
    return found


def rgb_of(planes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Of I420 at its own size, uint8 [h, w, 3]."""
    flat = np.concatenate([plane.reshape(-1) for plane in planes])
    return cv2.cvtColor(flat.reshape(-1, planes[0].shape[1]), cv2.COLOR_YUV2RGB_I420)


def areas(image: np.ndarray, size: int) -> np.ndarray:
    """Each of ``size`` rows and columns as the mean of the area it covers; float, shrinking."""

    def weights(length: int) -> np.ndarray:
        edges = np.arange(size + 1) * length / size
        cells = np.arange(length)
        overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
        return np.clip(overlap, 0, None) / (length / size)

    return weights(image.shape[0]) @ image.astype(float) @ weights(image.shape[1]).T


def lines(image: np.ndarray, size: int) -> np.ndarray:
    """Each of ``size`` rows and columns between the two pixels whose centres are nearest."""

    def weights(length: int) -> np.ndarray:
        at = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        return np.clip(1 - np.abs(at[:, None] - np.arange(length)), 0, None)

    return weights(image.shape[0]) @ image.astype(float) @ weights(image.shape[1]).T


def on_black(image: np.ndarray, x: int, y: int, size: int) -> np.ndarray:
    """``size`` x ``size`` nearest pixels of 224 x 224 at (x, y) of a picture on black."""
    out = np.zeros((size, size, 3), np.uint8)
    for r in range(size):
        for c in range(size):
            down, across = y + int((r + 0.5) * 224 / size), x + int((c + 0.5) * 224 / size)
            if 0 <= down < image.shape[0] and 0 <= across < image.shape[1]:
                out[r, c] = image[down, across]
    return out


def shown(data: bytes, part: Part, size: int, *, flip: bool = False, n: int = 3) -> np.ndarray:
    out = np.empty((n, size, size, 3), np.uint8)
    decode_clip(data, np.arange(n), 10.0, part, out, flip=flip)
    return out


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize(("width", "height"), [(192, 144), (256, 144), (342, 192), (144, 200)])
def test_a_stretched_picture_is_all_of_the_frame(
    width: int, height: int, size: int, flip: bool
) -> None:
    """Every pixel counts: means of areas from half the size on, lines between pixels above."""
    data, half = video(width, height), size // 2
    found = shown(data, Whole(), size, flip=flip)
    travels = np.empty((3, size * size * 3 // 2), np.uint8)
    decode_clip(data, np.arange(3), 10.0, Whole(), travels, flip=flip)
    assert np.array_equal(to_rgb(torch.from_numpy(travels)).numpy(), found)
    scale = areas if max(width, height) >= 2 * size else lines
    for k, planes in enumerate(planes_of(data)):
        step, at = -1 if flip else 1, 0
        for part, side in zip(planes, (size, half, half), strict=True):
            plane = travels[k, at : at + side * side].reshape(side, side)
            assert np.abs(scale(part, side)[:, ::step] - plane).max() <= 1
            at += side * side
        # Four pixels share their colour, as always in I420: against RGB by means of 2 x 2.
        colours = rgb_of(planes).transpose(2, 0, 1)
        rgb = np.stack([areas(colour, half) for colour in colours], axis=-1)[:, ::step]
        fours = found[k].reshape(half, 2, half, 2, 3).mean(axis=(1, 3))
        assert np.abs(rgb - fours).max() <= 8


def test_a_small_picture_is_stretched_too() -> None:
    found = shown(video(80, 48), Whole(), 128)
    for picture, planes in zip(found, planes_of(video(80, 48)), strict=True):
        large = cv2.resize(rgb_of(planes), (128, 128), interpolation=cv2.INTER_LINEAR)
        assert np.abs(large.astype(int) - picture).mean() < 3


@pytest.mark.parametrize("flip", [False, True])
def test_a_padded_picture_is_that_of_the_public_code(flip: bool) -> None:
    """Frames of 256 x 192, as those of HOMAGE are: equal in every bit."""
    data = video(256, 192)
    frames = [rgb_of(planes) for planes in planes_of(data)]
    middle = shown(data, Padded.centre(256, 192), 128)
    for frame, picture in zip(frames, middle, strict=True):
        assert np.array_equal(picture, on_black(frame, 16, -16, 128))
        assert (picture.reshape(128, -1).any(axis=1) == (np.abs(np.arange(128) - 63.5) < 55)).all()
    draw = np.random.default_rng(int(flip))
    for _ in range(4):
        part = Padded.random(256, 192, draw)
        canvas = np.zeros((256, 256, 3), np.uint8)
        canvas[32:224] = frames[1]
        x, y = part.x, part.y + 32
        assert 0 <= x <= 32 and 0 <= y <= 32
        if flip:  # the public code mirrors first, so that its cut begins at the other side
            canvas, x = canvas[:, ::-1], 32 - x
        expected = on_black(canvas, x, y, 128)
        assert np.array_equal(shown(data, part, 128, flip=flip)[1], expected)


def test_every_cut_of_the_public_code_is_drawn() -> None:
    draw = np.random.default_rng(0)
    parts = [Padded.random(256, 192, draw) for _ in range(4000)]
    assert {p.x for p in parts} == set(range(33)) and {p.y + 32 for p in parts} == set(range(33))


@pytest.mark.parametrize(("width", "height"), SHAPES)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_frames_of_any_shape_are_padded_and_cut(width: int, height: int, mode: str) -> None:
    """In tests 192 lines whatever the width; in training all of a frame lies on the square."""
    data, short, long = video(width, height), min(width, height), max(width, height)
    options = LoaderOptions(fit="pad", flip=False)
    draw = np.random.default_rng(1) if mode == "train" else None
    part, flip = part_shown(width, height, options, draw)
    assert isinstance(part, Padded) and not flip
    scale = 192 / short if mode == "eval" else 256 / long
    assert (part.width, part.height) == (round(width * scale), round(height * scale))
    frame = rgb_of(planes_of(data)[0])
    frame = cv2.resize(frame, (part.width, part.height), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(shown(data, part, 128)[0], on_black(frame, part.x, part.y, 128))
    if mode == "eval":
        assert abs(part.x + 112 - part.width / 2) <= 0.5
        assert abs(part.y + 112 - part.height / 2) <= 0.5
    x, y, across, down = part.box(width, height)
    assert across == pytest.approx(224 / scale, rel=0.02)
    assert down == pytest.approx(224 / scale, rel=0.02)
    assert (x, y) == pytest.approx((part.x / scale, part.y / scale), rel=0.02, abs=0.5)


def options(**changes: object) -> LoaderOptions:
    base = {"modalities": ("ego", "third"), "batch_size": 3, "blocks": 2, "block_frames": 2}
    return LoaderOptions(**{**base, **changes})


def pictures(shards: ShardSet, batch: Batch, kind: str, b: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames of a row as packed, RGB at their own size; and what the batch holds of them."""
    key, number = batch.sequence[b], int(batch.view[kind][b])
    every = [rgb_of(planes) for planes in planes_of(shards.read(key, f"v{number:03d}.mp4"))]
    at = np.minimum((batch.frames[b].flatten().numpy() - 1) // 3, len(every) - 1)
    return np.stack([every[k] for k in at]), batch.video[kind][b].flatten(0, 1).numpy()


@pytest.mark.parametrize("pixels", ["rgb", "i420"])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_batches_show_what_the_fit_says(lined: Path, mode: str, fit: str, pixels: str) -> None:
    """Both roads of pixels, both modes, through shards: the pictures of the frames named."""
    shards = ShardSet.open(lined)
    chosen = options(mode=mode, fit=fit, pixels=pixels, size=64 if fit == "stretch" else 128)
    loader = ClipLoader(shards, chosen)
    assembler = Assembler(shards.manifest, chosen, shards.read)
    rows = {row.sample.sequence: row for row in loader.rows(0, 0) if row is not None}
    batch = next(iter(loader))
    assert (batch.video["ego"].ndim == 4) == (pixels == "i420" and fit == "stretch")
    batch = batch.rgb()
    n_compared = 0
    for kind in ("ego", "third"):
        for b in torch.nonzero(batch.present[kind]).flatten().tolist():
            row = rows[batch.sequence[b]]
            view = next(v for v in row.sample.views if v.number == int(batch.view[kind][b]))
            part, flip = assembler.part(view, row, kind, 0)
            for frame, picture in zip(*pictures(shards, batch, kind, b), strict=True):
                assert frame.shape == (192, 256, 3)
                if isinstance(part, Padded):
                    expected = on_black(frame, part.x, part.y, 128)
                    assert np.array_equal(picture, expected[:, ::-1] if flip else expected)
                else:
                    whole = np.stack([areas(c, 64) for c in frame.transpose(2, 0, 1)], axis=-1)
                    off = np.abs(whole[:, :: -1 if flip else 1] - picture)
                    assert off.mean() < 2
                n_compared += 1
    assert n_compared >= 12
    assert batch.video["ego"].dtype == torch.uint8


def test_padding_wants_the_lines_of_the_public_code(shards: ShardSet) -> None:
    words = r"192 lines; found shards packed with 96; expected a short side of 192.*--size 192"
    for mode in ("train", "eval"):
        with pytest.raises(UsageError, match=words):
            ClipLoader(shards, options(mode=mode, fit="pad"))
    heard = options(fit="pad", modalities=("audio",))  # sound has no lines
    assert len(ClipLoader(shards, heard)) == 1


def test_options_that_no_fit_can_use_are_refused() -> None:
    for changes, words in (
        ({"fit": "stretch", "crop": 64}, "invalid crop.*none with fit 'stretch'"),
        ({"fit": "pad", "crop": 64}, "invalid crop"),
        ({"fit": "stretch", "size": 33}, "invalid size.*even"),
        ({"fit": "squash"}, "invalid fit"),
    ):
        with pytest.raises(UsageError, match=words):
            options(**changes)
