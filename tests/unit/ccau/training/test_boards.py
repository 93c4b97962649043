"""Weights & Biases sees what the log holds, one run once, and never ends a training."""

import importlib.util

import pytest

from baselines.ccau.runs import boards
from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training.train import train
from homage_sdk.errors import ConfigError
from tests.unit.ccau.training.boards import FakeWandb
from tests.unit.ccau.training.dying import Killed, killed_at

AUDIO = {"task.kind": "single", "task.modalities": '["audio"]', "data.batch_size": 2}
ON = {**AUDIO, "run.wandb": "true", "run.wandb_project": "thesis"}


@pytest.fixture
def wandb(monkeypatch):
    return FakeWandb.install(monkeypatch)


def test_a_run_is_shown_once_also_when_it_was_killed(
    wandb, tiny, small_shards, tmp_path, monkeypatch
):
    config = tiny(**ON, **{"run.checkpoint_every": 2})
    with monkeypatch.context() as patch:
        killed_at(patch, 3)  # a step after the checkpoint
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path)
    train(config, small_shards, tmp_path)
    (rows,) = wandb.rows.values()  # one run, under one id
    assert {asked["resume"] for asked in wandb.asked} == {"allow"}
    assert {asked["project"] for asked in wandb.asked} == {"thesis"}
    assert wandb.asked[0]["config"] == config.as_dict()
    logged = list(read_metrics(tmp_path / "metrics.jsonl"))
    steps = [(row["step"], row["losses"]["total"]) for row in logged if row["kind"] == "step"]
    assert [(step, v["losses/total"]) for step, v in rows if "losses/total" in v] == steps
    scores = [(row["step"], row["score"]) for row in logged if row["kind"] == "validation"]
    shown = [(step, v["validation/score"]) for step, v in rows if "validation/score" in v]
    assert shown == scores and len(wandb.finished) == 2
    train(config.replace(["optim.lr=0.1"]), small_shards, tmp_path, fresh=True)
    assert len(wandb.rows) == 2  # other weights, another run


@pytest.mark.parametrize("moment", ["init", "log"])
def test_a_service_that_fails_costs_no_training(wandb, tiny, small_shards, tmp_path, moment):
    wandb.fails = moment
    with pytest.warns(UserWarning, match="wandb"):
        summary = train(tiny(**ON), small_shards, tmp_path)
    assert summary.state.ended == "epochs"
    assert len(list(read_metrics(tmp_path / "metrics.jsonl"))) > summary.state.step


def test_a_missing_package_is_named_before_anything_is_written(
    tiny, small_shards, tmp_path, monkeypatch
):
    plain = importlib.util.find_spec
    missing = {"wandb", "tensorboard"}
    monkeypatch.setattr(boards, "find_spec", lambda m: None if m in missing else plain(m))
    for name in sorted(missing):
        with pytest.raises(ConfigError, match=rf"homage-sdk\[{name}\]"):
            train(tiny(**AUDIO, **{f"run.{name}": "true"}), small_shards, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_by_default_nothing_is_shown_anywhere(wandb, tiny, small_shards, tmp_path):
    train(tiny(**AUDIO, **{"optim.epochs": 1}), small_shards, tmp_path)
    assert not wandb.asked and not (tmp_path / "tensorboard").exists()
