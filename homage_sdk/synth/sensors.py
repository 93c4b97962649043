"""The twelve sensor streams of a take as CSV: a time column in seconds, then value columns.

No sensor format of HOMAGE is public (FORMAT.md, grade C); this one is the documented assumption.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from homage_sdk.synth.pose import offset
from homage_sdk.synth.sound import SAMPLE_RATE, Samples
from homage_sdk.synth.streams import stream
from homage_sdk.synth.timeline import Script
from homage_sdk.synth.world import Participant, Room

Floats = npt.NDArray[np.float64]

SENSORS: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "rgb_camera": ("head", 10.0, ("mean_r", "mean_g", "mean_b")),
    "infrared": ("head", 8.0, tuple(f"c{r}{c}" for r in range(8) for c in range(8))),
    "microphone": ("head", 20.0, ("rms",)),
    "rgb_light": ("room", 4.0, ("red", "green", "blue")),
    "light": ("room", 4.0, ("lux",)),
    "acceleration": ("head", 50.0, ("x", "y", "z")),
    "gyro": ("head", 50.0, ("x", "y", "z")),
    "human_presence": ("room", 4.0, ("present",)),
    "magnet": ("head", 10.0, ("x", "y", "z")),
    "air_pressure": ("room", 1.0, ("hpa",)),
    "humidity": ("room", 1.0, ("percent",)),
    "temperature": ("room", 1.0, ("celsius",)),
}
"""Type: where it is, its rate in Hz, its value columns."""


def sensor_tables(
    seed: int, sequence: str, script: Script, person: Participant, room: Room, sound: Samples
) -> dict[tuple[str, str], str]:
    """The text of every sensor file of a take, by (type, position)."""
    rng = stream(seed, "sensors", sequence)
    tables = {}
    for kind, (position, rate, columns) in SENSORS.items():
        time = np.arange(int(script.seconds * rate)) / rate
        values = _values(kind, time, script, person, room, sound, rng)
        tables[kind, position] = _csv(time, columns, values)
    return tables


def _csv(time: Floats, columns: tuple[str, ...], values: Floats) -> str:
    lines = [",".join(("time_s", *columns))]
    for t, row in zip(time, values, strict=True):
        lines.append(f"{t:.3f}," + ",".join(f"{v:.3f}" for v in row))
    return "\n".join(lines) + "\n"


def _values(
    kind: str,
    time: Floats,
    script: Script,
    person: Participant,
    room: Room,
    sound: Samples,
    rng: np.random.Generator,
) -> Floats:
    n = len(time)
    if kind in ("acceleration", "gyro", "magnet"):
        walking = np.array(
            [t < script.arrive_s or script.activity.posture == "walk" for t in time], np.float64
        )
        step = walking * np.sin(2 * np.pi * 1.8 * person.tempo * time)
        hand = np.array([offset(script, person, float(t), "right").right for t in time])
        base = {"acceleration": (0.0, 0.0, 9.81), "gyro": (0.0, 0.0, 0.0)}.get(kind, (22, 4, -41))
        noise = 0.08 * person.tremor * rng.standard_normal((n, 3))
        moves = np.stack([0.4 * hand, 0.3 * step, 1.2 * step], axis=1)
        return np.asarray(np.array(base) + moves + noise)
    if kind == "infrared":
        return _thermal(time, script, person, rng)
    if kind == "microphone":
        step_n = len(sound) // n
        power = sound[: step_n * n].reshape(n, step_n).astype(np.float64) ** 2
        return np.sqrt(power.mean(axis=1, keepdims=True))
    if kind == "human_presence":
        return np.ones((n, 1))
    if kind in ("rgb_camera", "rgb_light", "light"):
        colour = np.array(room.surface if kind == "rgb_camera" else room.wall, np.float64)
        level = room.light * (colour if kind != "light" else np.array([320.0]))
        return np.asarray(level + 2.0 * rng.standard_normal((n, len(level))))
    level, drift = {
        "air_pressure": (1013.0, 0.05),
        "humidity": (45.0, 0.3),
        "temperature": (22.0, 0.1),
    }[kind]
    return np.asarray(level + room.number + drift * rng.standard_normal((n, 1)).cumsum(axis=0))


def _thermal(time: Floats, script: Script, person: Participant, rng: np.random.Generator) -> Floats:
    """8 x 8 degrees: a warm hand that moves over a cool surface, rows first."""
    rows, columns = np.mgrid[0:8, 0:8]
    frames = []
    for t in time:
        move = offset(script, person, float(t), "right")
        x, y = 4 + 3 * move.right, 5 - 3 * move.up
        warm = 9 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4)
        frames.append((22 + warm).ravel())
    return np.asarray(np.array(frames) + 0.2 * rng.standard_normal((len(time), 64)))
