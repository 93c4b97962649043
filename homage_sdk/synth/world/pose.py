"""Where the body is at a moment: joints in room coordinates, and what the hands hold."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
import numpy.typing as npt

from homage_sdk.synth.world.rooms import Participant, Spot
from homage_sdk.synth.world.timeline import Beat, Script

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HandOffset:
    """A hand's excursion from its rest: right, up and forward, each about -1 to 1."""

    right: float = 0.0
    up: float = 0.0
    forward: float = 0.0
    turn: float = 0.0


def hand_motion(motion: str, time_s: float, progress: float, tempo: float) -> HandOffset:
    """How a verb moves the hand; ``progress`` runs from 0 to 1 over the action."""
    phase = 2 * pi * time_s * tempo
    if motion == "circle":
        return HandOffset(0.5 * cos(1.3 * phase), 0.35 * sin(1.3 * phase))
    if motion == "stroke":
        return HandOffset(
            0.8 * sin(0.9 * phase), 0.05 * sin(1.8 * phase), turn=0.1 * sin(0.9 * phase)
        )
    if motion == "push":
        return HandOffset(0.1 * sin(0.3 * phase), 0.6 * sin(0.7 * phase), 0.6 * sin(0.7 * phase))
    if motion == "chop":
        return HandOffset(0.25 * sin(0.2 * phase), 0.5 * abs(sin(2.0 * phase)))
    if motion == "shake":
        return HandOffset(
            0.25 * sin(3.0 * phase), 0.1 * sin(5.0 * phase), turn=0.2 * sin(3.0 * phase)
        )
    if motion == "tap":
        return HandOffset(0.15 * sin(0.7 * phase), 0.2 * abs(sin(2.5 * phase)))
    if motion == "flip":
        return HandOffset(0.7 * cos(0.5 * phase), 0.3 * abs(sin(0.5 * phase)))
    if motion == "tilt":
        swing = sin(pi * min(progress, 1.0))
        return HandOffset(0.1, 0.5 * swing, turn=0.9 * swing)
    if motion == "lift":
        return HandOffset(0.0, 0.9 * sin(pi * progress), turn=0.5 * sin(pi * progress))
    if motion == "fold":
        return HandOffset(0.6 * cos(0.6 * phase), 0.25 * sin(0.6 * phase))
    if motion == "spread":
        return HandOffset(0.9 * sin(0.4 * phase), 0.1)
    if motion == "reach":
        return HandOffset(1.2 * (1 - progress), 0.6 * (1 - progress), 0.5 * (1 - progress))
    if motion == "lay":
        return HandOffset(1.2 * progress, 0.6 * progress, 0.5 * progress)
    return HandOffset(0.03 * sin(0.8 * phase), 0.03 * cos(0.7 * phase))


def progress_of(beat: Beat, time_s: float) -> float:
    """How far a beat is, 0 to 1."""
    return (time_s - beat.begin_s) / max(beat.end_s - beat.begin_s, 1)


def offset(script: Script, person: Participant, time_s: float, part: str) -> HandOffset:
    """Where the hand is relative to its rest."""
    beat = script.at(time_s, part)
    if beat is None:
        return HandOffset()
    return hand_motion(beat.motion, time_s, progress_of(beat, time_s), person.tempo)


@dataclass(frozen=True, slots=True)
class Pose:
    """Joints [3] in metres: what third-person views draw."""

    feet: tuple[Floats, Floats]
    hip: Floats
    chest: Floats
    head: Floats
    hands: tuple[Floats, Floats]
    """Left, right."""
    forward: Floats
    side: Floats
    sitting: bool


def pose_at(script: Script, person: Participant, spot: Spot, time_s: float) -> Pose:
    """The body at a moment: walking in, standing, sitting, or walking about the floor."""
    activity = script.activity
    facing = spot.facing
    x, y = spot.x, spot.y
    walking = time_s < script.arrive_s
    if walking:
        left = 1 - time_s / script.arrive_s
        aside = np.array([-spot.inward[1], spot.inward[0]])
        way = 1.3 * left * aside + 0.5 * left * np.array(spot.inward)
        x, y = x + float(way[0]), y + float(way[1])
        facing = float(np.arctan2(-aside[1], -aside[0]))
    elif activity.posture == "walk":
        walking = True
        turn = 0.5 * time_s * person.tempo
        x, y = x + 0.9 * sin(turn), y + 0.5 * sin(2 * turn)
        facing = facing + 0.8 * sin(turn)
    sitting = activity.posture == "sit" and time_s >= script.arrive_s
    down = 0.0
    if sitting:
        down = min(1.0, (time_s - script.arrive_s) / max(script.settled_s - script.arrive_s, 1))
    forward = np.array([cos(facing), sin(facing), 0.0])
    side = np.array([sin(facing), -cos(facing), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    scale = person.height_m / 1.7
    ground = np.array([x, y, 0.0])
    hip = ground + up * scale * (0.92 - 0.42 * down)
    lean = 0.12 + (0.35 if spot.surface_m and spot.surface_m < 0.7 and not sitting else 0.0)
    if activity.posture == "walk" and time_s >= script.arrive_s:
        lean = 0.3
    chest = hip + scale * (0.5 * up + 0.5 * lean * forward)
    head = chest + scale * (0.24 * up + 0.1 * forward)
    swing = 0.25 * sin(2 * pi * 1.6 * time_s) if walking else 0.0
    reach = 0.28 + 0.25 * down
    feet = tuple(
        ground + scale * (s * 0.11 * side + (s * swing + reach * down) * forward) for s in (-1, 1)
    )
    height = max(spot.surface_m, 0.75) + 0.12 if time_s >= script.arrive_s else 0.8
    hands = []
    for sign, part in ((-1, "left"), (1, "right")):
        move = offset(script, person, time_s, part)
        rest = ground + 0.38 * forward * scale + 0.16 * sign * side
        if time_s < script.arrive_s:
            rest = ground + sign * 0.24 * side - sign * swing * forward
        hands.append(
            np.array([rest[0], rest[1], height])
            + 0.22 * move.right * side
            + 0.3 * max(move.up, -0.3) * up
            + 0.12 * move.forward * forward
        )
    return Pose((feet[0], feet[1]), hip, chest, head, (hands[0], hands[1]), forward, side, sitting)
