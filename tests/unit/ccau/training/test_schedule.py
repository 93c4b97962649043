"""The learning rate as a function of the step and of how many clips a step holds."""

import math

import pytest
from torch import nn, optim

from baselines.ccau.config.training_config import OptimConfig
from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training.schedule import Peak, Plateau, learning_rate
from baselines.ccau.training.train import train


def rates(config, clips, steps_per_epoch=2, steps=40):
    peak = Peak.of(config, clips, steps_per_epoch)
    return [learning_rate(config, peak, Plateau(), step, steps) for step in range(steps)]


@pytest.mark.parametrize(("rule", "factor"), [("off", 1), ("linear", 4), ("sqrt", 2)])
def test_the_rate_grows_with_the_clips_a_step_as_the_rule_says(rule, factor):
    config = OptimConfig(lr=0.01, lr_rule=rule, lr_batch=8, schedule="constant")
    found = rates(config, clips=32)
    assert found[-1] == pytest.approx(0.01 * factor)
    assert rates(config, clips=8)[0] == found[-1] / factor  # nothing to scale: no warm-up


def test_a_scaled_rate_rises_over_five_epochs_and_then_falls_as_torch_says():
    config = OptimConfig(lr=0.01, lr_rule="linear", lr_batch=8, schedule="cosine", lr_floor=1e-4)
    found = rates(config, clips=16, steps_per_epoch=2, steps=30)
    assert found[:10] == pytest.approx([0.02 * (k + 1) / 10 for k in range(10)])
    one = nn.Linear(1, 1)
    sgd = optim.SGD(one.parameters(), lr=0.02)
    torchs = optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=20, eta_min=1e-4)
    for rate in found[10:]:
        assert math.isclose(rate, sgd.param_groups[0]["lr"], rel_tol=1e-9)
        sgd.step()
        torchs.step()


def test_a_warm_up_that_is_given_counts():
    config = OptimConfig(lr=0.01, lr_rule="linear", warmup_steps=4, schedule="constant")
    assert rates(config, clips=32)[:5] == pytest.approx([0.005, 0.01, 0.015, 0.02, 0.02])


def test_a_run_says_first_what_its_rate_came_to(tiny, small_shards, tmp_path):
    changes = {"optim.lr_rule": "linear", "optim.lr_batch": 1, "optim.accumulate": 2}
    config = tiny(**changes, **{"task.modalities": '["audio"]', "task.kind": "single"})
    train(config, small_shards, tmp_path)
    first, *rows = read_metrics(tmp_path / "metrics.jsonl")
    assert first["clips_per_step"] == 2 * config.data.batch_size
    assert first["lr"] == pytest.approx(config.optim.lr * first["clips_per_step"])
    assert rows[0]["lr"] == pytest.approx(first["lr"] / first["warmup_steps"])
