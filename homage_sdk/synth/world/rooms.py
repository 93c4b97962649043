"""Participants and rooms with lasting looks, and where furniture and cameras stand.

Room coordinates are metres: x along the room, y across it, z up. Every place (sink, sofa ...) has a
spot where the person stands or sits, an inward normal that points into the room, and furniture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.world.shapes import THINGS
from homage_sdk.synth.world.things import Colour, Thing, hsv, repainted

ROOM_WIDTH_M, ROOM_DEPTH_M, ROOM_HEIGHT_M = 6.0, 5.0, 2.6

OWN_COLOURS = 0.25
"""The share of things that a participant has in a colour of their own: shape tells, not colour."""

PLACES = ("sink", "counter", "table", "sofa", "bed", "board", "desk", "window", "floor")


@dataclass(frozen=True, slots=True)
class Participant:
    """How a person looks, moves and sounds, for ever."""

    number: int
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    height_m: float
    tremor: float
    tempo: float


@dataclass(frozen=True, slots=True)
class Block:
    """A cuboid of furniture: corners in metres, colour, the category and place it is part of."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: Colour
    category: str
    place: str = ""

    @property
    def centre(self) -> tuple[float, float, float]:
        """The middle of the cuboid."""
        x, y, z = ((a + b) / 2 for a, b in zip(self.low, self.high, strict=True))
        return (x, y, z)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the person is at a place: feet, facing (radians), the surface they work on."""

    x: float
    y: float
    facing: float
    surface_m: float
    inward: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Room:
    """A room's lasting looks and furniture."""

    number: int
    wall: Colour
    side_wall: Colour
    floor: Colour
    floor_line: Colour
    surface: Colour
    blocks: tuple[Block, ...]
    spots: dict[str, Spot]
    hum_hz: float
    noise_level: float
    light: float
    decor: tuple[tuple[tuple[tuple[float, float, float], ...], Colour], ...]
    """Flat things on walls and floor: corners and colour."""


def participant(seed: int, number: int) -> Participant:
    """The person of that number."""
    rng = stream(seed, "participant", number)
    skin = [(238, 200, 170), (212, 160, 120), (160, 108, 74), (108, 70, 48), (246, 214, 190)]
    hair = [(40, 28, 20), (90, 60, 30), (190, 150, 80), (120, 120, 120), (20, 20, 22)]
    return Participant(
        number,
        skin[int(rng.integers(len(skin)))],
        hair[int(rng.integers(len(hair)))],
        hsv(rng.random(), 0.35 + 0.4 * rng.random(), 0.45 + 0.45 * rng.random()),
        hsv(0.55 + 0.2 * rng.random(), 0.2 + 0.4 * rng.random(), 0.2 + 0.3 * rng.random()),
        1.58 + 0.3 * rng.random(),
        0.5 + rng.random(),
        0.85 + 0.3 * rng.random(),
    )


def belongings(seed: int, number: int, names: tuple[str, ...]) -> dict[str, Thing]:
    """What this participant's things look like: mostly the usual colours, some their own."""
    owned = {}
    for name in names:
        rng = stream(seed, "belonging", number, name)
        odd = rng.random() < OWN_COLOURS
        shift = rng.random() if odd else 0.03 * rng.standard_normal()
        owned[name] = repainted(THINGS[name], float(shift))
    return owned


def room(seed: int, number: int) -> Room:
    """The room of that number: eight places along its walls, in an order of its own."""
    rng = stream(seed, "room", number)
    hue = rng.random()
    surface = hsv(0.06 + 0.08 * rng.random(), 0.15 + 0.4 * rng.random(), 0.5 + 0.35 * rng.random())
    slots = [
        (1.0, 0.0, (0.0, 1.0)),
        (3.0, 0.0, (0.0, 1.0)),
        (5.0, 0.0, (0.0, 1.0)),
        (1.0, ROOM_DEPTH_M, (0.0, -1.0)),
        (3.0, ROOM_DEPTH_M, (0.0, -1.0)),
        (5.0, ROOM_DEPTH_M, (0.0, -1.0)),
        (0.0, 2.5, (1.0, 0.0)),
        (ROOM_WIDTH_M, 2.5, (-1.0, 0.0)),
    ]
    order = rng.permutation(len(slots))
    blocks: list[Block] = []
    spots: dict[str, Spot] = {}
    for place, slot in zip(PLACES[:-1], order, strict=True):
        x, y, inward = slots[int(slot)]
        pieces, spot = _furnish(place, x, y, inward, surface, rng)
        blocks += pieces
        spots[place] = spot
    spots["floor"] = Spot(3.0, 2.5, 0.0, 0.0, (0.0, -1.0))
    return Room(
        number,
        hsv(hue, 0.08 + 0.2 * rng.random(), 0.72 + 0.2 * rng.random()),
        hsv(hue, 0.12 + 0.2 * rng.random(), 0.6 + 0.2 * rng.random()),
        hsv(0.07, 0.2 + 0.3 * rng.random(), 0.4 + 0.3 * rng.random()),
        hsv(0.07, 0.3, 0.3),
        surface,
        tuple(blocks),
        spots,
        50.0 + 70.0 * rng.random(),
        0.004 + 0.008 * rng.random(),
        0.8 + 0.35 * rng.random(),
        _decor(rng),
    )


