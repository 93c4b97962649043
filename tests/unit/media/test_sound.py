"""Sound by time: measured against soundfile."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from homage_sdk.errors import MediaError, UsageError
from homage_sdk.media.audio import read_audio
from homage_sdk.shards.packing.encode import flac
from tests.unit.media.videos import write_video

KINDS = {
    "aac in mkv": ("a.mkv", {}, 0.0),
    "aac in mp4": ("a.mp4", {"b_frames": 3}, 0.0),
    "late file": ("a.mkv", {"start_s": 1.5}, 0.0),
    "late sound": ("a.mkv", {"audio_start_s": 0.7}, 0.7),
    "44100 Hz": ("a.mkv", {"rate": 44100}, 0.0),
    "flac": ("a.mkv", {"audio_codec": "flac"}, 0.0),
    "opus": ("a.mkv", {"audio_codec": "libopus", "rate": 48000}, 0.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tone_is_heard_when_the_picture_says(tmp_path: Path, kind: str) -> None:
    name, how, late = KINDS[kind]
    path = write_video(tmp_path / name, audio=True, frames=180, tone_at=(2.0, 3.0), **how)
    for begin, end in ((0.0, 6.0), (1.5, 5.25), (1.99, 4.0)):
        wave = read_audio(path, begin, end)
        assert wave.shape == (round(end * 16000) - round(begin * 16000),)
        heard = np.flatnonzero(np.abs(wave) > 0.25) / 16000 + begin
        assert heard[0] == pytest.approx(2.0 + late, abs=0.003)
        assert heard[-1] == pytest.approx(min(end, 3.0 + late), abs=0.003)


def test_outside_the_recording_is_silence(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", audio=True, frames=60)
    wave = read_audio(path, -1.0, 4.0)
    assert len(wave) == 80000
    assert not wave[:15900].any() and not wave[-30000:].any() and wave[16000:48000].any()


def test_a_packed_window_is_the_same_samples_as_soundfile_reads() -> None:
    import soundfile

    wave = np.random.default_rng(0).normal(0, 0.1, 200_000).astype(np.float32)
    data = flac(wave, 16000)
    truth, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == 16000 and np.abs(truth - wave).max() < 1 / 32000
    for begin in np.random.default_rng(1).uniform(0, 12, 30):
        got = read_audio(io.BytesIO(data), begin, begin + 1.5)
        first = round(begin * 16000)
        expected = np.zeros(len(got), np.float32)
        part = truth[first : first + len(got)]
        expected[: len(part)] = part
        assert np.array_equal(got, expected)


def test_no_sound_and_no_window_are_said_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", frames=5)
    with pytest.raises(MediaError, match="no sound"):
        read_audio(path, 0, 1)
    with pytest.raises(MediaError, match="not a window"):
        read_audio(path, 1, 1)
    with pytest.raises(MediaError, match="not a sound file"):
        read_audio(io.BytesIO(b"nothing at all"), 0, 1)


@pytest.mark.parametrize("rate", [0, -5, 16000.5, None, 10**6])
def test_what_is_no_rate_is_refused_whoever_asks(rate: int) -> None:
    data = flac(np.zeros(16_000, np.float32), 16_000)
    with pytest.raises(UsageError, match=r"not a sample rate; found .*; expected 1 to 768,000"):
        read_audio(io.BytesIO(data), 0, 1, rate)


def test_a_whole_number_of_numpy_is_a_rate() -> None:
    data = flac(np.full(16_000, 0.5, np.float32), 16_000)
    for rate in (8_000, 16_000):
        wave = read_audio(io.BytesIO(data), 0, 1, np.int64(rate))
        assert len(wave) == rate and wave[rate // 2] == pytest.approx(0.5, abs=0.01)


def test_an_open_file_is_named_as_the_caller_names_it() -> None:
    for data in (b"nothing at all", b"fLaC" + bytes(500)):
        with pytest.raises(MediaError) as caught:
            read_audio(io.BytesIO(data), 0, 1, place="p1.ego.flac")
        assert str(caught.value).startswith("p1.ego.flac: ")
        with pytest.raises(MediaError) as caught:
            read_audio(io.BytesIO(data), 0, 1)
        assert "BytesIO" not in str(caught.value)
