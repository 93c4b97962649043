"""Which part of a packed picture a clip shows, and how it becomes a square of ``size`` pixels.

A part says by ``box`` which rectangle of the packed picture the square stands for, so that a place
in the square can be carried back: column c of S is at ``x + (c + 0.5) * width / S``, mirrored first
where the clip is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import UsageError
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.shards.format.manifest import Manifest

LINES = 192
"""Short side of the frames that the public code of CCAU extracts."""
PADDED = 256
"""Side of the black square on which it lays them in training."""
CUT = 224
"""Side of the square that it then cuts out, and scales by the nearest pixel."""

Box = tuple[float, float, float, float]
"""x, y, width and height in packed pixels; it may reach beyond the picture, where all is black."""


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

    def box(self, width: int, height: int) -> Box:
        """The rectangle that is shown of a picture of this size."""
        return self.x, self.y, self.side, self.side


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole picture, whatever its shape, scaled to a square."""

    def box(self, width: int, height: int) -> Box:
        """The rectangle that is shown of a picture of this size."""
        return 0, 0, width, height


@dataclass(frozen=True, slots=True)
class Padded:
    """A square window on a picture that lies on black.

    The picture is scaled to ``width`` x ``height`` first; the window has its corner at (x, y) of
    that, which may be negative.
    """

    width: int
    height: int
    x: int
    y: int
    side: int = CUT

    @classmethod
    def centre(cls, width: int, height: int) -> Padded:
        """As the public code tests: 192 lines, and of them the middle 224 x 224."""
        short = min(width, height)
        width, height = round(width * LINES / short), round(height * LINES / short)
        return cls(width, height, round((width - CUT) / 2), round((height - CUT) / 2))

    @classmethod
    def random(cls, width: int, height: int, draw: np.random.Generator) -> Padded:
        """As it trains: in the middle of a black 256 x 256, and of that any 224 x 224.

        Pictures of 4:3 with 192 lines just fit; others are scaled until their long side does.
        """
        long = max(width, height)
        width, height = round(width * PADDED / long), round(height * PADDED / long)
        x, y = (int(draw.integers(PADDED - CUT + 1)) for _ in range(2))
        return cls(width, height, x - round((PADDED - width) / 2), y - round((PADDED - height) / 2))

    def box(self, width: int, height: int) -> Box:
        """The rectangle that is shown of a picture of this size."""
        across, down = width / self.width, height / self.height
        return self.x * across, self.y * down, self.side * across, self.side * down


Part = Crop | Whole | Padded


def part_shown(
    width: int, height: int, options: LoaderOptions, draw: np.random.Generator | None
) -> tuple[Part, bool]:
    """What a clip shows of pictures of this size, and whether mirrored; None draws nothing."""
    side = options.crop or options.size
    part: Part
    if options.fit == "stretch":
        part = Whole()
    elif options.fit == "pad":
        part = Padded.centre(width, height) if draw is None else Padded.random(width, height, draw)
    elif draw is None:
        part = Crop.centre(width, height, side)
    else:
        part = Crop.random(width, height, side, draw)
    return part, draw is not None and options.flip and bool(draw.integers(2))


def carried_back(
    places: npt.NDArray[np.float64], part: Part, width: int, height: int, *, mirrored: bool = False
) -> npt.NDArray[np.float64]:
    """Where places of the square lie in the picture of ``width`` x ``height``: the way back.

    ``places`` [..., 2] are x and y as shares of the square's sides, from its upper left corner; the
    answer has them as shares of the picture's, which are those of the source frame as well: it was
    scaled whole. Outside [0, 1] there is nothing but black.
    """
    corner_x, corner_y, across, down = part.box(width, height)
    x, y = places[..., 0], places[..., 1]
    x = 1 - x if mirrored else x
    return np.stack([(corner_x + x * across) / width, (corner_y + y * down) / height], axis=-1)


def require_lines(manifest: Manifest, fit: str, modalities: Iterable[str]) -> None:
    """Raise UsageError where the public code's padding is asked for on frames of other sizes."""
    packed = manifest.packed
    has_pictures = not {"ego", "third"}.isdisjoint(modalities)
    if fit == "pad" and has_pictures and packed.short_side != LINES:
        raise UsageError(
            f"pictures are padded and cut as the public code does from frames of {LINES} lines",
            found=f"shards packed with {packed.short_side}",
            expected=f"a short side of {LINES}",
            hint=f"`homage pack CATALOG SHARDS --size {LINES}`, "
            "or another fit of the pictures: stretch or crop",
        )


def _even(number: int) -> int:
    return number // 2 * 2
