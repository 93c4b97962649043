"""Sound by time, and its log-mel: measured against soundfile and librosa."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from homage_sdk.errors import MediaError
from homage_sdk.media.audio import read_audio
from homage_sdk.media.logmel import LogMel
from homage_sdk.shards.encode import flac
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


@pytest.mark.parametrize("n_mels", [40, 64, 128])
@pytest.mark.parametrize("reference", ["max", "one"])
def test_log_mel_is_librosas_within_a_thousandth_of_a_decibel(n_mels: int, reference: str) -> None:
    import librosa

    draw = np.random.default_rng(n_mels)
    noise = draw.normal(0, 0.1, 64_000) * (np.arange(64_000) % 9000 / 9000)
    chirp = librosa.chirp(fmin=80, fmax=7000, sr=16000, length=64_000) * 0.3
    faint = draw.normal(0, 1e-3, 64_000)  # every microphone has some
    waves = np.stack([noise, chirp + faint, noise + chirp]).astype(np.float32)
    ours = LogMel(n_mels, reference=reference)(torch.from_numpy(waves)).numpy()
    for wave, got in zip(waves, ours, strict=True):
        power = librosa.feature.melspectrogram(
            y=wave, sr=16000, n_fft=1024, hop_length=160, n_mels=n_mels
        )
        truth = librosa.power_to_db(power, ref=np.max if reference == "max" else 1.0)
        assert got.shape == truth.shape == (n_mels, LogMel(n_mels).n_columns(64_000))
        error, loud = np.abs(got - truth), truth > truth.max() - 70
        assert error[loud].max() < 1e-3
        assert error.max() < 2e-3  # 70 dB below a pure tone float32 itself is no better


def test_log_mel_of_a_clip_does_not_depend_on_its_neighbours() -> None:
    draw = torch.Generator().manual_seed(0)
    waves = (
        torch.randn(5, 16_000, generator=draw) * torch.tensor([1e-3, 1.0, 0.0, 0.3, 5.0])[:, None]
    )
    model = LogMel(64)
    together = model(waves)
    for row in range(5):
        assert torch.allclose(model(waves[row : row + 1])[0], together[row], atol=1e-4)
