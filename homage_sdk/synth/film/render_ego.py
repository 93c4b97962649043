"""The head-mounted view: hands and objects close up on a surface, never the room."""

from __future__ import annotations

from math import pi, sin

import cv2
import numpy as np

from homage_sdk.synth.film.canvas import Floats, Painter, Picture
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.world.pose import HandOffset, offset
from homage_sdk.synth.world.scene import Scene
from homage_sdk.synth.world.timeline import Beat

_GLANCE_EVERY_S = 4.0
"""About so often the head turns away from the hands for a second or two."""


class EgoView:
    """Draws the ego frames of one take; ``frame`` is a pure function of time."""

    def __init__(self, scene: Scene, size: tuple[int, int]) -> None:
        self.scene = scene
        self.width, self.height = size
        rng = stream(scene.seed, "ego", scene.sequence)
        self._unit = self.height / 2
        self._light = 0.7 + 0.4 * rng.random()
        self._sway = tuple(rng.uniform(0, 6.28, 2))
        self._spots = [
            np.array([self.width * u, self.height * v])
            for u, v in ((0.5, 0.5), (0.16, 0.26), (0.86, 0.22), (0.5, 0.12))
        ]
        self._glances = self._plan_glances(rng)
        self._margin = self.height // 2
        self._surface = self._paint_surface(rng)

    def _plan_glances(self, rng: np.random.Generator) -> list[tuple[float, float, Floats]]:
        seconds = self.scene.script.seconds
        glances = []
        time = float(self.scene.script.settled_s + rng.uniform(1, _GLANCE_EVERY_S))
        while time < seconds - 1:
            angle = rng.uniform(0, 2 * pi)
            away = self.height * rng.uniform(0.5, 0.95) * np.array([np.cos(angle), np.sin(angle)])
            glances.append((time, float(rng.uniform(0.8, 1.8)), away))
            time += float(rng.uniform(0.6, 1.6)) * _GLANCE_EVERY_S
        return glances

    def _paint_surface(self, rng: np.random.Generator) -> Picture:
        shape = (self.height + 2 * self._margin, self.width + 2 * self._margin)
        coarse = rng.standard_normal((20, 26), dtype=np.float32)
        grain = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        streaks = rng.standard_normal((shape[0] // 6 + 1, 6), dtype=np.float32)
        grain = grain + 0.6 * cv2.resize(streaks, (shape[1], shape[0]))
        base = np.array(self.scene.room.surface, np.float32) * self._light
        picture = base[None, None] * (1 + 0.07 * grain[..., None])
        return np.clip(picture, 0, 255).astype(np.uint8)

    def _gaze(self, time_s: float) -> Floats:
        """How far the head is turned, in pixels right and down."""
        walking = self._walking(time_s)
        amount = self._margin * (0.2 if walking else 0.08) * min(self.scene.person.tremor, 1.2)
        bob = 7.0 if walking else 1.3
        gaze = amount * np.array(
            [sin(1.9 * time_s + self._sway[0]), sin(bob * time_s + self._sway[1])]
        )
        for begin, length, away in self._glances:
            if begin <= time_s < begin + length:
                gaze = gaze + away * sin(pi * (time_s - begin) / length) ** 0.5
        return np.clip(gaze, -self._margin, self._margin)

    def _walking(self, time_s: float) -> bool:
        script = self.scene.script
        return time_s < script.arrive_s or script.activity.posture == "walk"

    def frame(self, time_s: float) -> Picture:
        """RGB [H, W, 3] at a moment of the take."""
        gaze = np.rint(self._gaze(time_s))
        dx, dy = int(self._margin + gaze[0]), int(self._margin + gaze[1])
        picture = self._surface[dy : dy + self.height, dx : dx + self.width].copy()
        if time_s >= self.scene.script.arrive_s:
            self._draw(Painter(picture), time_s, -gaze)
        return picture

    def _draw(self, paint: Painter, time_s: float, shift: Floats) -> None:
        script, things, unit = self.scene.script, self.scene.things, self._unit
        light = (self._light, self._light, self._light)
        right, held = script.at(time_s, "right"), script.at(time_s, "left")
        in_hand = (right.tool or right.thing) if right is not None else ""
        target = right.thing if right is not None and right.thing != in_hand else ""
        in_left = held.thing if held is not None and held.thing not in (in_hand, target) else ""
        resting = [n for n in script.activity.things if n not in (in_hand, target, in_left)]
        for name, place in zip(resting, self._spots[1:], strict=False):
            paint.thing(things[name], place + shift, 0.26 * unit, light=light)
        left_move, right_move = (
            offset(script, self.scene.person, time_s, part) for part in ("left", "right")
        )
        left_at = self._hand(left_move, -0.3) + shift
        right_at = self._hand(right_move, 0.22) + shift
        shape = _stretch(right, right_move)
        if target:
            centre = self._spots[0] + shift
            paint.thing(things[target], centre, 0.5 * unit, light=light, stretch=shape)
        if in_left:
            paint.thing(things[in_left], left_at, 0.45 * unit, light=light)
        if in_hand:
            item = things[in_hand]
            size = (0.42 if target else 0.55) * (1.0 + 0.5 * (item.size_m - 0.15))
            paint.thing(
                item, right_at, size * unit, angle=right_move.turn, stretch=shape, light=light
            )
        self._arm(paint, left_at, shift, -1)
        self._arm(paint, right_at + np.array([0.16, 0.2]) * unit, shift, 1)

    def _hand(self, move: HandOffset, aside: float) -> Floats:
        return np.array(
            [
                self.width / 2 + self._unit * (aside + 0.55 * move.right),
                self.height * 0.56 - self._unit * 0.55 * move.up - self._unit * 0.2 * move.forward,
            ]
        )

    def _arm(self, paint: Painter, at: Floats, shift: Floats, sign: int) -> None:
        unit, person = self._unit, self.scene.person
        shoulder = np.array([self.width / 2 + sign * 0.85 * unit, self.height + 0.25 * unit])
        elbow = shoulder + 0.6 * shift + np.array([0.0, 0.5 * abs(shift[1])])
        wrist = at + 0.3 * (elbow - at)
        skin, top = self._lit(person.skin), self._lit(person.top)
        paint.limb(at, wrist, 0.15 * unit, skin)
        paint.limb(wrist, elbow, 0.24 * unit, top)
        paint.disc(at, 0.11 * unit, skin)
        for k in (-1, 0, 1):
            paint.limb(at, at + unit * np.array([0.07 * k, -0.15]), 0.05 * unit, skin)

    def _lit(self, colour: tuple[int, int, int]) -> tuple[int, int, int]:
        r, g, b = (min(255, int(c * self._light)) for c in colour)
        return (r, g, b)


def _stretch(beat: Beat | None, move: HandOffset) -> tuple[float, float]:
    """Soft things change their shape while they are folded or spread."""
    if beat is not None and beat.motion == "fold":
        return (0.65 + 0.35 * move.right / 0.6, 1.0)
    if beat is not None and beat.motion == "spread":
        return (1.1 + 0.3 * abs(move.right), 1.0)
    return (1.0, 1.0)
