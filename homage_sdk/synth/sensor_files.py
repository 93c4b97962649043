"""The twelve sensor streams of a take as CSV: a time column in seconds, then value columns.

No sensor format of HOMAGE is public (FORMAT.md, grade C); this one is the documented assumption.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from homage_sdk.synth.audio.timbre import Samples
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.world.pose import offset
from homage_sdk.synth.world.scene import Scene

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


def sensor_tables(scene: Scene, sound: Samples) -> dict[tuple[str, str], str]:
    """The text of every sensor file of a take, by (type, position)."""
    rng = stream(scene.seed, "sensors", scene.sequence)
    tables = {}
    for kind, (position, rate, columns) in SENSORS.items():
        time = np.arange(int(scene.script.seconds * rate)) / rate
        tables[kind, position] = _csv(time, columns, _values(kind, time, scene, sound, rng))
    return tables


def _csv(time: Floats, columns: tuple[str, ...], values: Floats) -> str:
    lines = [",".join(("time_s", *columns))]
    for t, row in zip(time, values, strict=True):
        lines.append(f"{t:.3f}," + ",".join(f"{v:.3f}" for v in row))
    return "\n".join(lines) + "\n"


def _values(
    kind: str, time: Floats, scene: Scene, sound: Samples, rng: np.random.Generator
) -> Floats:
    n = len(time)
    if kind in ("acceleration", "gyro", "magnet"):
        return _inertial(kind, time, scene, rng)
    if kind == "infrared":
        return _thermal(time, scene, rng)
    if kind == "microphone":
        step = len(sound) // n
        power = sound[: step * n].reshape(n, step).astype(np.float64) ** 2
        return np.asarray(np.sqrt(power.mean(axis=1, keepdims=True)))
    if kind == "human_presence":
        return np.ones((n, 1))
    if kind in ("rgb_camera", "rgb_light", "light"):
        colour = np.array(
            scene.room.surface if kind == "rgb_camera" else scene.room.wall, np.float64
        )
        lit = scene.room.light * (colour if kind != "light" else np.array([320.0]))
        return np.asarray(lit + 2.0 * rng.standard_normal((n, len(lit))))
    level, drift = {
        "air_pressure": (1013.0, 0.05),
        "humidity": (45.0, 0.3),
        "temperature": (22.0, 0.1),
    }[kind]
    return np.asarray(
        level + scene.room.number + drift * rng.standard_normal((n, 1)).cumsum(axis=0)
    )


def _inertial(kind: str, time: Floats, scene: Scene, rng: np.random.Generator) -> Floats:
    """Three axes: the head nods with each step and follows the working hand a little."""
    script, person = scene.script, scene.person
    walks = script.activity.posture == "walk"
    walking = np.array([walks or t < script.arrive_s for t in time], np.float64)
    step = walking * np.sin(2 * np.pi * 1.8 * person.tempo * time)
    hand = np.array([offset(script, person, float(t), "right").right for t in time])
    rest = {"acceleration": (0.0, 0.0, 9.81), "gyro": (0.0, 0.0, 0.0)}.get(kind, (22.0, 4.0, -41.0))
    noise = 0.08 * person.tremor * rng.standard_normal((len(time), 3))
    moves = np.stack([0.4 * hand, 0.3 * step, 1.2 * step], axis=1)
    return np.asarray(np.array(rest) + moves + noise)


def _thermal(time: Floats, scene: Scene, rng: np.random.Generator) -> Floats:
    """8 x 8 degrees: a warm hand that moves over a cool surface, rows first."""
    rows, columns = np.mgrid[0:8, 0:8]
    frames = []
    for t in time:
        move = offset(scene.script, scene.person, float(t), "right")
        x, y = 4 + 3 * move.right, 5 - 3 * move.up
        warm = 9 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4)
        frames.append((22 + warm).ravel())
    return np.asarray(np.array(frames) + 0.2 * rng.standard_normal((len(time), 64)))
