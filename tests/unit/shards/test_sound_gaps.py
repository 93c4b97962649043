"""Sound that was not recorded is marked on the way from the file to the batch."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.media.audio import read_flac
from homage_sdk.shards import PackOptions, ShardSet, pack, verify
from tests.unit.media.videos import remux, write_video
from tests.unit.release.tiny import Tiny, action

RATE = 16_000
NAME = "p0001_r001_a001"
SAMPLES = PackOptions(short_side=32)


def packed(
    folder: Path,
    sound: np.ndarray,
    lost: tuple[float, float] = (0.0, 0.0),
    how: PackOptions = SAMPLES,
) -> ShardSet:
    """A sequence of eight seconds whose sound lacks the packets of a stretch."""
    tiny = Tiny(folder / "release")
    tiny.list("train", f"{NAME},make_tea")
    tiny.actions(NAME, action(last=240))
    whole = write_video(folder / "a.mkv", frames=240, audio=True, sound=sound)
    path = tiny.video("p0001_r001_v000_a001")

    def kept(packet: av.Packet) -> av.Packet | None:
        at_s = float(packet.pts * packet.time_base)
        is_lost = packet.stream.type == "audio" and lost[0] <= at_s < lost[1]
        return None if is_lost else packet

    remux(path, whole, kept)
    ingest(tiny.root, folder / "catalog")
    pack(Dataset(folder / "catalog"), folder / "shards", how, workers=1)
    assert verify(folder / "shards", deep=True) == []
    return ShardSet.open(folder / "shards")


def heard_in(shards: ShardSet, n_mels: int = 64) -> list[bool]:
    """Whether each clip of a second has sound, in order."""
    options = LoaderOptions(
        modalities=("ego", "audio"), mode="eval", blocks=2, block_frames=5, size=16, batch_size=1,
        n_mels=n_mels,
    )  # fmt: skip
    clips = [(int(b.clip[0]), bool(b.present["audio"][0])) for b in ClipLoader(shards, options)]
    return [present for _, present in sorted(clips)]


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, 8 * RATE).astype(np.float32)


def test_a_gap_is_stated_with_its_samples(tmp_path: Path, noise: np.ndarray) -> None:
    shards = packed(tmp_path, noise, (3.0, 5.0))
    (sample,) = shards.samples
    assert sample.sound is not None
    (gap,) = [g for g in sample.sound.gaps if g[1] - g[0] > RATE // 10]
    assert gap[0] / RATE == pytest.approx(3.0, abs=0.1)
    assert gap[1] / RATE == pytest.approx(5.0, abs=0.1)
    wave = read_flac(io.BytesIO(shards.read(sample.key, sample.sound.field)), 0, 8)
    assert not wave[gap[0] : gap[1]].any()
    assert np.abs(wave[gap[1] : gap[1] + RATE]).mean() > 0.05


def test_clips_of_which_most_was_not_recorded_have_no_sound(
    tmp_path: Path, noise: np.ndarray
) -> None:
    present = heard_in(packed(tmp_path, noise, (3.0, 5.0)))
    assert [k for k, is_there in enumerate(present) if not is_there] == [3, 4]


def test_digital_silence_is_no_sound(tmp_path: Path, noise: np.ndarray) -> None:
    noise[2 * RATE : 6 * RATE] = 0
    present = heard_in(packed(tmp_path, noise))
    assert present[0] and not present[3]


@pytest.mark.slow
@pytest.mark.parametrize("lost", [(0.0, 0.0), (6.2, 7.9)])
def test_both_kinds_of_shards_hear_the_same_clips(
    tmp_path: Path, noise: np.ndarray, lost: tuple[float, float]
) -> None:
    """Silence of some clips, of half a clip, and beside a stretch that is lost."""
    noise[2 * RATE : 5 * RATE] = 0
    noise[6 * RATE : 13 * RATE // 2] = 0
    picture = PackOptions(short_side=32, audio="jet", audio_rate=44_100)
    samples = heard_in(packed(tmp_path / "samples", noise, lost))
    shards = packed(tmp_path / "picture", noise, lost, picture)
    assert heard_in(shards, n_mels=128) == samples
    assert samples[0] and samples[5] and not samples[3]
    (sample,) = shards.samples
    assert sample.sound is not None
    assert any(stop - first > 44_100 for first, stop in sample.sound.silent)
