"""On an accelerator: nothing is left behind on the CPU, nothing is fetched without being asked."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from baselines.ccau import random_streams as streams
from baselines.ccau.data import loaders
from baselines.ccau.distributed import World
from baselines.ccau.evaluation import evaluate_run as evaluate_module
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.models import augment
from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training import loop as train_loop
from baselines.ccau.training import train as train_entry
from baselines.ccau.training.train import train
from tests.unit.ccau.training.accelerator import DEVICE, Accelerator

# torch warns that copying to "meta" does nothing; on the pretended accelerator it does.
pytestmark = pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")

ARMS = {
    "paper": {},
    "official": {
        "align.granularity": "clip",
        "align.projection": "pair",
        "align.negatives": "world",
        "model.attention": "official",
        "augment.per": "frame",
    },
    "bf16, focal, uncertainty": {
        "optim.precision": "bf16",
        "composition.atomic": "focal",
        "composition.weighting": "uncertainty",
    },
    "cooperative kd": {"task.kind": "cooperative_kd"},
    "scene graphs": {"task.modalities": "['ego', 'audio', 'scene_graph']", "optim.accumulate": 2},
}


@pytest.fixture
def accelerator(monkeypatch):
    """Ranks find themselves on the pretended accelerator while it is on."""

    @contextmanager
    def join(device="auto"):
        yield World(device=DEVICE)

    class Autocast(torch.autocast):
        def __init__(self, device_type, **options):
            super().__init__("cpu" if device_type == DEVICE.type else device_type, **options)

    plain = streams.stream
    monkeypatch.setattr(streams, "stream", lambda seed, *names, device: plain(seed, *names))
    monkeypatch.setattr(torch, "autocast", Autocast)
    monkeypatch.setattr(train_entry, "join_world", join)
    monkeypatch.setattr(evaluate_module, "join_world", join)
    with Accelerator():
        yield


def test_the_pretended_accelerator_refuses_what_a_gpu_would(accelerator):
    away = torch.ones(3, device=DEVICE)
    with pytest.raises(RuntimeError, match="two devices"):
        away + torch.ones(3)
    with pytest.raises(TypeError, match="numpy"):
        away.numpy()
    assert (away + 1).sum().item() == 6.0
    np.testing.assert_array_equal(away.cpu().numpy(), np.ones(3))


class Killed(BaseException):
    pass


def die(self, batches):
    raise Killed


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["paper", *list(ARMS)[1:]])
def test_training_resuming_and_evaluating_stay_on_the_accelerator(
    arm, tiny, small_shards, tmp_path, accelerator, monkeypatch
):
    run = tmp_path / "run"
    config = tiny(**{"optim.max_steps": 2, "run.checkpoint_every": 1, **ARMS[arm]})
    step = train_loop.Trainer.step
    with monkeypatch.context() as patch:
        patch.setattr(
            train_loop.Trainer,
            "step",
            lambda self, batches: (die if self.state.step == 1 else step)(self, batches),
        )
        with pytest.raises(Killed):
            train(config, small_shards, run)
    assert train(config, small_shards, run).state.step == 2
    steps = [row for row in read_metrics(run / "metrics.jsonl") if row["kind"] == "step"]
    assert all(np.isfinite(row["losses"]["total"]) for row in steps)
    assert [row["step"] for row in steps] == [1, 2]
    assert evaluate(run, small_shards, device="cpu", draws=10)["modalities"]


def test_a_tensor_forgotten_on_the_cpu_is_noticed(
    tiny, small_shards, tmp_path, accelerator, monkeypatch
):
    monkeypatch.setattr(
        loaders, "prepare_video", lambda *args, **more: augment.prepare_video(*args, **more).cpu()
    )
    with pytest.raises(RuntimeError, match="two devices"):
        train(tiny(**{"optim.max_steps": 1}), small_shards, tmp_path / "run")