def _decor(
    rng: np.random.Generator,
) -> tuple[tuple[tuple[tuple[float, float, float], ...], Colour], ...]:
    """Pictures on the walls, a door, a rug."""
    w, d = ROOM_WIDTH_M, ROOM_DEPTH_M
    flat: list[tuple[tuple[tuple[float, float, float], ...], Colour]] = []

    def on_wall(a: float, b: float, low: float, high: float, wall: int, colour: Colour) -> None:
        ends = {
            0: ((a, 0.01), (b, 0.01)),
            1: ((w - 0.01, a), (w - 0.01, b)),
            2: ((a, d - 0.01), (b, d - 0.01)),
            3: ((0.01, a), (0.01, b)),
        }[wall]
        (x1, y1), (x2, y2) = ends
        flat.append((((x1, y1, low), (x2, y2, low), (x2, y2, high), (x1, y1, high)), colour))

    for wall in range(4):
        for at in (0.6, 2.2, 3.8):
            if rng.random() < 0.7:
                wide, high = 0.3 + 0.4 * rng.random(), 0.3 + 0.3 * rng.random()
                base = 1.45 + 0.2 * rng.random()
                frame = hsv(0.08, 0.4, 0.25)
                on_wall(at, at + wide + 0.1, base - 0.05, base + high + 0.05, wall, frame)
                inner = hsv(rng.random(), 0.3 + 0.3 * rng.random(), 0.6 + 0.3 * rng.random())
                on_wall(at + 0.05, at + wide + 0.05, base, base + high, wall, inner)
    on_wall(4.1, 4.9, 0.0, 2.05, int(rng.integers(4)), hsv(0.08, 0.35, 0.4))
    rug = hsv(rng.random(), 0.25 + 0.25 * rng.random(), 0.4 + 0.3 * rng.random())
    x, y = 2.0 + rng.random(), 1.6 + 0.6 * rng.random()
    flat.append((((x, y, 0), (x + 1.8, y, 0), (x + 1.8, y + 1.3, 0), (x, y + 1.3, 0)), rug))
    return tuple(flat)


_HUES: dict[str, tuple[float, float, float]] = {
    "sink": (0.55, 0.12, 0.82),
    "counter": (0.12, 0.25, 0.86),
    "table": (0.07, 0.55, 0.55),
    "sofa": (0.98, 0.55, 0.62),
    "bed": (0.6, 0.45, 0.75),
    "board": (0.4, 0.5, 0.7),
    "desk": (0.08, 0.15, 0.35),
    "window": (0.53, 0.25, 0.98),
}


