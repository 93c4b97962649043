"""What an object of the world is: parts that every view draws alike, and whose it is."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """A filled polygon in the object's own coordinates: x right, y down, about -1 to 1."""

    points: tuple[Point, ...]
    colour: Colour


@dataclass(frozen=True, slots=True)
class Thing:
    """A kind of object. ``size_m`` is half its extent in metres; ``pitch`` tunes its sounds."""

    name: str
    parts: tuple[Part, ...]
    size_m: float
    pitch: float = 1.0
    soft: bool = False

    @property
    def colour(self) -> Colour:
        """The colour that covers most of it."""
        return self.parts[0].colour


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour by hue, saturation and value, each 0 to 1.

    >>> hsv(0.0, 1.0, 1.0)
    (255, 0, 0)
    """
    r, g, b = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return (int(255 * r), int(255 * g), int(255 * b))


def repainted(thing: Thing, hue_shift: float) -> Thing:
    """The same thing in other colours: hues turn, greys stay."""

    def turn(colour: Colour) -> Colour:
        hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in colour))
        return hsv(hue + hue_shift, saturation, value)

    return replace(thing, parts=tuple(Part(part.points, turn(part.colour)) for part in thing.parts))
