"""A configuration so small that a training step takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from baselines.ccau.config.config import Config, from_dict


def _tiny(**changes: object) -> Config:
    values: dict[str, object] = {
        "name": "tiny",
        "task": {"modalities": ["ego", "third", "audio"]},
        "model": {"width": 2, "audio_width": 2, "dim": 8, "gru_dropout": 0.1, "head_dropout": 0.5},
        "align": {"weight": 0.1, "normalize": True, "negatives": "batch"},
        "data": {
            "batch_size": 3,
            "eval_batch_size": 4,
            "size": 32,
            "fit": "crop",
            "crop": 96,
            "blocks": 2,
            "block_frames": 3,
            "n_mels": 32,
            "validation_share": 0.25,
        },
        "optim": {"epochs": 2, "schedule": "plateau", "clip_norm": 5.0},
        "run": {"device": "cpu", "bootstrap_draws": 50, "validate_every": 1},
    }
    config = from_dict(values)
    return config.replace([f"{key}={value}" for key, value in changes.items()])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small gain nothing from threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny() -> Callable[..., Config]:
    """``tiny(**{"optim.lr": 0.1})`` makes a configuration with changes."""
    return _tiny
