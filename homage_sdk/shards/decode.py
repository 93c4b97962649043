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

MAX_SIDE = 4096
"""A packed picture larger than this is refused before a frame of it is decoded."""


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
    """Write the frames at ascending packed ``positions`` (repeats allowed) into ``out``.

    Args:
        data: a packed MP4.
        positions: int64 [F].
        fps: packed frames a second.
        crop: what to cut out; None for the whole picture.
        out: uint8 [F, S, S, 3] (or [F, h, w, 3] without a crop), C-contiguous.
        flip: mirror left and right.
        place: for errors: which member of which sample this is.

    Raises:
        ShardError: the payload is damaged or is not what the manifest says.

    """
    try:
        with av.open(io.BytesIO(data), "r", metadata_errors="replace") as container:
            if not container.streams.video:
                raise ShardError("a view without a picture", place=place)
            wanted = np.unique(positions)
            planes = _planes(container, wanted, fps, crop, place)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise ShardError(
            "a view that cannot be decoded",
            place=place,
            found=str(getattr(error, "strerror", None) or error),
            hint="run `homage verify SHARDS --deep`, then `homage repair`",
        ) from error
    _to_rgb(planes, np.searchsorted(wanted, positions), out, flip)


@dataclass(frozen=True, slots=True)
class _Planes:
    """n frames as one tall I420 picture: all luma, then all U, then all V."""

    n: int
    height: int
    width: int
    buffer: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls, n: int, height: int, width: int) -> _Planes:
        return cls(n, height, width, np.empty(n * height * width * 3 // 2, dtype=np.uint8))

    def of(self, row: int) -> list[npt.NDArray[np.uint8]]:
        """Views of one frame's three planes."""
        luma = self.n * self.height * self.width
        y = self.buffer[:luma].reshape(self.n, self.height, self.width)[row]
        uv = self.buffer[luma:].reshape(2, self.n, self.height // 2, self.width // 2)
        return [y, uv[0, row], uv[1, row]]


def _planes(
    container: Any, wanted: npt.NDArray[np.int64], fps: float, crop: Crop | None, place: str
) -> _Planes:
    """Decode the frames at ascending positions and keep what the crop shows of them."""
    stream = container.streams.video[0]
    context = stream.codec_context
    if not (0 < context.width <= MAX_SIDE and 0 < context.height <= MAX_SIDE):
        raise ShardError(
            "a picture of absurd size", place=place, found=f"{context.width}x{context.height}"
        )
    context.thread_count = 1
    step = 1 / (fps * float(stream.time_base))  # ticks a frame
    if wanted[0]:
        container.seek(round(int(wanted[0]) * step), stream=stream)
    width, height = (context.width, context.height) if crop is None else (crop.side, crop.side)
    x, y = (0, 0) if crop is None else (crop.x, crop.y)
    if x + width > context.width or y + height > context.height or (width | height | x | y) & 1:
        raise ShardError(
            "a picture of another size than the manifest says",
            place=place,
            found=f"{context.width}x{context.height}",
        )
    planes = _Planes.empty(len(wanted), height, width)
    row = 0
    for frame in container.decode(stream):
        if frame.pts is None or round(frame.pts / step) < wanted[row]:
            continue
        if round(frame.pts / step) != wanted[row] or frame.format.name != "yuv420p":
            break
        if (frame.width, frame.height) != (context.width, context.height):
            break
        for plane, target, divide in zip(frame.planes, planes.of(row), (1, 2, 2), strict=True):
            pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            top, left = y // divide, x // divide
            target[:] = pixels[top : top + target.shape[0], left : left + target.shape[1]]
        row += 1
        if row == len(wanted):
            return planes
    raise ShardError(
        "a view lacks a frame",
        place=place,
        found=f"none at position {wanted[row]}",
        hint="run `homage verify SHARDS --deep`, then `homage repair`",
    )


def _to_rgb(
    planes: _Planes, rows: npt.NDArray[np.intp], out: npt.NDArray[np.uint8], flip: bool
) -> None:
    """Convert all frames at once, scale and mirror them, and lay them out in the order of rows."""
    n, height, width = planes.n, planes.height, planes.width
    tall = planes.buffer.reshape(n * height * 3 // 2, width)
    same_size = out.shape[1:3] == (height, width)
    if same_size and n == len(out) and not flip:
        cv2.cvtColor(tall, cv2.COLOR_YUV2RGB_I420, dst=out.reshape(n * height, width, 3))
        return
    images = cv2.cvtColor(tall, cv2.COLOR_YUV2RGB_I420).reshape(n, height, width, 3)
    if not same_size:
        size = (out.shape[2], out.shape[1])
        method = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
        images = np.stack([cv2.resize(image, size, interpolation=method) for image in images])
    if flip:
        images = images[:, :, ::-1]
    out[:] = images if n == len(out) else images[rows]
