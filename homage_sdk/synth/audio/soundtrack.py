"""What a take sounds like: every verb has a timbre, every object a pitch, every room a noise."""

from __future__ import annotations

from math import pi

import numpy as np

from homage_sdk.synth.audio.timbre import SAMPLE_RATE, Samples, coloured, timbre
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.world.scene import Scene
from homage_sdk.synth.world.shapes import THINGS

DISTRACTED = 0.5
"""The share of takes with a sound from elsewhere."""

_DISTRACTIONS = ("voice", "water", "motor", "click", "thud", "swish", "rustle")


def take_sound(scene: Scene) -> Samples:
    """The sound of a take at ``SAMPLE_RATE``, float32 in -1 to 1, before any microphone.

    Beside the take's own sounds there is the room's noise, and half the time something that has
    nothing to do with it: a voice, a street, somebody else at work.
    """
    rng = stream(scene.seed, "sound", scene.sequence)
    room, tempo = scene.room, scene.person.tempo
    n = scene.script.seconds * SAMPLE_RATE
    time = np.arange(n, dtype=np.float32) / SAMPLE_RATE
    mixed: Samples = room.noise_level * coloured(rng, n, 0.0, 1500.0)
    mixed += (0.7 * room.noise_level * np.sin(2 * pi * room.hum_hz * time)).astype(np.float32)
    mixed += _elsewhere(scene.script.seconds, rng)
    for beat in scene.script.beats:
        if not beat.sound:
            continue
        thing = THINGS.get(beat.tool or beat.thing)
        pitch = thing.pitch if thing is not None else 1.0
        part = timbre(beat.sound, beat.end_s - beat.begin_s, pitch, tempo, rng)
        loud = 0.5 + 0.6 * float(rng.random())
        mixed[beat.begin_s * SAMPLE_RATE : beat.end_s * SAMPLE_RATE] += loud * _faded(part)
    return np.asarray(np.clip(mixed, -0.98, 0.98), np.float32)


def _faded(part: Samples) -> Samples:
    fade = min(SAMPLE_RATE // 20, len(part) // 4)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    part[:fade] *= ramp
    part[-fade:] *= ramp[::-1]
    return part


def _elsewhere(seconds: int, rng: np.random.Generator) -> Samples:
    """Sounds from outside the picture."""
    mixed = np.zeros(seconds * SAMPLE_RATE, np.float32)
    if rng.random() < DISTRACTED:
        name = _DISTRACTIONS[int(rng.integers(len(_DISTRACTIONS)))]
        length = int(rng.integers(2, max(3, seconds // 2)))
        begin = int(rng.integers(0, seconds - length + 1))
        part = _faded(timbre(name, length, 1.5, 1.0, rng)) * (0.3 + 0.4 * float(rng.random()))
        mixed[begin * SAMPLE_RATE : (begin + length) * SAMPLE_RATE] += part
    return mixed
