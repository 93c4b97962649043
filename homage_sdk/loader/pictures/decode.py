"""From a packed view to pixels, as fast as one thread can (MEDIA.md, "How to decode fast").

The planes of each wanted frame are cropped into one tall I420 picture for the whole clip, and one
colour conversion turns that into RGB.
"""

from __future__ import annotations

import io
import math
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import ShardError
from homage_sdk.loader.pictures.i420 import lay_out
from homage_sdk.loader.pictures.shown import Crop, Padded, Part, Whole
from homage_sdk.media.header.opening import open_packed, reason

MAX_SIDE = 4096
"""A packed picture larger than this is refused before a frame of it is decoded."""
UNDECODABLE = "run `homage verify SHARDS --deep`, then `homage repair SHARDS CATALOG`"
"""What to do about a member that cannot be decoded."""


def decode_clip(
    data: bytes,
    positions: npt.NDArray[np.int64],
    fps: float,
    part: Part | None,
    out: npt.NDArray[np.uint8],
    *,
    flip: bool = False,
    place: str = "",
) -> None:
    """Write the frames of a packed MP4 at ascending ``positions`` (repeats allowed) into ``out``.

    ``positions`` int64 [F] count ``fps`` packed frames a second; ``out`` is uint8 [F, S, S, 3]
    (or [F, h, w, 3] without a ``part``), or I420 [F, S * S * 3 / 2], C-contiguous: of a crop of
    S pixels, or of the whole picture. ``place`` says in errors which member this is.
    Raises ShardError where the payload is damaged or is not what the manifest says.
    """
    try:
        with open_packed(io.BytesIO(data), "mp4") as container:
            if not container.streams.video:
                raise ShardError("a view without a picture", place=place)
            wanted, rows = np.unique(positions, return_inverse=True)
            cut = part if isinstance(part, Crop) else None
            planes = _planes(container, wanted.tolist(), fps, cut, place)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise ShardError(
            "a view that cannot be decoded",
            place=place,
            found=reason(error),
            hint=UNDECODABLE,
        ) from error
    if isinstance(part, Padded):
        _pad(planes, rows, part, out, flip=flip)
        return
    if isinstance(part, Whole):
        planes = planes.scaled(math.isqrt(out.shape[1] * 2 // 3) if out.ndim == 2 else out.shape[1])
    if flip:
        planes.mirror()
    if out.ndim == 2:
        lay_out((planes.luma, planes.u, planes.v), rows, out)
    else:
        _to_rgb(planes, rows, out)


class _Planes:
    """n frames as one tall I420 picture: all luma, then all U, then all V.

    Attributes:
        tall: uint8 [n * height * 3 / 2, width], what OpenCV calls an I420 picture.
        luma: uint8 [n, height, width], a view of its first part.
        u, v: uint8 [n, height / 2, width / 2], views of the rest.

    """

    def __init__(self, n: int, height: int, width: int) -> None:
        self.tall = np.empty((n * height * 3 // 2, width), dtype=np.uint8)
        flat = self.tall.reshape(-1)
        size = n * height * width
        self.luma = flat[:size].reshape(n, height, width)
        self.u = flat[size : size * 5 // 4].reshape(n, height // 2, width // 2)
        self.v = flat[size * 5 // 4 :].reshape(n, height // 2, width // 2)

    def scaled(self, side: int) -> _Planes:
        """The same pictures as squares of ``side`` pixels, an even number.

        Each plane by itself: half the work of scaling RGB, and what travels in I420 is the same.
        """
        square = _Planes(len(self.luma), side, side)
        for plane, out in ((self.luma, square.luma), (self.u, square.u), (self.v, square.v)):
            for picture, to in zip(plane, out, strict=True):
                to[:] = _resized(picture, to.shape[1], to.shape[0])
        return square

    def mirror(self) -> None:
        """Exchange left and right: four pixels share their colour, so that it commutes with RGB."""
        for part in (self.luma, self.u, self.v):
            rows = part.reshape(-1, part.shape[2])
            cv2.flip(rows, 1, dst=rows)


def _planes(
    container: Any, wanted: list[int], fps: float, crop: Crop | None, place: str
) -> _Planes:
    """Decode the frames at ascending positions and keep what the crop shows of them."""
    stream = container.streams.video[0]
    context = stream.codec_context
    size = context.width, context.height
    if not (0 < context.width <= MAX_SIDE and 0 < context.height <= MAX_SIDE):
        raise ShardError(
            "picture too large",
            place=place,
            found=f"{context.width}x{context.height}",
            expected=f"1 to {MAX_SIDE} pixels a side",
        )
    context.thread_count = 1
    step = 1 / (fps * float(stream.time_base))  # ticks a frame
    if wanted[0]:
        container.seek(round(wanted[0] * step), stream=stream)
    width, height = size if crop is None else (crop.side, crop.side)
    x, y = (0, 0) if crop is None else (crop.x, crop.y)
    if x + width > context.width or y + height > context.height or (width | height | x | y) & 1:
        raise ShardError(
            "a picture of another size than the manifest says",
            place=place,
            found=f"{context.width}x{context.height}",
        )
    planes = _Planes(len(wanted), height, width)
    rows = iter(zip(wanted, planes.luma, planes.u, planes.v, strict=True))
    position, luma, u, v = next(rows)
    for frame in container.decode(stream):
        if frame.pts is None or (shown := round(frame.pts / step)) < position:
            continue
        if shown != position or frame.format.name != "yuv420p":
            break
        if (frame.width, frame.height) != size:
            break
        sources = frame.planes
        _cut(sources[0], y, x, luma)
        _cut(sources[1], y // 2, x // 2, u)
        _cut(sources[2], y // 2, x // 2, v)
        if (following := next(rows, None)) is None:
            return planes
        position, luma, u, v = following
    raise ShardError(
        "a view lacks a frame",
        place=place,
        found=f"none at position {position}",
        hint=UNDECODABLE,
    )


def _cut(plane: Any, top: int, left: int, out: npt.NDArray[np.uint8]) -> None:
    """Copy a rectangle of a decoder's plane, whose rows are ``line_size`` bytes apart."""
    line = plane.line_size
    out[:] = np.ndarray(out.shape, np.uint8, plane, top * line + left, (line, 1))


def _to_rgb(planes: _Planes, rows: npt.NDArray[np.intp], out: npt.NDArray[np.uint8]) -> None:
    """Convert all frames at once, scale them, and lay them out in the order of rows."""
    n, height, width = planes.luma.shape
    same_size = out.shape[1:3] == (height, width)
    if same_size and n == len(out):
        cv2.cvtColor(planes.tall, cv2.COLOR_YUV2RGB_I420, dst=out.reshape(n * height, width, 3))
        return
    images = _rgb(planes)
    if not same_size:
        size = (out.shape[2], out.shape[1])
        method = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
        images = np.stack([cv2.resize(image, size, interpolation=method) for image in images])
    out[:] = images if n == len(out) else images[rows]


def _pad(
    planes: _Planes,
    rows: npt.NDArray[np.intp],
    part: Padded,
    out: npt.NDArray[np.uint8],
    *,
    flip: bool,
) -> None:
    """A window on pictures that lie on black, by the pixel nearest to each of its own."""
    images = _rgb(planes, cv2.COLOR_YUV2RGBA_I420)
    if images.shape[1:3] != (part.height, part.width):
        images = np.stack([_resized(image, part.width, part.height) for image in images])
    at = np.floor((np.arange(out.shape[1]) + 0.5) * part.side / out.shape[1]).astype(np.int64)
    down, across = at[:, None] + part.y, (at[::-1] if flip else at) + part.x
    inside = (down >= 0) & (down < part.height) & (across >= 0) & (across < part.width)
    pixels = images.view(np.uint32).reshape(len(images), -1)
    found = pixels.take(np.where(inside, down * part.width + across, 0).reshape(-1), axis=1)
    found[:, ~inside.reshape(-1)] = 0
    out[:] = found.view(np.uint8).reshape(-1, *out.shape[1:3], 4)[rows, :, :, :3]


def _rgb(planes: _Planes, code: int = cv2.COLOR_YUV2RGB_I420) -> Any:
    """Uint8 [n, height, width, channels]."""
    return cv2.cvtColor(planes.tall, code).reshape(*planes.luma.shape, -1)


def _resized(image: Any, width: int, height: int) -> Any:
    """Uint8 [height, width, ...]: by straight lines, which is four times as fast, where that leaves
    out no pixel, else by means of areas along a side that shrinks.
    """
    if image.shape[:2] == (height, width):
        return image
    if image.shape[1] >= 2 * width or image.shape[0] >= 2 * height:
        small = min(width, image.shape[1]), min(height, image.shape[0])
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
