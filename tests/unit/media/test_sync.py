"""Injected offsets between views are recovered within one frame, or called unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from homage_sdk.media.sync import ViewSource, sound_offset, sync_views
from tests.unit.media.videos import write_video

RATE = 16_000
FRAME_S = 1 / 30


def room(seed: int, seconds: float = 14.0) -> np.ndarray:
    """Events of a kitchen: clicks, scrapes and hums at irregular moments."""
    draw = np.random.default_rng(seed)
    wave = np.zeros(round(seconds * RATE))
    at = 0.3
    while at < seconds - 0.6:
        length = round(draw.uniform(0.03, 0.4) * RATE)
        t = np.arange(length) / RATE
        tone = np.sin(2 * np.pi * draw.uniform(150, 5000) * t) + draw.normal(0, 0.7, length)
        first = round(at * RATE)
        wave[first : first + length] += draw.uniform(0.05, 0.5) * tone * np.exp(-t * 8)
        at += draw.exponential(0.5) + 0.05
    return wave


def microphone(wave: np.ndarray, offset_s: float, seed: int, noise: float) -> np.ndarray:
    """What another microphone hears ``offset_s`` later: echoes, its own tone and noise."""
    draw = np.random.default_rng(seed)
    delay = round(offset_s * RATE)
    out = np.zeros_like(wave)
    source = slice(max(0, -delay), len(wave) - max(0, delay))
    target = slice(max(0, delay), len(wave) - max(0, -delay))
    out[target] = wave[source]
    echoes = np.zeros(2400)
    echoes[0] = 1
    echoes[draw.integers(200, 2400, 12)] = draw.uniform(-0.3, 0.3, 12)
    out = np.convolve(out, echoes)[: len(out)]
    out = np.convolve(out, draw.normal(0, 0.2, 9) + np.eye(9)[4])[4 : 4 + len(out)]
    level = noise * np.sqrt((wave**2).mean())
    return (out * draw.uniform(0.2, 1.5) + draw.normal(0, level, len(out))).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_offsets_of_up_to_two_seconds_are_recovered_or_unknown(noise: float) -> None:
    known = 0
    offsets = np.random.default_rng(0).uniform(-2, 2, 25)
    for seed, offset in enumerate(offsets.tolist()):
        wave = room(seed)
        first = microphone(wave, 0.0, 1000 + seed, noise)
        found = sound_offset(first, microphone(wave, offset, 2000 + seed, noise))
        if found.is_known:
            known += 1
            assert found.seconds == pytest.approx(offset, abs=FRAME_S)
    assert known >= (23 if noise < 0.5 else 12)


@pytest.mark.slow
def test_unrelated_or_silent_sounds_are_unknown() -> None:
    believed = 0
    for seed in range(30):
        first = microphone(room(seed), 0, seed, 0.2)
        believed += sound_offset(first, microphone(room(100 + seed), 0, 50 + seed, 0.2)).is_known
    assert believed == 0
    silence = np.zeros(5 * RATE, np.float32)
    assert not sound_offset(silence, silence).is_known
    assert not sound_offset(silence, first).is_known
    assert not sound_offset(first[:300], first).is_known


def test_a_repeating_sound_is_not_believed() -> None:
    ticking = np.zeros(12 * RATE, np.float32)
    ticking[:: RATE // 2] = 0.8
    assert not sound_offset(ticking, np.roll(ticking, RATE // 5)).is_known


def test_an_offset_beyond_the_limit_is_not_guessed() -> None:
    wave = room(5, 20.0)
    found = sound_offset(microphone(wave, 0.0, 1, 0.1), microphone(wave, 3.2, 2, 0.1), max_s=1.0)
    assert not found.is_known


def test_views_are_compared_by_clock_and_by_sound(tmp_path: Path) -> None:
    wave = room(3, 8.0)
    kinds = {
        0: {"audio": True, "sound": microphone(wave, 0.0, 1, 0.1)},
        1: {"audio": True, "sound": microphone(wave, 0.7, 2, 0.1), "start_s": 0.5},
        3: {},
        4: {"audio": True, "sound": np.zeros(RATE * 8, np.float32)},
    }
    sources = [
        ViewSource(
            number,
            write_video(tmp_path / f"{number}.mkv", frames=150, **how),
            how.get("start_s", 0.0),
        )
        for number, how in kinds.items()
    ]
    sources.append(ViewSource(9, tmp_path / "gone.mkv"))
    found = {offset.view: offset for offset in sync_views(sources)}
    assert found.keys() == {1, 3, 4, 9} and {o.reference for o in found.values()} == {0}
    assert found[1].sound_s == pytest.approx(0.7, abs=FRAME_S)
    assert found[1].container_s == pytest.approx(0.5)
    assert (found[3].sound_s, found[3].reason) == (None, "no sound in this file")
    assert found[4].sound_s is None
    assert (found[9].sound_s, found[9].reason) == (None, "no such file")
