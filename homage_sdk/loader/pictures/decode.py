"""From a packed view to pixels, as fast as one thread can (MEDIA.md, "How to decode fast").

The planes of each wanted frame are cropped into one tall I420 picture for the whole clip, and one
colour conversion turns that into RGB.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import ShardError
from homage_sdk.loader.pictures.i420 import lay_out
from homage_sdk.media.header.opening import open_packed, reason

MAX_SIDE = 4096
"""A packed picture larger than this is refused before a frame of it is decoded."""
UNDECODABLE = "run `homage verify SHARDS --deep`, then `homage repair SHARDS CATALOG`"
"""What to do about a member that cannot be decoded."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square cut of ``side`` pixels with its corner at (x, y), all even."""

    x: int
    y: int
    side: int

    @classmethod
    def centre(cls, width: int, height: int, side: int) -> Crop:
        """The middle of a picture; at most its short side."""
        side = _even(min(side, width, height))
        return cls(_even((width - side) // 2), _even((height - side) // 2), side)

    @classmethod
    def random(cls, width: int, height: int, side: int, draw: np.random.Generator) -> Crop:
        """Anywhere in a picture; at most its short side."""
        side = _even(min(side, width, height))
        x = int(draw.integers((width - side) // 2 + 1)) * 2
        y = int(draw.integers((height - side) // 2 + 1)) * 2
        return cls(min(x, _even(width - side)), min(y, _even(height - side)), side)


def _even(number: int) -> int:
    return number // 2 * 2


def decode_clip(
    data: bytes,
    positions: npt.NDArray[np.int64],
    fps: float,
    crop: Crop | None,
    out: npt.NDArray[np.uint8],
    *,
    flip: bool = False,
    place: str = "",
) -> None:
    """Write the frames of a packed MP4 at ascending ``positions`` (repeats allowed) into ``out``.

    ``positions`` int64 [F] count ``fps`` packed frames a second; ``out`` is uint8 [F, S, S, 3]
    (or [F, h, w, 3] without a crop), or I420 [F, S * S * 3 / 2], C-contiguous. ``place`` says in
    errors which member this is.
    Raises ShardError where the payload is damaged or is not what the manifest says.
    """
    try:
        with open_packed(io.BytesIO(data), "mp4") as container:
            if not container.streams.video:
                raise ShardError("a view without a picture", place=place)
            wanted, rows = np.unique(positions, return_inverse=True)
            planes = _planes(container, wanted.tolist(), fps, crop, place)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise ShardError(
            "a view that cannot be decoded",
            place=place,
            found=reason(error),
            hint=UNDECODABLE,
        ) from error
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
    images = cv2.cvtColor(planes.tall, cv2.COLOR_YUV2RGB_I420).reshape(n, height, width, 3)
    if not same_size:
        size = (out.shape[2], out.shape[1])
        method = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
        images = np.stack([cv2.resize(image, size, interpolation=method) for image in images])
    out[:] = images if n == len(out) else images[rows]
