"""A third-person view: the room, its furniture, the whole body, and objects that are small.

What does not move is painted once a take. Furniture nearer to the camera than the person hides
the person; what the person holds may be hidden by the body. ``inks`` tells which pixels show what,
drawn by the same calls as the picture: the scene graphs' boxes come from it.
"""

from __future__ import annotations

import cv2
import numpy as np

from homage_sdk.synth.film.body import Draw, body_parts
from homage_sdk.synth.film.camera import Camera
from homage_sdk.synth.film.canvas import Floats, Painter, Picture
from homage_sdk.synth.film.stage import Stage, chair
from homage_sdk.synth.world.grammar import seat
from homage_sdk.synth.world.pose import Pose, offset, pose_at
from homage_sdk.synth.world.scene import Scene
from homage_sdk.synth.world.things import Thing

PERSON = "person"

_ENLARGED = 1.1
"""Objects are drawn a little larger than life, so that a small picture still shows them."""


class ThirdView:
    """Draws one third-person view of one take; ``frame`` is a pure function of time."""

    def __init__(self, scene: Scene, camera: Camera) -> None:
        self.scene = scene
        self.camera = camera
        activity = scene.script.activity
        self.seat = seat(activity.place) if activity.posture == "sit" else ""
        blocks = scene.room.blocks
        if self.seat == "chair":
            blocks = (*blocks, *chair(scene.spot))
        self.furniture = next((b.category for b in blocks if b.place == activity.place), "")
        facing = np.array([np.cos(scene.spot.facing), np.sin(scene.spot.facing)])
        self.faces_wall = float(facing @ np.array(scene.spot.inward)) < 0
        self.stage = Stage(scene.room, blocks, camera)
        self.names = (PERSON, *activity.things, *self.stage.categories)
        """What an ink stands for: ink k is ``names[k - 1]``."""
        self._ink = {name: k for k, name in enumerate(self.names, 1)}
        self._stage_inks: Picture | None = None

    def pose(self, time_s: float) -> Pose:
        """The body at a moment."""
        return pose_at(self.scene.script, self.scene.person, self.scene.spot, time_s)

    def _moving(self, pose: Pose, time_s: float) -> list[tuple[str, Draw]]:
        """The moving parts from far to near, each with the name of what it is part of."""
        body = body_parts(pose, self.scene.person, self.camera, self.stage.colour)
        parts = [(depth, PERSON, draw) for depth, draw in body] + self._objects(pose, time_s)
        parts.sort(key=lambda part: -part[0])
        return [(name, draw) for _, name, draw in parts]

    def _objects(self, pose: Pose, time_s: float) -> list[tuple[float, str, Draw]]:
        script, person = self.scene.script, self.scene.person
        right, left = script.at(time_s, "right"), script.at(time_s, "left")
        spots: dict[str, tuple[Floats, float]] = {}
        if left is not None:
            spots[left.thing] = (pose.hands[0], 0.0)
        if right is not None:
            turn = offset(script, person, time_s, "right").turn
            spots[right.tool or right.thing] = (pose.hands[1], turn)
            if right.thing not in spots:
                middle = (pose.hands[0] + pose.hands[1]) / 2
                spots[right.thing] = (middle + 0.1 * pose.forward, 0.0)
        for k, name in enumerate(n for n in script.activity.things if n not in spots):
            spots[name] = (self._resting(k), 0.0)
        parts = []
        for name, (at, turn) in spots.items():
            pixels, depth = self.camera.project((at - 0.02 * pose.forward)[None])
            draw = self._object(self.scene.things[name], pixels[0], float(depth[0]), turn)
            parts.append((float(depth[0]), name, draw))
        return parts

    def _object(self, item: Thing, at: Floats, depth_m: float, turn: float) -> Draw:
        size = self.camera.pixels_per_metre(depth_m) * item.size_m * _ENLARGED
        r, g, b = (c * self.scene.room.light for c in self.camera.cast)

        def draw(paint: Painter) -> None:
            paint.thing(item, at, size, angle=turn, light=(r, g, b))

        return draw

    def _resting(self, k: int) -> Floats:
        spot = self.scene.spot
        aside = np.array([np.sin(spot.facing), -np.cos(spot.facing)]) * (0.45 + 0.25 * k)
        ahead = np.array([np.cos(spot.facing), np.sin(spot.facing)]) * 0.5
        height = spot.surface_m + 0.05 if spot.surface_m else 0.5
        return np.array([spot.x + aside[0] + ahead[0], spot.y + aside[1] + ahead[1], height])

    def frame(self, time_s: float) -> Picture:
        """RGB [H, W, 3] at a moment of the take."""
        picture = self.stage.picture.copy()
        pose = self.pose(time_s)
        paint = Painter(picture)
        self._shadow(paint, pose)
        for _, draw in self._moving(pose, time_s):
            draw(paint)
        hiding = self.stage.in_front(pose.hip, self.seat)
        if hiding:
            cv2.copyTo(self.stage.picture, self.stage.mask(hiding), picture)
        return picture

    def _shadow(self, paint: Painter, pose: Pose) -> None:
        middle = (pose.feet[0] + pose.feet[1]) / 2
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        x, y = middle[0] + 0.3 * np.cos(turn), middle[1] + 0.3 * np.sin(turn)
        seen = self.camera.polygon(np.stack([x, y, np.zeros_like(x)], axis=1))
        if seen is not None:
            paint.polygon(seen, self.stage.colour((70, 60, 55)))

    def inks(self, time_s: float) -> Picture:
        """[H, W]: 0 for walls and floor, k where ``names[k - 1]`` is what the camera sees."""
        if self._stage_inks is None:
            self._stage_inks = self.stage.inks(self._ink)
        seen = self._stage_inks.copy()
        pose = self.pose(time_s)
        for name, draw in self._moving(pose, time_s):
            draw(Painter(seen, self._ink[name]))
        hiding = self.stage.in_front(pose.hip, self.seat)
        if hiding:
            cv2.copyTo(self._stage_inks, self.stage.mask(hiding), seen)
        return seen
