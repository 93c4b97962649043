"""A configuration so small that a training step takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from baselines.ccau.config.config import Config, from_dict
from homage_sdk import Dataset
from homage_sdk.shards import PackOptions, pack
from tests.conftest import once


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


@pytest.fixture(scope="session")
def jet_shards(shared_folder: Path, small_catalog: Path) -> Path:
    """The shards of ``small_catalog`` with pictures of its sound and no view. Read only."""

    def make(out: Path) -> None:
        chosen = PackOptions(views=(999,), audio="jet", audio_rate=44_100)
        pack(Dataset(small_catalog), out, chosen, workers=1)

    return once(shared_folder, "jet_shards", make)


@pytest.fixture
def tiny() -> Callable[..., Config]:
    """``tiny(**{"optim.lr": 0.1})`` makes a configuration with changes."""
    return _tiny
