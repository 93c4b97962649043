"""The sounds of verbs on objects: noise in a band, tones, strokes that decay."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000
"""Hz of the synthesis; a track is interpolated to its own rate."""


def coloured(rng: np.random.Generator, n: int, low_hz: float, high_hz: float) -> Samples:
    """Noise between two frequencies at unit power, shaped in blocks of one second."""
    block = SAMPLE_RATE
    count = -(-n // block)
    white = rng.standard_normal((count, block), dtype=np.float32)
    spectrum = np.fft.rfft(white, axis=1)
    bins = np.fft.rfftfreq(block, 1 / SAMPLE_RATE)
    centre, width = (low_hz + high_hz) / 2, max((high_hz - low_hz) / 2, 50.0)
    spectrum *= np.exp(-(((bins - centre) / width) ** 4))
    noise = np.fft.irfft(spectrum, block, axis=1).astype(np.float32).ravel()[:n]
    return np.asarray(noise / max(float(noise.std()), 1e-6), np.float32)


def _bursts(
    n: int, per_second: float, decay_s: float, rng: np.random.Generator, jitter: float = 0.15
) -> Samples:
    """An envelope of decaying strokes."""
    envelope = np.zeros(n, np.float32)
    length = min(int(decay_s * 5 * SAMPLE_RATE), n)
    shape = np.exp(-np.arange(length, dtype=np.float32) / (decay_s * SAMPLE_RATE))
    at = 0.1 / per_second
    while at * SAMPLE_RATE < n:
        begin = int(at * SAMPLE_RATE)
        stop = min(begin + length, n)
        envelope[begin:stop] = np.maximum(envelope[begin:stop], shape[: stop - begin])
        at += (1 + jitter * float(rng.standard_normal())) / per_second if per_second else 1e9
        at = max(at, (begin + 200) / SAMPLE_RATE)
    return envelope


def _tone(n: int, hz: float, harmonics: int = 1, vibrato: float = 0.0) -> Samples:
    time = np.arange(n, dtype=np.float32) / SAMPLE_RATE
    phase = 2 * pi * hz * time + vibrato * np.sin(2 * pi * 5 * time)
    wave = sum(np.sin(k * phase) / k for k in range(1, harmonics + 1))
    return np.asarray(wave, np.float32)


def timbre(
    name: str, seconds: float, pitch: float, tempo: float, rng: np.random.Generator
) -> Samples:
    """One sound of a verb on an object: float32 [seconds * SAMPLE_RATE]."""
    n = int(seconds * SAMPLE_RATE)

    def noise(low: float, high: float) -> Samples:
        return coloured(rng, n, low, high)

    def hits(rate: float, decay: float) -> Samples:
        return _bursts(n, rate * tempo, decay, rng)

    time = np.arange(n, dtype=np.float32) / SAMPLE_RATE
    swell = (0.6 + 0.4 * np.sin(2 * pi * 1.1 * tempo * time)).astype(np.float32)
    clink = _tone(n, 900 * pitch)
    sounds: dict[str, Callable[[], Samples]] = {
        "step": lambda: 0.25 * noise(60, 250) * hits(1.9, 0.04),
        "thud": lambda: 0.35 * noise(80, 400) * hits(0.8, 0.06),
        "handle": lambda: 0.18 * (noise(500, 1500) + clink) * hits(2.0, 0.03),
        "water": lambda: 0.16 * noise(1500, 6500) + 0.12 * clink * hits(1.5, 0.05),
        "squeak": lambda: (
            0.14 * _tone(n, 1900, 2, 8.0) * hits(2.4, 0.09) + 0.02 * noise(3000, 6000)
        ),
        "rustle": lambda: 0.2 * noise(2500, 8000) * hits(2.0, 0.08),
        "hiss": lambda: 0.2 * noise(7000, 11000) * swell,
        "tick": lambda: 0.16 * _tone(n, 2600) * hits(4.0, 0.012),
        "click": lambda: 0.2 * noise(1500, 3500) * hits(6.5, 0.01),
        "swish": lambda: 0.22 * noise(800, 3000) * hits(1.3, 0.2),
        "motor": lambda: 0.2 * _tone(n, 180, 8) + 0.06 * noise(300, 2000),
        "pour": lambda: 0.15 * noise(400, 1800) + 0.1 * _tone(n, 500 * pitch, 1, 12.0) * swell,
        "boil": lambda: 0.15 * noise(100, 700) * swell + 0.1 * _tone(n, 1400, 1, 3.0),
        "sip": lambda: 0.18 * noise(1000, 2500) * hits(0.9, 0.15),
        "chop": lambda: 0.4 * noise(200, 1200) * hits(3.2, 0.03),
        "scrape": lambda: 0.18 * noise(3000, 6000) * hits(5.0 + pitch, 0.05),
        "sizzle": lambda: 0.18 * noise(4000, 11000) * (0.7 + 0.3 * hits(11.0, 0.02)),
        "voice": lambda: 0.16 * _tone(n, 140, 12, 6.0) * hits(3.5, 0.1),
        "crunch": lambda: 0.3 * noise(1500, 5000) * hits(2.8, 0.035),
    }
    return np.asarray(sounds[name](), np.float32)
