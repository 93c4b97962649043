"""Training: exact, resumable, never twice, and stopping as a whole."""

import functools
import json
import shutil
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training import loop as train_loop
from baselines.ccau.training.train import train
from homage_sdk.errors import CheckpointError, ConfigError, TrainingError
from homage_sdk.storage import sha256_file
from tests.unit.ccau.training.dying import Killed, killed_at

TIMES = (
    *("clips_per_s", "data_wait_share", "step_s", "memory_mb"),
    *("validation_s", "training_s"),
)


def curve(run):
    return [
        {key: value for key, value in row.items() if key not in TIMES}
        for row in read_metrics(run / "metrics.jsonl")
    ]


def weights(run, name="checkpoint-last"):
    return load_file(run / name / "model.safetensors")


def assert_same_run(a, b):
    assert curve(a) == curve(b)
    for name in ("checkpoint-last", "checkpoint-best"):
        assert (a / name).is_dir() == (b / name).is_dir()
        if (a / name).is_dir():
            left, right = weights(a, name), weights(b, name)
            assert left.keys() == right.keys()
            for key, tensor in left.items():
                assert torch.equal(tensor, right[key]), key
    assert (a / "run.json").read_text() == (b / "run.json").read_text()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_training_curve(tiny, small_shards, tmp_path):
    for name in ("a", "b"):
        train(tiny(), small_shards, tmp_path / name)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    other = tiny(**{"run.seed": 1})
    train(other, small_shards, tmp_path / "c")
    assert curve(tmp_path / "a") != curve(tmp_path / "c")


@pytest.mark.slow
def test_batches_that_a_thread_reads_ahead_train_the_same(
    tiny, small_shards, tmp_path, monkeypatch
):
    train(tiny(), small_shards, tmp_path / "plain")
    monkeypatch.setattr(train_loop, "feed", functools.partial(train_loop.feed, threaded=True))
    before = threading.active_count()
    train(tiny(), small_shards, tmp_path / "fed")
    assert_same_run(tmp_path / "plain", tmp_path / "fed")
    assert threading.active_count() == before


@pytest.mark.slow
def test_a_repeatable_run_allows_only_repeatable_operations_and_only_while_it_runs(
    tiny, small_shards, tmp_path
):
    seen = []

    def progress(step, total):
        seen.append(torch.are_deterministic_algorithms_enabled())

    for wanted in (True, False):
        seen.clear()
        config = tiny(**{"run.deterministic": str(wanted).lower()})
        train(config, small_shards, tmp_path / str(wanted), progress=progress)
        assert set(seen) == {wanted}
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("step", "workers"),
    [
        (1, 0),
        (3, 2),
        *(pytest.param(step, n, marks=pytest.mark.slow) for step, n in [(2, 0), (3, 0), (2, 2)]),
    ],
)
def test_a_killed_run_resumes_to_the_same_bits(
    tiny, small_shards, tmp_path, monkeypatch, workers, step
):
    config = tiny(**{"run.checkpoint_every": 1, "data.workers": workers, "data.batch_size": 2})
    train(config, small_shards, tmp_path / "straight")
    with monkeypatch.context() as patch:
        killed_at(patch, step)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "broken")
    assert not (tmp_path / "broken" / "run.json").exists()
    train(config, small_shards, tmp_path / "broken")
    assert_same_run(tmp_path / "straight", tmp_path / "broken")


@pytest.mark.slow
def test_a_run_validates_as_often_as_it_counted_also_when_it_is_resumed(
    tiny, small_shards, tmp_path, monkeypatch
):
    changes = {"run.validate_every": '"auto"', "run.checkpoint_every": 1, "optim.epochs": 13}
    audio = {"task.kind": "single", "task.modalities": '["audio"]', "data.blocks": 8}
    config = tiny(**changes, **audio, **{"run.selection": "paper"})
    train(config, small_shards, tmp_path / "straight")
    with monkeypatch.context() as patch:
        killed_at(patch, 15)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "broken")
    train(config, small_shards, tmp_path / "broken")
    assert_same_run(tmp_path / "straight", tmp_path / "broken")
    rows = [row for row in curve(tmp_path / "broken") if row["kind"] == "validation"]
    first, *more, last = (row["epoch"] for row in rows)
    assert first > 1 and more and last == 13
    assert more == list(range(2 * first, 13, first))


