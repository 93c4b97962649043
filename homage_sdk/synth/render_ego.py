"""The head-mounted view: hands and objects close up on a surface, never the room."""

from __future__ import annotations

from math import sin

import cv2
import numpy as np

from homage_sdk.synth.canvas import Floats, Painter, Picture
from homage_sdk.synth.pose import HandOffset, offset
from homage_sdk.synth.streams import stream
from homage_sdk.synth.things import THINGS
from homage_sdk.synth.timeline import Script
from homage_sdk.synth.world import Participant, Room


class EgoView:
    """Draws the ego frames of one take; ``frame`` is a pure function of time."""

    def __init__(
        self,
        seed: int,
        sequence: str,
        script: Script,
        person: Participant,
        room: Room,
        size: tuple[int, int],
    ) -> None:
        self.script = script
        self.person = person
        self.width, self.height = size
        rng = stream(seed, "ego", sequence)
        self._unit = self.height / 2
        self._light = 0.8 + 0.3 * rng.random()
        self._sway = tuple(rng.uniform(0, 6.28, 4))
        self._spots = [
            np.array([self.width * u, self.height * v])
            for u, v in ((0.5, 0.5), (0.16, 0.26), (0.86, 0.22), (0.5, 0.12))
        ]
        self._surface = self._paint_surface(room, rng)

    def _paint_surface(self, room: Room, rng: np.random.Generator) -> Picture:
        margin = self.height // 6
        shape = (self.height + 2 * margin, self.width + 2 * margin)
        coarse = rng.normal(0, 1, (12, 16)).astype(np.float32)
        grain = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        streaks = rng.normal(0, 1, (shape[0] // 6 + 1, 4)).astype(np.float32)
        grain += 0.6 * cv2.resize(streaks, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        base = np.array(room.surface, np.float32) * self._light
        picture = base[None, None] * (1 + 0.07 * grain[..., None])
        return np.clip(picture, 0, 255).astype(np.uint8)

    def frame(self, time_s: float) -> Picture:
        """RGB [H, W, 3] at a moment of the take."""
        margin = self.height // 6
        sway = self._sway
        tremor = self.person.tremor
        walking = time_s < self.script.arrive_s or self.script.activity.posture == "walk"
        amount = margin * (0.7 if walking else 0.25) * min(tremor, 1.2)
        dx = round(margin + amount * sin(1.9 * time_s + sway[0]) * 0.8)
        dy = round(margin + amount * sin((7.0 if walking else 1.3) * time_s + sway[1]) * 0.8)
        picture = self._surface[dy : dy + self.height, dx : dx + self.width].copy()
        shift = np.array([margin - dx, margin - dy], np.float64)
        if time_s < self.script.arrive_s:
            return picture
        self._draw(Painter(picture), time_s, shift)
        return picture

    def _draw(self, paint: Painter, time_s: float, shift: Floats) -> None:
        script, unit = self.script, self._unit
        light = (self._light, self._light, self._light)
        names = script.activity.things
        right = script.at(time_s, "right")
        in_hand = ""
        if right is not None:
            in_hand = right.tool or right.thing
        move = {p: offset(script, self.person, time_s, p) for p in ("left", "right")}
        target = right.thing if right is not None and right.tool else ""
        held = script.at(time_s, "left")
        rest = [n for n in names if n not in (in_hand, target)]
        if held is not None and held.thing in rest:
            rest.remove(held.thing)
        for name, place in zip(rest, self._spots[1:], strict=False):
            paint.thing(THINGS[name], place + shift, 0.26 * unit, light=light)
        left_at = self._hand(move["left"], -0.3)
        right_at = self._hand(move["right"], 0.22)
        centre = self._spots[0] + shift
        if target and target != in_hand:
            paint.thing(
                THINGS[target],
                centre,
                0.5 * unit,
                light=light,
                stretch=_squash(right, move["right"]),
            )
        if held is not None and held.thing not in (in_hand, target):
            paint.thing(THINGS[held.thing], left_at, 0.45 * unit, light=light)
        if in_hand:
            paint.thing(
                THINGS[in_hand],
                right_at,
                (0.42 if target and target != in_hand else 0.55) * unit * self._nearness(in_hand),
                angle=move["right"].turn,
                stretch=_squash(right, move["right"]),
                light=light,
            )
        self._arm(paint, left_at, -1)
        self._arm(paint, right_at + (np.array([0.16, 0.2]) * unit), 1)

    @staticmethod
    def _nearness(name: str) -> float:
        return 1.0 + 0.5 * (THINGS[name].size_m - 0.15)

    def _hand(self, move: HandOffset, aside: float) -> Floats:
        return np.array(
            [
                self.width / 2 + self._unit * (aside + 0.55 * move.right),
                self.height * 0.56 - self._unit * 0.55 * move.up - self._unit * 0.2 * move.forward,
            ]
        )

    def _arm(self, paint: Painter, at: Floats, sign: int) -> None:
        unit = self._unit
        elbow = np.array([self.width / 2 + sign * 0.85 * unit, self.height + 0.25 * unit])
        wrist = at + 0.3 * (elbow - at)
        paint.limb(at, wrist, 0.15 * unit, self.person.skin)
        paint.limb(wrist, elbow, 0.24 * unit, self.person.top)
        paint.disc(at, 0.11 * unit, self.person.skin)
        for k in (-1, 0, 1):
            finger = at + unit * np.array([0.07 * k, -0.15])
            paint.limb(at, finger, 0.05 * unit, self.person.skin)


def _squash(beat: object, move: HandOffset) -> tuple[float, float]:
    motion = getattr(beat, "motion", "")
    if motion == "fold":
        return (0.65 + 0.35 * move.right / 0.6, 1.0)
    if motion == "spread":
        return (1.1 + 0.3 * abs(move.right), 1.0)
    return (1.0, 1.0)
