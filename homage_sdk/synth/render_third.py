"""A third-person view: the room, its furniture, the whole body, and objects that are small.

What does not move is painted once a take. Furniture nearer to the camera than the person hides
the person; what the person holds may be hidden by the body. ``inks`` tells which pixels show what,
drawn by the same calls as the picture: the scene graphs' boxes come from it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from homage_sdk.synth.camera import Camera
from homage_sdk.synth.canvas import Floats, Painter, Picture
from homage_sdk.synth.grammar import seat
from homage_sdk.synth.pose import Pose, offset, pose_at
from homage_sdk.synth.things import THINGS, Colour
from homage_sdk.synth.timeline import Script
from homage_sdk.synth.world import (
    ROOM_DEPTH_M,
    ROOM_HEIGHT_M,
    ROOM_WIDTH_M,
    Block,
    Participant,
    Room,
    Spot,
)

_PERSON = "person"
_ENLARGED = 1.1
"""Objects are drawn a little larger than life, so that a small picture still shows them."""

Draw = Callable[[Painter], None]


class ThirdView:
    """Draws one third-person view of one take; ``frame`` is a pure function of time."""

    def __init__(
        self, script: Script, person: Participant, room: Room, spot: Spot, camera: Camera
    ) -> None:
        self.script = script
        self.person = person
        self.camera = camera
        self._spot = spot
        self._light = room.light
        self._blocks = (*room.blocks, *self._chair())
        self.seat = seat(script.activity.place) if script.activity.posture == "sit" else ""
        self.furniture = next(
            (b.category for b in room.blocks if b.place == script.activity.place), ""
        )
        facing = np.array([np.cos(spot.facing), np.sin(spot.facing)])
        self.faces_wall = float(facing @ np.array(spot.inward)) < 0
        self._distance = [self._block_distance(b) for b in self._blocks]
        self.names = (_PERSON, *script.activity.things, *self._furniture_names())
        """What an ink stands for: ink k is ``names[k - 1]``."""
        self._ground = self._paint_room(room)
        self._ground_inks = np.zeros((camera.height, camera.width), np.uint8)
        self._paint_blocks(Painter(self._ground))
        for index in np.argsort(self._distance)[::-1]:
            block = self._blocks[int(index)]
            self._paint_block(Painter(self._ground_inks, self._ink(block.category)), block)
        self._hidden_by: dict[tuple[int, ...], Picture] = {}

    # what stands still

    def _chair(self) -> tuple[Block, ...]:
        if self.script.activity.posture != "sit" or self.script.activity.place == "sofa":
            return ()
        x, y = self._spot.x, self._spot.y
        fx, fy = np.cos(self._spot.facing), np.sin(self._spot.facing)
        colour = (120, 70, 40)
        bx, by = x - 0.24 * fx, y - 0.24 * fy
        return (
            Block((x - 0.22, y - 0.22, 0.0), (x + 0.22, y + 0.22, 0.45), colour, "chair"),
            Block(
                (bx - 0.04 - 0.18 * abs(fy), by - 0.04 - 0.18 * abs(fx), 0.45),
                (bx + 0.04 + 0.18 * abs(fy), by + 0.04 + 0.18 * abs(fx), 0.9),
                colour,
                "chair",
            ),
        )

    def _furniture_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(b.category for b in self._blocks))

    def _ink(self, name: str) -> int:
        return self.names.index(name) + 1

    def _block_distance(self, block: Block) -> float:
        gap = np.array(block.centre) - np.array(self.camera.position)
        return float(np.linalg.norm(gap[:2]))

    def _colour(self, colour: Colour, light: float = 1.0) -> Colour:
        return self.camera.cast_colour(colour, light * self._light)

    def _paint_room(self, room: Room) -> Picture:
        picture = np.zeros((self.camera.height, self.camera.width, 3), np.uint8)
        paint = Painter(picture)
        w, d, h = ROOM_WIDTH_M, ROOM_DEPTH_M, ROOM_HEIGHT_M
        x, y, _ = self.camera.position
        walls = [
            (abs(y), [(0, 0, 0), (w, 0, 0), (w, 0, h), (0, 0, h)], room.wall),
            (abs(d - y), [(0, d, 0), (w, d, 0), (w, d, h), (0, d, h)], room.wall),
            (abs(x), [(0, 0, 0), (0, d, 0), (0, d, h), (0, 0, h)], room.side_wall),
            (abs(w - x), [(w, 0, 0), (w, d, 0), (w, d, h), (w, 0, h)], room.side_wall),
        ]
        self._flat(paint, [(0, 0, h), (w, 0, h), (w, d, h), (0, d, h)], (225, 225, 222))
        for _, corners, colour in sorted(walls, key=lambda wall: -wall[0]):
            self._flat(paint, corners, colour)
        self._flat(paint, [(0, 0, 0), (w, 0, 0), (w, d, 0), (0, d, 0)], room.floor)
        for k in range(1, 13):
            a = k * d / 13
            self._flat(
                paint, [(0, a, 0), (w, a, 0), (w, a + 0.02, 0), (0, a + 0.02, 0)], room.floor_line
            )
        for corners, _, _ in ((wall[1], 0, 0) for wall in walls):
            low = [corners[0], corners[1]]
            skirting = [*low, (*low[1][:2], 0.1), (*low[0][:2], 0.1)]
            self._flat(paint, skirting, room.floor_line)
        return picture

    def _flat(self, paint: Painter, corners: list[tuple[float, ...]], colour: Colour) -> None:
        seen = self.camera.polygon(np.array(corners, np.float64))
        if seen is not None:
            paint.polygon(seen, self._colour(colour))

    def _paint_blocks(self, paint: Painter) -> None:
        for index in np.argsort(self._distance)[::-1]:
            self._paint_block(paint, self._blocks[int(index)])

    def _paint_block(self, paint: Painter, block: Block) -> None:
        x1, y1, z1 = block.low
        x2, y2, z2 = block.high
        cx, cy, cz = self.camera.position
        faces = [
            (cx < x1, [(x1, y1, z1), (x1, y2, z1), (x1, y2, z2), (x1, y1, z2)], 0.72),
            (cx > x2, [(x2, y1, z1), (x2, y2, z1), (x2, y2, z2), (x2, y1, z2)], 0.78),
            (cy < y1, [(x1, y1, z1), (x2, y1, z1), (x2, y1, z2), (x1, y1, z2)], 0.86),
            (cy > y2, [(x1, y2, z1), (x2, y2, z1), (x2, y2, z2), (x1, y2, z2)], 0.9),
            (cz > z2, [(x1, y1, z2), (x2, y1, z2), (x2, y2, z2), (x1, y2, z2)], 1.05),
            (cz < z1, [(x1, y1, z1), (x2, y1, z1), (x2, y2, z1), (x1, y2, z1)], 0.5),
        ]
        for shown, corners, shade in faces:
            if not shown:
                continue
            seen = self.camera.polygon(np.array(corners, np.float64))
            if seen is not None:
                paint.polygon(seen, self._colour(block.colour, shade))

    def _in_front(self, pose: Pose) -> tuple[int, ...]:
        """The blocks that hide the person: nearer to the camera, and not what one sits on."""
        own = float(np.linalg.norm((pose.hip - np.array(self.camera.position))[:2]))
        return tuple(
            k
            for k, (block, distance) in enumerate(zip(self._blocks, self._distance, strict=True))
            if distance < own - 0.05 and block.category != self.seat
        )

    def _occluders(self, blocks: tuple[int, ...]) -> Picture:
        if blocks not in self._hidden_by:
            mask = np.zeros((self.camera.height, self.camera.width), np.uint8)
            for index in blocks:
                self._paint_block(Painter(mask, 255), self._blocks[index])
            self._hidden_by[blocks] = mask
        return self._hidden_by[blocks]

    # what moves

    def _moving(self, time_s: float) -> tuple[Pose, list[tuple[str, Draw]]]:
        """The moving parts from far to near, each with the name of what it is part of."""
        pose = pose_at(self.script, self.person, self._spot, time_s)
        parts = self._body(pose) + self._objects(pose, time_s)
        parts.sort(key=lambda part: -part[0])
        return pose, [(name, draw) for _, name, draw in parts]

    def _body(self, pose: Pose) -> list[tuple[float, str, Draw]]:
        scale = self.person.height_m / 1.7
        left_foot, right_foot = pose.feet
        hips = [pose.hip + s * 0.1 * pose.side for s in (-1, 1)]
        shoulders = [pose.chest + s * 0.2 * pose.side for s in (-1, 1)]
        knees = []
        for hip, foot in zip(hips, pose.feet, strict=True):
            knee = (hip + foot) / 2 + (0.22 if pose.sitting else 0.03) * pose.forward
            knees.append(knee + (np.array([0, 0, 0.24]) if pose.sitting else 0.0))
        elbows = [
            (a + b) / 2 + s * 0.06 * pose.side - np.array([0, 0, 0.08])
            for s, a, b in zip((-1, 1), shoulders, pose.hands, strict=True)
        ]
        joints = [*hips, *knees, left_foot, right_foot, *shoulders, *elbows, *pose.hands]
        joints += [pose.head, pose.head - 0.05 * pose.forward + np.array([0, 0, 0.05])]
        pixels, depth = self.camera.project(np.array(joints))
        metre = self.camera.pixels_per_metre(float(depth.mean())) * scale
        person = self.person
        skin, top = self._colour(person.skin), self._colour(person.top)
        trousers, hair = self._colour(person.trousers), self._colour(person.hair)
        shoe = self._colour((40, 36, 34))
        p, z = pixels, depth

        def legs(paint: Painter) -> None:
            for k in (0, 1):
                paint.limb(p[k], p[2 + k], 0.17 * metre, trousers)
                paint.limb(p[2 + k], p[4 + k], 0.14 * metre, trousers)
                paint.disc(p[4 + k], 0.08 * metre, shoe)

        def torso(paint: Painter) -> None:
            paint.polygon(np.array([p[6], p[7], p[1], p[0]]), top)
            paint.limb(p[6], p[7], 0.16 * metre, top)
            paint.limb(p[0], p[1], 0.2 * metre, top)
            paint.limb((p[6] + p[7]) / 2, (p[0] + p[1]) / 2, 0.3 * metre, top)

        def head(paint: Painter) -> None:
            paint.limb(p[12], (p[6] + p[7]) / 2, 0.1 * metre, skin)
            first, second = (skin, hair) if z[13] < z[12] else (hair, skin)
            near, far = (p[13], p[12]) if z[13] < z[12] else (p[12], p[13])
            paint.disc(far, 0.115 * metre, first)
            paint.disc(near, 0.115 * metre, second)

        def arm(k: int) -> Draw:
            def draw(paint: Painter) -> None:
                paint.limb(p[6 + k], p[8 + k], 0.11 * metre, top)
                paint.limb(p[8 + k], p[10 + k], 0.085 * metre, skin)
                paint.disc(p[10 + k], 0.06 * metre, skin)

            return draw

        trunk = float(z[6:8].mean())
        parts: list[tuple[float, str, Draw]] = [
            (float(z[0:2].mean()) + 0.02, _PERSON, legs),
            (trunk, _PERSON, torso),
            (float(z[12]) - 0.01, _PERSON, head),
        ]
        parts += [(float(z[10 + k] + z[8 + k]) / 2, _PERSON, arm(k)) for k in (0, 1)]
        return parts

    def _objects(self, pose: Pose, time_s: float) -> list[tuple[float, str, Draw]]:
        script = self.script
        right, left = script.at(time_s, "right"), script.at(time_s, "left")
        spots: dict[str, tuple[Floats, float]] = {}
        if left is not None:
            spots[left.thing] = (pose.hands[0], 0.0)
        if right is not None:
            turn = offset(script, self.person, time_s, "right").turn
            spots[right.tool or right.thing] = (pose.hands[1], turn)
            if right.tool and right.thing not in spots:
                middle = (pose.hands[0] + pose.hands[1]) / 2
                spots[right.thing] = (middle + 0.1 * pose.forward, 0.0)
        for k, name in enumerate(n for n in script.activity.things if n not in spots):
            spots[name] = (self._resting(k), 0.0)
        parts: list[tuple[float, str, Draw]] = []
        for name, (at, turn) in spots.items():
            item = THINGS[name]
            pixels, depth = self.camera.project((at - 0.02 * pose.forward)[None])
            size = self.camera.pixels_per_metre(float(depth[0])) * item.size_m * _ENLARGED
            cast = tuple(c * self._light for c in self.camera.cast)

            def draw(
                paint: Painter,
                item: object = item,
                at: Floats = pixels[0],
                size: float = size,
                turn: float = turn,
                cast: tuple[float, ...] = cast,
            ) -> None:
                paint.thing(item, at, size, angle=turn, light=cast)  # type: ignore[arg-type]

            parts.append((float(depth[0]), name, draw))
        return parts

    def _resting(self, k: int) -> Floats:
        spot = self._spot
        aside = np.array([np.sin(spot.facing), -np.cos(spot.facing)]) * (0.45 + 0.25 * k)
        ahead = np.array([np.cos(spot.facing), np.sin(spot.facing)]) * 0.5
        height = spot.surface_m + 0.05 if spot.surface_m else 0.5
        return np.array([spot.x + aside[0] + ahead[0], spot.y + aside[1] + ahead[1], height])

    def frame(self, time_s: float) -> Picture:
        """RGB [H, W, 3] at a moment of the take."""
        picture = self._ground.copy()
        pose, parts = self._moving(time_s)
        paint = Painter(picture)
        self._shadow(paint, pose)
        for _, draw in parts:
            draw(paint)
        hidden = self._in_front(pose)
        if hidden:
            cv2.copyTo(self._ground, self._occluders(hidden), picture)
        return picture

    def _shadow(self, paint: Painter, pose: Pose) -> None:
        middle = (pose.feet[0] + pose.feet[1]) / 2
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        ring = np.stack(
            [middle[0] + 0.3 * np.cos(turn), middle[1] + 0.3 * np.sin(turn), 0 * turn], 1
        )
        seen = self.camera.polygon(ring)
        if seen is not None:
            paint.polygon(seen, self._colour((70, 60, 55)))

    def inks(self, time_s: float) -> Picture:
        """[H, W]: 0 for walls and floor, k where ``names[k - 1]`` is what the camera sees."""
        seen = self._ground_inks.copy()
        pose, parts = self._moving(time_s)
        for name, draw in parts:
            draw(Painter(seen, self._ink(name)))
        hidden = self._in_front(pose)
        if hidden:
            cv2.copyTo(self._ground_inks, self._occluders(hidden), seen)
        return seen
