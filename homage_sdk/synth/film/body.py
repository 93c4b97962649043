"""Drawing the person of a third-person view: legs, trunk, head with a face, arms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from homage_sdk.synth.film.camera import Camera
from homage_sdk.synth.film.canvas import Floats, Painter
from homage_sdk.synth.world.pose import Pose
from homage_sdk.synth.world.rooms import Participant
from homage_sdk.synth.world.things import Colour

Draw = Callable[[Painter], None]

_UP = np.array([0.0, 0.0, 1.0])


def body_parts(
    pose: Pose, person: Participant, camera: Camera, colour: Callable[[Colour], Colour]
) -> list[tuple[float, Draw]]:
    """The parts of the body, each with its distance from the camera in metres."""
    scale = person.height_m / 1.7
    hips = [pose.hip + s * 0.1 * pose.side for s in (-1, 1)]
    shoulders = [pose.chest + s * 0.2 * pose.side for s in (-1, 1)]
    bend = 0.22 if pose.sitting else 0.03
    rise = 0.24 if pose.sitting else 0.0
    knees = [
        (hip + foot) / 2 + bend * pose.forward + rise * _UP
        for hip, foot in zip(hips, pose.feet, strict=True)
    ]
    elbows = [
        (a + b) / 2 + s * 0.06 * pose.side - 0.08 * _UP
        for s, a, b in zip((-1, 1), shoulders, pose.hands, strict=True)
    ]
    hair = pose.head - 0.05 * pose.forward + 0.05 * _UP
    eyes = [pose.head + 0.085 * pose.forward + s * 0.05 * pose.side for s in (-1, 1)]
    joints = [*hips, *knees, *pose.feet, *shoulders, *elbows, *pose.hands, pose.head, hair, *eyes]
    p, z = camera.project(np.array(joints))
    metre = camera.pixels_per_metre(float(z[:13].mean())) * scale
    skin, top = colour(person.skin), colour(person.top)
    trousers, hair_colour = colour(person.trousers), colour(person.hair)
    shoe = colour((40, 36, 34))

    def legs(paint: Painter) -> None:
        for k in (0, 1):
            paint.limb(p[k], p[2 + k], 0.17 * metre, trousers)
            paint.limb(p[2 + k], p[4 + k], 0.14 * metre, trousers)
            paint.disc(p[4 + k], 0.08 * metre, shoe)

    def trunk(paint: Painter) -> None:
        paint.polygon(np.array([p[6], p[7], p[1], p[0]]), top)
        paint.limb(p[6], p[7], 0.16 * metre, top)
        paint.limb(p[0], p[1], 0.2 * metre, top)
        paint.limb((p[6] + p[7]) / 2, (p[0] + p[1]) / 2, 0.3 * metre, top)

    def head(paint: Painter) -> None:
        paint.limb(p[12], (p[6] + p[7]) / 2, 0.1 * metre, skin)
        face_is_near = z[12] < z[13]
        order = [(p[13], 0.12, hair_colour), (p[12], 0.115, skin)]
        for at, radius, tone in order if face_is_near else order[::-1]:
            paint.disc(at, radius * metre, tone)
        for k in (14, 15):
            if z[k] < z[12] - 0.03:
                paint.disc(p[k], 0.017 * metre, (30, 24, 22))

    parts: list[tuple[float, Draw]] = [
        (float(z[0:2].mean()) + 0.02, legs),
        (float(z[6:8].mean()), trunk),
        (float(z[12]) - 0.01, head),
    ]
    for k in (0, 1):
        chain: list[Floats] = [p[6 + k], p[8 + k], p[10 + k]]
        parts.append((float(z[10 + k] + z[8 + k]) / 2, _arm(chain, metre, top, skin)))
    return parts


def _arm(chain: list[Floats], metre: float, top: Colour, skin: Colour) -> Draw:
    shoulder, elbow, hand = chain

    def draw(paint: Painter) -> None:
        paint.limb(shoulder, elbow, 0.11 * metre, top)
        paint.limb(elbow, hand, 0.085 * metre, skin)
        paint.disc(hand, 0.06 * metre, skin)

    return draw