def _furnish(
    place: str,
    x: float,
    y: float,
    inward: tuple[float, float],
    surface: Colour,
    rng: np.random.Generator,
) -> tuple[list[Block], Spot]:
    """The cuboids of a place that stands against the wall at (x, y), and the person's spot."""
    hue, saturation, value = _HUES[place]
    colour = hsv(hue + 0.04 * (rng.random() - 0.5), saturation, value * (0.9 + 0.1 * rng.random()))
    dark = hsv(hue, saturation, value * 0.6)
    u = (-inward[1], inward[0])

    def block(
        along: tuple[float, float], out: tuple[float, float], up: tuple[float, float], c: Colour
    ) -> Block:
        corners = [
            (x + u[0] * a + inward[0] * o, y + u[1] * a + inward[1] * o) for a in along for o in out
        ]
        xs, ys = zip(*corners, strict=True)
        return Block((min(xs), min(ys), up[0]), (max(xs), max(ys), up[1]), c, category, place)

    def spot(out: float, *, toward_wall: bool, surface_m: float) -> Spot:
        sign = -1.0 if toward_wall else 1.0
        facing = float(np.arctan2(sign * inward[1], sign * inward[0]))
        return Spot(x + inward[0] * out, y + inward[1] * out, facing, surface_m, inward)

    category = {"board": "iron_board", "counter": "countertop", "window": "shelf"}.get(place, place)
    if place == "sink":
        pieces = [
            block((-0.8, 0.8), (0.0, 0.6), (0.0, 0.88), colour),
            block((-0.45, 0.45), (0.1, 0.55), (0.88, 0.9), (90, 130, 160)),
            block((-0.04, 0.04), (0.05, 0.12), (0.88, 1.2), (150, 160, 170)),
            block((-0.04, 0.04), (0.05, 0.3), (1.16, 1.2), (150, 160, 170)),
        ]
        return pieces, spot(0.9, toward_wall=True, surface_m=0.95)
    if place == "counter":
        pieces = [
            block((-0.9, 0.9), (0.0, 0.6), (0.0, 0.86), dark),
            block((-0.9, 0.9), (0.0, 0.62), (0.86, 0.92), colour),
            block((-0.9, 0.9), (0.0, 0.35), (1.5, 2.1), colour),
        ]
        return pieces, spot(0.92, toward_wall=True, surface_m=0.97)
    if place == "table":
        pieces = [
            block((-0.75, 0.75), (0.75, 1.35), (0.7, 0.76), colour),
            *(
                block((a, a + 0.07), (o, o + 0.07), (0.0, 0.7), dark)
                for a in (-0.7, 0.63)
                for o in (0.8, 1.23)
            ),
        ]
        return pieces, spot(0.45, toward_wall=False, surface_m=0.8)
    if place == "desk":
        pieces = [
            block((-0.7, 0.7), (0.0, 0.6), (0.7, 0.75), colour),
            block((-0.7, -0.4), (0.02, 0.58), (0.0, 0.7), dark),
            block((-0.1, 0.6), (0.03, 0.08), (0.8, 1.25), (30, 40, 60)),
        ]
        return pieces, spot(0.95, toward_wall=True, surface_m=0.8)
    if place == "sofa":
        pieces = [
            block((-0.95, 0.95), (0.0, 0.25), (0.0, 0.92), dark),
            block((-0.95, 0.95), (0.2, 0.85), (0.0, 0.44), colour),
            block((-1.1, -0.9), (0.0, 0.85), (0.0, 0.62), dark),
            block((0.9, 1.1), (0.0, 0.85), (0.0, 0.62), dark),
        ]
        return pieces, spot(0.55, toward_wall=False, surface_m=0.75)
    if place == "bed":
        pieces = [
            block((-0.85, 0.85), (0.0, 0.95), (0.0, 0.4), dark),
            block((-0.85, 0.85), (0.0, 0.95), (0.4, 0.55), colour),
            block((-0.8, -0.4), (0.2, 0.8), (0.55, 0.68), (240, 240, 240)),
        ]
        return pieces, spot(1.25, toward_wall=True, surface_m=0.65)
    if place == "board":
        pieces = [
            block((-0.7, 0.7), (0.8, 1.15), (0.84, 0.9), colour),
            block((-0.35, -0.28), (0.85, 1.1), (0.0, 0.84), (150, 150, 150)),
            block((0.28, 0.35), (0.85, 1.1), (0.0, 0.84), (150, 150, 150)),
        ]
        return pieces, spot(0.5, toward_wall=False, surface_m=0.95)
    pieces = [
        block((-0.6, 0.6), (0.0, 0.03), (1.0, 2.1), (170, 215, 250)),
        block((-0.7, 0.7), (0.0, 0.35), (0.0, 0.8), colour),
        block((-0.55, -0.25), (0.05, 0.32), (0.8, 1.05), (170, 90, 60)),
        block((-0.6, -0.2), (0.02, 0.34), (1.05, 1.4), (50, 150, 70)),
    ]
    return pieces, spot(0.75, toward_wall=True, surface_m=0.9)
