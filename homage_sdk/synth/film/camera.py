"""A pinhole camera in a room, and the polygons it sees."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, sin

import numpy as np
import numpy.typing as npt

from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.world.rooms import ROOM_DEPTH_M, ROOM_WIDTH_M, Room, Spot
from homage_sdk.synth.world.things import Colour

Floats = npt.NDArray[np.float64]

_NEAR_M = 0.12


@dataclass(frozen=True, slots=True)
class Camera:
    """Where a third-person camera stands and what its sensor does to colours."""

    view: int
    position: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], ...]
    """Unit vectors right, down, forward."""
    focal: float
    """In picture heights."""
    width: int
    height: int
    cast: tuple[float, float, float]

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels [n, 2] and depth in metres [n] of points [n, 3] in room coordinates."""
        local = (points - np.array(self.position)) @ np.array(self.axes).T
        depth = np.maximum(local[:, 2], 1e-3)
        scale = self.focal * self.height / depth
        pixels = np.stack(
            [self.width / 2 + local[:, 0] * scale, self.height / 2 + local[:, 1] * scale], axis=1
        )
        return pixels, local[:, 2]

    def polygon(self, points: Floats) -> Floats | None:
        """A flat polygon [n, 3] in pixels, cut at the near plane; None where nothing is left."""
        local = (points - np.array(self.position)) @ np.array(self.axes).T
        if local[:, 2].min() >= _NEAR_M:
            return self._flat(local)
        kept: list[Floats] = []
        for here, there in zip(local, np.roll(local, -1, axis=0), strict=True):
            if here[2] >= _NEAR_M:
                kept.append(here)
            if (here[2] >= _NEAR_M) != (there[2] >= _NEAR_M):
                kept.append(here + (_NEAR_M - here[2]) / (there[2] - here[2]) * (there - here))
        if len(kept) < 3:
            return None
        return self._flat(np.array(kept))

    def _flat(self, local: Floats) -> Floats:
        scale = self.focal * self.height / local[:, 2:3]
        return np.asarray(np.array([self.width / 2, self.height / 2]) + local[:, :2] * scale)

    def pixels_per_metre(self, depth_m: float) -> float:
        """How large a metre is at that depth."""
        return self.focal * self.height / max(depth_m, 0.3)

    def cast_colour(self, colour: Colour, light: float = 1.0) -> Colour:
        """A colour as this camera records it."""
        r, g, b = (
            min(255, max(0, int(c * k * light))) for c, k in zip(colour, self.cast, strict=True)
        )
        return (r, g, b)


_ANGLES = {1: -0.75, 2: 0.75, 3: -0.2, 4: 1.2, 5: -1.2}
_TRIES = 24
_CLEAR_M = 0.35


def camera(
    seed: int, sequence: str, view: int, place: Room, spot: Spot, size: tuple[int, int]
) -> Camera:
    """The camera of one view of one take: another corner a view, set up anew for every take.

    It is not inside a piece of furniture, and head and chest are in sight. Legs and hands may be
    hidden.
    """
    rng = stream(seed, "camera", sequence, view)
    cast = 0.9 + 0.2 * stream(seed, "camera cast", place.number, view).random(3)
    base = atan2(spot.inward[1], spot.inward[0])
    best, best_hidden = np.zeros(3), 99
    for attempt in range(_TRIES):
        loose = 0.12 + 0.06 * attempt
        angle = base + _ANGLES.get(view, 0.3 * view) + loose * float(rng.standard_normal())
        distance = 2.6 + 0.5 * rng.random() - 0.03 * attempt
        x = min(max(spot.x + distance * cos(angle), 0.1), ROOM_WIDTH_M - 0.1)
        y = min(max(spot.y + distance * sin(angle), 0.1), ROOM_DEPTH_M - 0.1)
        position = np.array([x, y, 1.5 + 0.55 * rng.random()])
        hidden = _hidden(position, place, spot)
        if hidden < best_hidden:
            best, best_hidden = position, hidden
        if hidden == 0:
            break
    target = np.array([spot.x, spot.y, 0.8 + 0.1 * rng.random()])
    forward = target - best
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    axes = tuple((float(v[0]), float(v[1]), float(v[2])) for v in (right, down, forward))
    return Camera(
        view,
        (float(best[0]), float(best[1]), float(best[2])),
        axes,
        0.95 + 0.15 * float(rng.random()),
        size[0],
        size[1],
        (float(cast[0]), float(cast[1]), float(cast[2])),
    )


def _hidden(position: Floats, place: Room, spot: Spot) -> int:
    """How badly placed a camera is: furniture around it, or between it and the person."""
    low = np.array([b.low for b in place.blocks])
    high = np.array([b.high for b in place.blocks])
    gap = np.maximum(np.maximum(low - position, position - high), 0.0)
    near = (np.linalg.norm(gap[:, :2], axis=1) < _CLEAR_M) & (high[:, 2] > position[2] - 0.7)
    bad = 20 * int(near.any())
    away = float(np.hypot(position[0] - spot.x, position[1] - spot.y))
    bad += 5 * int(away < 1.5)
    for height in (0.75, 1.1, 1.5):
        aim = np.array([spot.x, spot.y, height])
        ray = position + (aim - position) * np.linspace(0.02, 0.85, 24)[:, None]
        inside = ((ray[:, None] > low) & (ray[:, None] < high)).all(axis=2)
        bad += int(inside.any())
    return bad
