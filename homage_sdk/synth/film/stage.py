"""What stands still in a third-person view: the room, its furniture, and what that hides."""

from __future__ import annotations

import numpy as np

from homage_sdk.synth.film.camera import Camera
from homage_sdk.synth.film.canvas import Floats, Painter, Picture
from homage_sdk.synth.world.rooms import (
    ROOM_DEPTH_M,
    ROOM_HEIGHT_M,
    ROOM_WIDTH_M,
    Block,
    Room,
    Spot,
)
from homage_sdk.synth.world.things import Colour

Corners = list[tuple[float, float, float]]


class Stage:
    """A room with furniture as one camera sees it, painted once; and masks of the furniture."""

    def __init__(self, room: Room, blocks: tuple[Block, ...], camera: Camera) -> None:
        self.camera = camera
        self.blocks = blocks
        self.categories = tuple(dict.fromkeys(b.category for b in blocks))
        self._light = room.light
        position = np.array(camera.position[:2])
        self._distance = [float(np.linalg.norm(np.array(b.centre[:2]) - position)) for b in blocks]
        self.picture = np.zeros((camera.height, camera.width, 3), np.uint8)
        self._paint_room(Painter(self.picture), room)
        for index in self._far_to_near():
            self._paint_block(Painter(self.picture), blocks[index])
        self._masks: dict[tuple[int, ...], Picture] = {}

    def _far_to_near(self) -> list[int]:
        return [int(k) for k in np.argsort(self._distance, kind="stable")[::-1]]

    def colour(self, colour: Colour, shade: float = 1.0) -> Colour:
        """A colour in this room's light, as this camera records it."""
        return self.camera.cast_colour(colour, shade * self._light)

    def inks(self, ink_of: dict[str, int]) -> Picture:
        """[H, W]: which category of furniture is seen where; 0 for walls and floor."""
        seen = np.zeros((self.camera.height, self.camera.width), np.uint8)
        for index in self._far_to_near():
            block = self.blocks[index]
            self._paint_block(Painter(seen, ink_of[block.category]), block)
        return seen

    def in_front(self, point: Floats, seat: str) -> tuple[int, ...]:
        """The blocks nearer to the camera than a point, without what the person sits on."""
        own = float(np.linalg.norm(point[:2] - np.array(self.camera.position[:2])))
        return tuple(
            k
            for k, (block, distance) in enumerate(zip(self.blocks, self._distance, strict=True))
            if distance < own - 0.05 and block.category != seat
        )

    def mask(self, blocks: tuple[int, ...]) -> Picture:
        """[H, W]: 255 where one of these blocks is."""
        if blocks not in self._masks:
            mask = np.zeros((self.camera.height, self.camera.width), np.uint8)
            for index in blocks:
                self._paint_block(Painter(mask, 255), self.blocks[index])
            self._masks[blocks] = mask
        return self._masks[blocks]

    def _paint_room(self, paint: Painter, room: Room) -> None:
        w, d, h = ROOM_WIDTH_M, ROOM_DEPTH_M, ROOM_HEIGHT_M
        floor: Corners = [(0, 0, 0), (w, 0, 0), (w, d, 0), (0, d, 0)]
        ceiling: Corners = [(x, y, h) for x, y, _ in floor]
        self._flat(paint, ceiling, (225, 225, 222))
        for k, (a, b) in enumerate(zip(floor, [*floor[1:], floor[0]], strict=True)):
            colour = room.wall if k % 2 == 0 else room.side_wall
            self._flat(paint, [a, b, (b[0], b[1], h), (a[0], a[1], h)], colour)
            self._flat(paint, [a, b, (b[0], b[1], 0.1), (a[0], a[1], 0.1)], room.floor_line)
        self._flat(paint, floor, room.floor)
        for k in range(1, 13):
            y = k * d / 13
            plank: Corners = [(0, y, 0), (w, y, 0), (w, y + 0.02, 0), (0, y + 0.02, 0)]
            self._flat(paint, plank, room.floor_line)
        for corners, colour in room.decor:
            self._flat(paint, list(corners), colour)

    def _flat(self, paint: Painter, corners: Corners, colour: Colour) -> None:
        seen = self.camera.polygon(np.array(corners, np.float64))
        if seen is not None:
            paint.polygon(seen, self.colour(colour))

    def _paint_block(self, paint: Painter, block: Block) -> None:
        x1, y1, z1 = block.low
        x2, y2, z2 = block.high
        cx, cy, cz = self.camera.position
        faces: list[tuple[bool, Corners, float]] = [
            (cx < x1, [(x1, y1, z1), (x1, y2, z1), (x1, y2, z2), (x1, y1, z2)], 0.72),
            (cx > x2, [(x2, y1, z1), (x2, y2, z1), (x2, y2, z2), (x2, y1, z2)], 0.78),
            (cy < y1, [(x1, y1, z1), (x2, y1, z1), (x2, y1, z2), (x1, y1, z2)], 0.86),
            (cy > y2, [(x1, y2, z1), (x2, y2, z1), (x2, y2, z2), (x1, y2, z2)], 0.9),
            (cz > z2, [(x1, y1, z2), (x2, y1, z2), (x2, y2, z2), (x1, y2, z2)], 1.05),
            (cz < z1, [(x1, y1, z1), (x2, y1, z1), (x2, y2, z1), (x1, y2, z1)], 0.5),
        ]
        for shown, corners, shade in faces:
            seen = self.camera.polygon(np.array(corners, np.float64)) if shown else None
            if seen is not None:
                paint.polygon(seen, self.colour(block.colour, shade))


def chair(spot: Spot) -> tuple[Block, ...]:
    """The chair one sits on at a table or a desk."""
    x, y = spot.x, spot.y
    fx, fy = float(np.cos(spot.facing)), float(np.sin(spot.facing))
    colour: Colour = (120, 70, 40)
    bx, by = x - 0.24 * fx, y - 0.24 * fy
    wide, deep = 0.04 + 0.18 * abs(fy), 0.04 + 0.18 * abs(fx)
    return (
        Block((x - 0.22, y - 0.22, 0.0), (x + 0.22, y + 0.22, 0.45), colour, "chair"),
        Block((bx - wide, by - deep, 0.45), (bx + wide, by + deep, 0.9), colour, "chair"),
    )