def test_a_finished_run_is_not_trained_twice(tiny, small_shards, tmp_path):
    first = train(tiny(), small_shards, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}
    second = train(tiny(), small_shards, tmp_path / "run")
    assert not first.already_done and second.already_done
    assert second.state == first.state
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}
    of_these_weights = [
        tmp_path / "run" / name for name in ("fewshot.json", "localisation.json", "tsne.json")
    ]
    for path in of_these_weights:
        path.write_text("{}")
    third = train(tiny(), small_shards, tmp_path / "run", fresh=True)
    assert not third.already_done
    assert not any(path.exists() for path in of_these_weights)  # they judged weights that are gone


def test_another_configuration_does_not_overwrite_a_run(tiny, small_shards, tmp_path):
    train(tiny(), small_shards, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"optim\.lr differs.*--out"):
        train(tiny(**{"optim.lr": 0.5}), small_shards, tmp_path / "run")
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="not a run"):
        train(tiny(), small_shards, tmp_path / "else")
    with pytest.raises(CheckpointError, match="no run to resume"):
        train(tiny(), small_shards, tmp_path / "nothing", resume=True)


def test_a_cut_checkpoint_is_refused_on_resume(tiny, small_shards, tmp_path, monkeypatch):
    config = tiny(**{"run.checkpoint_every": 1})
    with monkeypatch.context() as patch:
        killed_at(patch, 1)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "run")
    model = tmp_path / "run" / "checkpoint-last" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cut"):
        train(config, small_shards, tmp_path / "run")


@pytest.mark.slow
def test_validating_or_not_leaves_the_weights_bitwise_equal(tiny, small_shards, tmp_path):
    # The plateau schedule reads validations: with its patience they cannot matter here.
    for name, every in (("often", 1), ("never", 0)):
        train(tiny(**{"run.validate_every": every}), small_shards, tmp_path / name)
    left, right = weights(tmp_path / "often"), weights(tmp_path / "never")
    for key, tensor in left.items():
        assert torch.equal(tensor, right[key]), key
    kinds = [row["kind"] for row in read_metrics(tmp_path / "often" / "metrics.jsonl")]
    assert kinds.count("validation") == 2


def test_cooperative_without_alignment_is_single_training_bit_for_bit(tiny, small_shards, tmp_path):
    together = tiny(**{"align.weight": 0.0, "run.selection": "last"})
    train(together, small_shards, tmp_path / "together")
    train(together.replace(["task.kind=single"]), small_shards, tmp_path / "single")
    both, single = weights(tmp_path / "together"), weights(tmp_path / "single")
    assert both.keys() == single.keys()
    for key, tensor in single.items():
        assert torch.equal(tensor, both[key]), key


def test_a_step_logs_what_a_researcher_asks_for(tiny, small_shards, tmp_path):
    train(tiny(**{"optim.max_steps": 1}), small_shards, tmp_path / "run")
    row = next(read_metrics(tmp_path / "run" / "metrics.jsonl"))
    assert {"total", "ego/activity", "ego/atomic", "alignment/total"} <= row["losses"].keys()
    assert {"ego", "third", "audio"} <= row["grad_norms"].keys()
    assert "negatives/ego-third" in row["stats"] and "context_std/ego" in row["stats"]
    for pair in ("ego-third", "ego-audio", "third-audio"):
        figures = [row["stats"][f"alignment_{f}/{pair}"] for f in ("accuracy", "chance", "placebo")]
        assert all(0 <= figure <= 1 for figure in figures) and figures[1] > 0
    assert 0 <= row["data_wait_share"] <= 1 and row["clips_per_s"] > 0 and row["memory_mb"] > 10


