"""Drawing with sub-pixel edges: colours into a picture, or one ink into a map of what is where."""

from __future__ import annotations

from functools import lru_cache
from math import cos, sin

import cv2
import numpy as np
import numpy.typing as npt

from homage_sdk.synth.world.things import Colour, Point, Thing

Picture = npt.NDArray[np.uint8]
"""[H, W, 3] RGB, or [H, W] for a map of inks."""

Floats = npt.NDArray[np.float64]

_SHIFT = 4
_LIMIT = 30000.0
_Ink = tuple[int, ...]


@lru_cache(maxsize=1024)
def _array(points: tuple[Point, ...]) -> Floats:
    return np.array(points)


def _pixel(at: Floats) -> tuple[int, int]:
    x, y = float(at[0]), float(at[1])
    return (round(min(max(x, -4000.0), 4000.0)), round(min(max(y, -4000.0), 4000.0)))


class Painter:
    """Draws on a picture; with an ``ink``, every shape is filled with it and edges are hard.

    The same calls that paint a frame so tell which pixels an object covers.
    """

    def __init__(self, picture: Picture, ink: int | None = None) -> None:
        self.picture = picture
        self.ink = ink
        self._line = cv2.LINE_AA if ink is None else cv2.LINE_8

    def _colour(self, colour: Colour) -> _Ink:
        return colour if self.ink is None else (self.ink,)

    def polygon(self, points: Floats, colour: Colour) -> None:
        """Fill a polygon [n, 2] in pixels."""
        near = np.minimum(np.maximum(points, -_LIMIT), _LIMIT)
        fixed = np.rint(near * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(self.picture, [fixed], self._colour(colour), self._line, _SHIFT)

    def limb(self, a: Floats, b: Floats, width: float, colour: Colour) -> None:
        """A thick line with round ends from pixel ``a`` to pixel ``b``."""
        start, end = _pixel(a), _pixel(b)
        thick = max(1, round(width))
        cv2.line(self.picture, start, end, self._colour(colour), thick, self._line)

    def disc(self, centre: Floats, radius: float, colour: Colour) -> None:
        """A filled circle."""
        at, size = _pixel(centre), max(1, round(radius))
        cv2.circle(self.picture, at, size, self._colour(colour), -1, self._line)

    def thing(
        self,
        item: Thing,
        centre: Floats,
        scale: float,
        *,
        angle: float = 0.0,
        stretch: tuple[float, float] = (1.0, 1.0),
        light: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        """An object with half its extent at ``scale`` pixels, turned by ``angle`` radians."""
        turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
        size = np.array(stretch) * scale
        for part in item.parts:
            r, g, b = (min(255, int(c * k)) for c, k in zip(part.colour, light, strict=True))
            self.polygon((_array(part.points) * size) @ turn + centre, (r, g, b))
