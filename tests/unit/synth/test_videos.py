"""The videos are ordinary camera files, seen with PyAV alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk.synth import write_release


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("videos") / "release"
    write_release(out, sequences=12, size=(96, 72), activities=4, seconds=(4, 12), workers=1)
    return out


@pytest.fixture(scope="module")
def videos(root: Path) -> list[Path]:
    return sorted(root.rglob("*.mkv"))


def _pts(path: Path) -> list[Fraction]:
    """When each video packet is shown, in seconds, in the order of the file."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        packets = [p for p in file.demux(stream) if p.size]
        base = stream.time_base
        return [p.pts * base for p in packets]


def test_frames_come_thirty_a_second_and_whole_seconds(videos: list[Path]) -> None:
    for path in videos:
        shown = sorted(_pts(path))
        assert len(shown) % 30 == 0
        gaps = np.diff([float(t) for t in shown])
        assert np.allclose(gaps, 1 / 30, atol=0.0011)  # Matroska rounds to milliseconds


def test_there_are_b_frames_and_few_keyframes(videos: list[Path]) -> None:
    shown = _pts(videos[0])
    assert shown != sorted(shown)
    with av.open(str(videos[0])) as file:
        keys = [p.is_keyframe for p in file.demux(video=0) if p.size]
    assert keys[0]
    assert sum(keys) <= 1 + len(keys) // 60


def test_sound_is_lossy_and_the_picture_begins_after_its_priming(videos: list[Path]) -> None:
    starts = set()
    silent = 0
    for path in videos:
        with av.open(str(path)) as file:
            if not file.streams.audio:
                silent += 1
                continue
            sound = file.streams.audio[0]
            assert sound.codec_context.name == "aac"
            assert sound.rate in (44_100, 48_000)
            picture = file.streams.video[0]
            starts.add(round(float(picture.start_time * picture.time_base), 3))
            length = float(file.duration / 1_000_000)
            seconds = len(_pts(path)) / 30
            assert abs(length - seconds) < 0.2
    assert silent == 1  # one take has one view, and that one no sound
    assert starts == {0.021, 0.023}  # 1024 samples at 48 and at 44.1 kHz


def test_one_header_claims_a_thousand_frames_a_second(videos: list[Path]) -> None:
    lying = []
    for path in videos:
        with av.open(str(path)) as file:
            stream = file.streams.video[0]
            counted = int(stream.average_rate * file.duration / 1_000_000)
        if counted > 2 * len(_pts(path)):
            lying.append(counted / len(_pts(path)))
    assert len(lying) == 1
    assert lying[0] == pytest.approx(1000 / 30, rel=0.05)


def test_the_views_of_a_take_hear_the_same_at_their_own_loudness(videos: list[Path]) -> None:
    def sound(path: Path) -> np.ndarray:
        with av.open(str(path)) as file:
            frames = [f.to_ndarray()[0] for f in file.decode(audio=0)]
            rate = file.streams.audio[0].rate
        samples = np.concatenate(frames)
        ms = rate // 1000 * 20
        return np.sqrt((samples[: len(samples) // ms * ms].reshape(-1, ms) ** 2).mean(axis=1))

    takes: dict[str, list[Path]] = {}
    for path in videos:
        p, r, _, a = path.stem.split("_")
        takes.setdefault(f"{p}_{r}_{a}", []).append(path)
    several = next(paths for paths in takes.values() if len(paths) > 2)
    loud = [sound(p) for p in several]
    n = min(map(len, loud))
    for other in loud[1:]:
        assert np.corrcoef(loud[0][:n], other[:n])[0, 1] > 0.9
    assert len({round(float(x.max()), 4) for x in loud}) == len(loud)
