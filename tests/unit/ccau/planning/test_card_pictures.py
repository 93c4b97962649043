"""A card takes pictures in I420 of the loader, and networks get RGB: also where speed is measured.

No card is needed: the loader is made to give I420, or the device only says that it is one.
"""

from types import SimpleNamespace

import pytest
import torch

from baselines.ccau.data import loaders
from baselines.ccau.data.partition import selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.planning import doctor, feeding, speed
from baselines.ccau.planning.measure import first_batch, loading_rate
from baselines.ccau.runs.build_task import build_task
from homage_sdk.shards import ShardSet
from tools import gpu_runs

CARD = World(device=torch.device("cuda"))


@pytest.fixture
def asked(tiny, small_shards):
    unscaled = {"data.crop": 0, "data.block_frames": 2, "task.modalities": '["ego", "third"]'}
    config, shards = tiny(**unscaled), ShardSet.open(small_shards)
    return config, shards, selection_parts(config, shards)


@pytest.fixture
def pixels(monkeypatch):
    """The pictures that each loader was asked for."""
    found = []

    def noting(**options):
        found.append(options["pixels"])
        return plain(**options)

    plain = loaders.LoaderOptions
    monkeypatch.setattr(loaders, "LoaderOptions", noting)
    return found


@pytest.fixture
def i420(monkeypatch):
    """Every loader gives what it gives a card."""
    plain = loaders.LoaderOptions
    monkeypatch.setattr(loaders, "LoaderOptions", lambda **o: plain(**(o | {"pixels": "i420"})))


@pytest.mark.usefixtures("i420")
def test_doctor_advice_and_measured_speed_step_on_what_a_card_takes_of_a_loader(asked, monkeypatch):
    monkeypatch.setattr(doctor, "LEARN_STEPS", 1)
    monkeypatch.setattr(feeding, "STEPS_S", 0.1)
    monkeypatch.setattr(speed, "MEASURED_S", 0.1)
    config, shards, parts = asked
    kinds = config.task.modalities
    loader = loaders.open_loader(shards, config, kinds, parts.train, World(), training=True)
    assert {pictures.ndim for pictures in next(iter(loader)).video.values()} == {4}
    batch = first_batch(*asked, World(), build_task(config, shards, torch.device("cpu")))
    assert {pictures.ndim for pictures in batch.video.values()} == {6}
    assert "in 1 steps" in doctor.learning(*asked, World())[0].detail
    assert doctor.throughput(*asked, World(), budget_s=0.1).outcome == "passed"
    assert "data.workers = " in feeding.advice(*asked, World())
    assert speed.measured(*asked, World()).steps > 0


def test_loading_for_a_card_is_timed_with_the_pictures_of_a_card(asked, pixels, monkeypatch):
    assert loading_rate(*asked, World(), budget_s=0.1) > 0 and pixels == ["rgb"]
    assert loading_rate(*asked, CARD, budget_s=0.1) > 0 and pixels == ["rgb", "i420"]
    monkeypatch.setattr(feeding, "step_rates", lambda *_: {1: 10.0})
    assert "data.workers = " in feeding.advice(*asked, CARD)
    for name, made in (("build_task", None), ("first_batch", [0]), ("stepper", lambda _: 0.0)):
        monkeypatch.setattr(speed, name, lambda *_, made=made, **__: made)
    monkeypatch.setattr(speed, "memory_mb", lambda _: 0.0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Card X")
    assert speed.measured(*asked, CARD).loading > 0
    assert pixels == ["rgb", "i420", "i420", "i420"]


def test_check_gpu_times_loading_with_the_pictures_of_its_device(small_shards, pixels):
    rows = []
    for device in ("cpu", "cuda"):
        report = SimpleNamespace(
            device=torch.device(device), small=True, add=lambda *row, **_: rows.append(row)
        )
        gpu_runs.loading(report, small_shards)
    assert len(rows) == 4 and pixels == ["rgb", "rgb", "i420", "i420"]
