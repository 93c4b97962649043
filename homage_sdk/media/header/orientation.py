"""How the pictures of a video are shown: their size, and which way up (its display matrix)."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from math import atan2, degrees
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import av
import numpy as np
import numpy.typing as npt

from homage_sdk.media.header.opening import open_media
from homage_sdk.media.header.tracks import main_track
from homage_sdk.storage.system_errors import require_enough

if TYPE_CHECKING:
    from av.buffer import Buffer

_TRIED_PACKETS = 600
"""A video without a picture among so many is taken for one without any."""

_SLACK_DEGREES = 2.0

Pixel = TypeVar("Pixel", bound=np.generic)


class Orientation(NamedTuple):
    """What makes a stored picture the displayed one, in this order.

    Any display matrix is taken for the nearest of the eight that move pixels as a whole.
    """

    is_transposed: bool = False
    """Rows become columns."""
    is_mirrored: bool = False
    """Left and right change places."""
    is_flipped: bool = False
    """Top and bottom change places."""

    def __call__(self, image: npt.NDArray[Pixel]) -> npt.NDArray[Pixel]:
        """[H, W, ...] as displayed."""
        image = image.swapaxes(0, 1) if self.is_transposed else image
        image = image[:, ::-1] if self.is_mirrored else image
        return np.ascontiguousarray(image[::-1] if self.is_flipped else image)


class Form(NamedTuple):
    """Of a video, by the first of its pictures that decodes.

    Attributes:
        width, height: pixels, as stored.
        orientation: how they are shown.
        off_degrees: how far the stated angle is from a quarter turn, 0 within 2 degrees.
        angle: as PyAV says it, in degrees.

    """

    width: int
    height: int
    orientation: Orientation = Orientation()
    off_degrees: float = 0.0
    angle: int = 0

    @property
    def displayed(self) -> tuple[int, int]:
        """Width and height as displayed."""
        turned = self.orientation.is_transposed
        return (self.height, self.width) if turned else (self.width, self.height)

    def difference(self, frame: av.VideoFrame) -> str:
        """Why a picture of the same video is not to be shown like the first one; "" for most.

        A stream may state its matrix once: where it states none, nothing changes.
        """
        if (frame.width, frame.height) != (self.width, self.height):
            return (
                f"its size is {frame.width}x{frame.height}, the video's {self.width}x{self.height}"
            )
        if frame.rotation not in (0, self.angle):
            return f"it is turned by {frame.rotation} degrees, the first picture by {self.angle}"
        return ""


@lru_cache(maxsize=4096)
def first_form(path: str, *state: object) -> tuple[Form | None, Exception | None]:
    """The form of the first picture that decodes, or what the decoder said of the first that fails.

    ``state``: of the file, so that one replaced under the same name is another. Raises MediaError
    where the file cannot be opened.
    """
    refused: Exception | None = None
    with open_media(Path(path)) as container:
        video = main_track(container.streams.video)
        if video is None or video.codec_context is None:
            return None, None
        try:
            for packet in islice(container.demux(video), _TRIED_PACKETS):
                try:
                    frame = next(iter(packet.decode()), None)
                except av.FFmpegError as error:
                    refused = refused or error
                    continue
                if frame is not None:
                    matrix = _matrix(frame)
                    stated = (Orientation(), 0.0) if matrix is None else _orientation(matrix)
                    return Form(frame.width, frame.height, *stated, frame.rotation), None
        except (av.FFmpegError, OSError) as error:
            require_enough(error)
            refused = error
    return None, refused


def _matrix(frame: av.VideoFrame) -> tuple[int, int, int, int] | None:
    """The four numbers of a display matrix that turn and mirror; None where none is stated.

    Only for a frame that is not used: PyAV keeps it in a cycle from now on, until the collector
    comes, which may be in a forked child.
    """
    stated = frame.side_data.get("DISPLAYMATRIX")
    if stated is None:
        return None
    a, b, _, c, d = np.frombuffer(bytes(cast("Buffer", stated)), "=i4", 5).tolist()
    return cast("tuple[int, int, int, int]", (a, b, c, d)) if a * d != b * c else None


def _orientation(matrix: tuple[int, int, int, int]) -> tuple[Orientation, float]:
    """Row vectors are multiplied: x' = a x + c y, y' = b x + d y, y downwards."""
    a, b, c, d = matrix
    is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
    x, y = (c, b) if is_transposed else (a, d)
    angle = degrees(atan2(b, a)) % 90
    off = min(angle, 90 - angle)
    orientation = Orientation(is_transposed, x < 0, y < 0)
    return orientation, round(off, 1) if off > _SLACK_DEGREES else 0.0