def test_a_loss_that_is_not_finite_stops_and_names_rank_and_sample(
    tiny, small_shards, tmp_path, monkeypatch
):
    plain = train_loop.prepare
    poisoned = []

    def poison(batch, *arguments, **options):
        inputs, targets = plain(batch, *arguments, **options)
        if len(poisoned) == 1:
            inputs["ego"][batch.present["ego"].nonzero()[0, 0]] = float("nan")
            row = int(batch.present["ego"].nonzero()[0, 0])
            poisoned.append(batch.sequence[row])
        else:
            poisoned.append(None)
        return inputs, targets

    monkeypatch.setattr(train_loop, "prepare", poison)
    with pytest.raises(TrainingError) as caught:
        train(tiny(), small_shards, tmp_path / "run")
    text = str(caught.value)
    assert poisoned[1] in text and "rank 0" in text and "step 2" in text and "ego/" in text


def test_gradients_are_clipped_a_modality_at_a_time(tiny, small_shards, tmp_path, monkeypatch):
    seen = []
    plain = torch.optim.Adam.step

    def look(self, *arguments, **options):
        for group in self.param_groups:
            norms = [p.grad.norm() for p in group["params"] if p.grad is not None]
            seen.append(float(torch.stack(norms).norm()))
        return plain(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", look)
    config = tiny(**{"optim.clip_norm": 0.01, "optim.max_steps": 1})
    train(config, small_shards, tmp_path / "run")
    assert seen[:3] == pytest.approx([0.01] * 3, rel=1e-3)


def test_accumulation_averages_micro_batches(tiny, small_shards, tmp_path):
    config = tiny(
        **{"data.batch_size": 1, "optim.accumulate": 3, "optim.epochs": 1, "run.selection": "last"}
    )
    train(config, small_shards, tmp_path / "run")
    rows = curve(tmp_path / "run")
    n_train = len(json.loads((tmp_path / "run/config.json").read_text())["parts"]["train"])
    assert len(rows) == int(np.ceil(n_train / 3))


def test_a_uncertainty_weight_is_trained(tiny, small_shards, tmp_path):
    config = tiny(**{"composition.weighting": "uncertainty", "optim.max_steps": 2})
    train(config, small_shards, tmp_path / "run")
    saved = weights(tmp_path / "run")
    moved = [key for key in saved if "log_variance" in key]
    assert len(moved) == 3 and all(saved[key].abs().min() > 0 for key in moved)


def test_bf16_and_early_stop_run(tiny, small_shards, tmp_path):
    config = tiny(**{"optim.precision": "bf16", "optim.epochs": 9, "optim.early_stop": 1})
    config = config.replace(["optim.lr=1e-9"])
    summary = train(config, small_shards, tmp_path / "run")
    assert summary.state.ended == "early stop"
    assert np.isfinite(
        [row["losses"]["total"] for row in curve(tmp_path / "run") if "losses" in row]
    ).all()


def test_shards_that_lost_a_class_are_refused(tiny, small_shards, tmp_path, monkeypatch):
    config = tiny(**{"run.checkpoint_every": 1})
    with monkeypatch.context() as patch:
        killed_at(patch, 1)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "run")
    other = tmp_path / "shards"
    shutil.copytree(small_shards, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["taxonomy"]["activity"][0]["name"] = "juggling"
    index = other / "index.parquet"  # without its copy of the manifest, which would be held against
    pq.write_table(pq.read_table(index).replace_schema_metadata(None), index)
    found = {"bytes": index.stat().st_size, "sha256": sha256_file(index)}
    manifest["index"] |= found
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match="differs"):
        train(config, other, tmp_path / "run")
