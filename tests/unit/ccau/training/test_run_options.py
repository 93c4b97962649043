"""Options of a run beyond the default: the paper's selection, TensorBoard, torch.compile, sizes."""

import json

import pytest
import torch
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.config.config import read_config
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training import loop as train_loop
from baselines.ccau.training.train import train
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet
from tests.unit.ccau.training.dying import Killed

AUDIO = {"task.kind": "single", "task.modalities": '["audio"]'}


def test_the_papers_selection_looks_at_a_test_split_and_says_so(
    tiny, small_shards, tmp_path, monkeypatch
):
    config = tiny(**AUDIO, **{"run.selection": "paper", "optim.epochs": 2})
    asked = []
    plain = train_loop.validate

    def validate(task, config, judge):
        asked.append(set().union(*judge.having.values()))
        return plain(task, config, judge)

    monkeypatch.setattr(train_loop, "validate", validate)
    train(config, small_shards, tmp_path / "run")
    shards = ShardSet.open(small_shards)
    of = {
        part: {s.sequence for s in shards.samples if s.split == part} for part in ("train", "val")
    }
    assert asked == [of["val"]] * 2
    parts = read_json(tmp_path / "run", "config.json")["parts"]
    assert set(parts["train"]) == of["train"] and not parts["validation"]  # nobody is set aside
    rows = [r for r in read_metrics(tmp_path / "run/metrics.jsonl") if r["kind"] == "validation"]
    assert [row["on"] for row in rows] == ["paper", "paper"]
    assert (tmp_path / "run" / "checkpoint-best").is_dir()
    results = evaluate(tmp_path / "run", small_shards, device="cpu", draws=10)
    assert results["checkpoint"] == "checkpoint-best"
    assert "'val', which is also one of the two test splits" in results["selection_note"]


def test_tensorboard_shows_the_numbers_of_the_log_also_after_a_kill(
    tiny, small_shards, tmp_path, monkeypatch
):
    from tensorboard.backend.event_processing import event_accumulator as accumulator

    config = tiny(**AUDIO, **{"run.tensorboard": "true", "optim.epochs": 3})
    config = config.replace(["data.batch_size=2", "data.validation_share=0.4"])
    plain = train_loop.Trainer.step

    def dying(self, batches):
        row = plain(self, batches)
        if self.state.step == 2:
            self.log.write(row)
            raise Killed  # logged, not yet in a checkpoint
        return row

    with monkeypatch.context() as patch:
        patch.setattr(train_loop.Trainer, "step", dying)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "run")
    train(config, small_shards, tmp_path / "run")
    rows = list(read_metrics(tmp_path / "run" / "metrics.jsonl"))
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()

    def shown(tag):
        return [(event.step, event.value) for event in events.Scalars(tag)]

    def logged(kind, find):
        found = [(row["step"], find(row)) for row in rows if row["kind"] == kind]
        return [(step, pytest.approx(value, rel=1e-6)) for step, value in found]

    assert shown("losses/total") == logged("step", lambda row: row["losses"]["total"])
    assert shown("grad_norms/audio") == logged("step", lambda row: row["grad_norms"]["audio"])
    assert shown("lr") == logged("step", lambda row: row["lr"])
    assert shown("validation/score") == logged("validation", lambda row: row["score"])
    assert shown("validation/modalities/audio/accuracy") == logged(
        "validation", lambda row: row["modalities"]["audio"]["accuracy"]
    )


def test_compiling_without_a_compiler_is_refused_in_a_line(
    tiny, small_shards, tmp_path, monkeypatch
):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match="no no-such-compiler"):
        train(tiny(**{"optim.compile": "true"}), small_shards, tmp_path / "run")


@pytest.mark.slow
def test_compiled_networks_learn_the_same(tiny, small_shards, tmp_path):
    settings = {"task.modalities": '["ego", "audio"]', "optim.max_steps": 2}
    settings |= {"run.selection": "last"}
    losses = {}
    for compiled in ("false", "true"):
        config = tiny(**{**settings, "optim.compile": compiled})
        train(config, small_shards, tmp_path / compiled)
        rows = read_metrics(tmp_path / compiled / "metrics.jsonl")
        losses[compiled] = [row["losses"]["total"] for row in rows]
    torch.compiler.reset()
    assert losses["true"] == pytest.approx(losses["false"], rel=1e-3)
    # What it saves is an ordinary checkpoint.
    assert evaluate(tmp_path / "true", small_shards, device="cpu", draws=10)["modalities"]


@pytest.mark.slow
def test_the_papers_size_takes_a_step_on_a_cpu(small_shards, tmp_path):
    settings = ["data.batch_size=2", "data.workers=0", "optim.max_steps=1", "run.selection=last"]
    config = read_config("ccau", settings, size="paper")
    assert (config.model.width, config.data.size, config.optim.precision) == (64, 128, "bf16")
    train(config, small_shards, tmp_path / "run")
    (row,) = read_metrics(tmp_path / "run" / "metrics.jsonl")
    n_parameters = {"ego": 14e6, "third": 14e6, "audio": 20e6}
    manifest = json.loads((tmp_path / "run/checkpoint-last/manifest.json").read_text())
    assert manifest["files"]["model.safetensors"]["bytes"] > 4 * sum(n_parameters.values())
    assert row["losses"]["total"] < 1000 and row["memory_mb"] < 4000


@pytest.mark.slow
def test_the_doctor_examines_the_papers_size(small_shards):
    settings = ["data.batch_size=6", "data.workers=0", "run.selection=last", "run.device=cpu"]
    words = [word for setting in settings for word in ("--set", setting)]
    found = CliRunner().invoke(
        app, ["doctor", "ccau", "--size", "paper", "--shards", str(small_shards), *words]
    )
    assert found.exit_code == 0, found.output
    row = next(line for line in found.output.splitlines() if "throughput" in line)
    assert "a step of 6 clips" in " ".join(found.output.split()), found.output
    assert "passed" in row and "FAILED" not in found.output
