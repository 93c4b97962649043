"""Log-mel spectrograms against librosa's, on both of their roads."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings

import numpy as np
import pytest
import torch

from homage_sdk.errors import UsageError
from homage_sdk.media.spectrograms.logmel import LogMel, n_columns


@pytest.mark.slow
@pytest.mark.parametrize("n_mels", [40, 64, 128])
@pytest.mark.parametrize("road", ["opencv", "torch"])
def test_log_mel_is_librosas_within_a_thousandth_of_a_decibel(n_mels: int, road: str) -> None:
    import librosa

    draw = np.random.default_rng(n_mels)
    noise = draw.normal(0, 0.1, 64_000) * (np.arange(64_000) % 9000 / 9000)
    chirp = librosa.chirp(fmin=80, fmax=7000, sr=16000, length=64_000) * 0.3
    faint = draw.normal(0, 1e-3, 64_000)  # every microphone has some
    waves = np.stack([noise, chirp + faint, noise + chirp]).astype(np.float32)
    wanted = torch.from_numpy(waves).requires_grad_(road == "torch")
    ours = LogMel(n_mels)(wanted).detach().numpy()
    for wave, got in zip(waves, ours, strict=True):
        power = librosa.feature.melspectrogram(
            y=wave, sr=16000, n_fft=1024, hop_length=160, n_mels=n_mels
        )
        truth = librosa.power_to_db(power, ref=np.max)
        assert got.shape == truth.shape == (n_mels, n_columns(64_000))
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
        assert torch.equal(model(waves[row : row + 1])[0], together[row])


@pytest.mark.parametrize(
    ("rate", "n_fft", "hop", "n_mels"),
    [(16_000, 400, 160, 80), (8_000, 255, 100, 33), (22_050, 2048, 512, 300)],
)
def test_other_windows_and_bands_are_librosas_too(
    rate: int, n_fft: int, hop: int, n_mels: int
) -> None:
    """Windows of odd length, lengths no power of two, and bands too narrow to hold a bin."""
    import librosa

    wave = np.random.default_rng(rate).normal(0, 0.1, 30_011).astype(np.float32)
    model = LogMel(n_mels, rate, n_fft, hop)
    got = model(torch.from_numpy(wave)[None])[0].numpy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Empty filters")
        power = librosa.feature.melspectrogram(
            y=wave, sr=rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels
        )
    truth = librosa.power_to_db(power, ref=np.max)
    assert got.shape == truth.shape and np.abs(got - truth).max() < 1e-3


def test_digital_silence_is_no_loud_sound() -> None:
    """Neither beside a sound nor where it carries gradients; a whisper is what librosa makes it."""
    wave = torch.stack([torch.zeros(8_000), 1e-4 * torch.randn(8_000)])
    for waveform in (wave, wave.clone().requires_grad_()):
        level = LogMel(64)(waveform)
        assert level.shape == (2, 64, 51) and (level[0] == -80).all()
        assert level[1].max() == 0


def test_threads_and_lengths_share_a_model() -> None:
    """Its working memory is nobody else's: eight threads and three lengths give what one gives."""
    draw = torch.Generator().manual_seed(1)
    waves = [torch.randn(2, n, generator=draw) for n in (4_000, 16_000, 9_999)]
    expected = [LogMel(64)(wave) for wave in waves]
    model = LogMel(64)
    wrong: list[int] = []

    def work(turn: int) -> None:
        for k in range(30):
            which = (turn + k) % 3
            if not torch.equal(model(waves[which]), expected[which]):
                wrong.append(which)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(waves[0]), expected[0])


def test_a_given_place_is_filled() -> None:
    wave = torch.randn(3, 5_000, generator=torch.Generator().manual_seed(2))
    model = LogMel(40)
    out = torch.full((5, 40, n_columns(5_000)), torch.nan)
    assert model(wave, out[1:4]).data_ptr() == out[1:].data_ptr()
    assert torch.equal(out[1:4], model(wave)) and out[0].isnan().all() and out[4].isnan().all()


def test_an_impossible_spectrogram_is_refused() -> None:
    with pytest.raises(UsageError, match=r"invalid spectrogram.*hop=0"):
        LogMel(hop=0)
