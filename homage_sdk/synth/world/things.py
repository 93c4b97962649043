"""What an object of the world is: parts that every view draws alike, and whose it is."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from math import cos, pi, sin

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

Point = tuple[float, float]

STEEL: Colour = (176, 186, 196)
DARK: Colour = (34, 34, 40)
WHITE: Colour = (240, 240, 236)
WOOD: Colour = (150, 96, 48)


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


def oval(x: float, y: float, rx: float, ry: float, n: int = 16) -> tuple[Point, ...]:
    """An ellipse around (x, y), as a polygon of n corners."""
    return tuple((x + rx * cos(2 * pi * k / n), y + ry * sin(2 * pi * k / n)) for k in range(n))


def box(x1: float, y1: float, x2: float, y2: float) -> tuple[Point, ...]:
    """A rectangle from one corner to the opposite one."""
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
