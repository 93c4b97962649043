"""From a configuration and shards to clips and networks, and which teachers fit."""

import json

import pytest
import torch

from baselines.ccau.config.config import from_dict
from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.data import loaders
from baselines.ccau.data.partition import Parts, selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.report import figures
from baselines.ccau.report import run_page as page
from baselines.ccau.report.result_rows import result_rows
from baselines.ccau.runs import build_task as setup
from baselines.ccau.training.train import train
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet


def test_sizes_of_the_model_follow_the_data_and_another_is_refused(tiny, small_shards):
    shards = ShardSet.open(small_shards)
    derived = setup.model_config(tiny(), shards)
    assert (derived.size, derived.blocks, derived.n_mels) == (32, 2, 32)
    again = tiny(**{"model.size": derived.size, "model.audio_columns": derived.audio_columns})
    assert setup.model_config(again, shards) == derived  # an older config.json may hold them
    for name, source in (("size", "data.size"), ("n_mels", "data.n_mels"), ("n_objects", "shards")):
        other = getattr(ModelConfig(), name) + 7
        with pytest.raises(ConfigError, match=f"model.{name} follows .*{source}"):
            setup.model_config(tiny(**{f"model.{name}": other}), shards)


def test_a_teacher_of_another_kind_is_refused_and_named(tiny, small_shards, tmp_path):
    shards = ShardSet.open(small_shards)
    run = tmp_path / "teacher"
    changes = {"task.kind": "single", "task.modalities": ["audio"], "optim.epochs": 1}
    train(tiny(**changes), small_shards, run)
    student = {
        "task.kind": "static_kd",
        "task.modalities": ["ego", "audio"],
        "task.teachers.audio": str(run),
    }
    assert setup.build_task(tiny(**student), shards, torch.device("cpu"))
    for key, value in (
        ("model.audio_axes", "time_mel"),
        ("data.hop", 80),
        ("data.block_frames", 4),
        ("data.novel_share", 0.4),
    ):
        with pytest.raises(ConfigError, match=f"teacher of audio .* another {key}") as caught:
            setup.build_task(tiny(**student, **{key: value}), shards, torch.device("cpu"))
        assert str(run) in str(caught.value)
    record = json.loads((run / "config.json").read_text())
    assert set(setup.describe(tiny(**student), shards, parts_of(run))["parts"]["teachers"]) == {
        *record["parts"]["train"],
        *record["parts"]["validation"],
    }
    record["parts"]["train"].append(
        tested := next(s.sequence for s in shards.samples if s.split == "test")
    )
    (run / "config.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=f"teacher of audio learned from .*{tested}"):
        setup.build_task(tiny(**student), shards, torch.device("cpu"))


def parts_of(run):
    parts = json.loads((run / "config.json").read_text())["parts"]
    return Parts(parts["train"], parts["validation"], parts["validation_participants"])


def test_what_was_not_learned_is_not_shown_as_ours(tiny, small_shards, tmp_path):
    run = tmp_path / "run"
    changes = {"composition.targets": "activity", "task.kind": "single", "optim.epochs": 1}
    train(tiny(**changes, **{"task.modalities": ["audio"]}), small_shards, run)
    evaluate(run, small_shards)
    results = json.loads((run / "results.json").read_text())
    assert results["targets"] == "activity"
    ours = next(row for row in result_rows(results) if row["row"] == "ours")
    unlearned = [ours[name] for name in ("mAP, weighted %", "macro %", "micro %")]
    assert ours["top-1 %"] != "-" and unlearned == ["-", "-", "-"]
    body = str(page.results_section(run).body)
    assert "atomic yes" not in body and "atomic not shown" not in body
    assert "Activity: top-1" in figures.results(run)
    assert "Atomic actions: support" not in figures.results(run)


def test_the_loader_reads_clips_as_the_preset_says(small_shards, monkeypatch):
    """Each difference of the input is handed on, in training and in evaluation."""
    monkeypatch.setattr(loaders, "ClipLoader", lambda shards, options: options)
    shards, wanted = ShardSet.open(small_shards), {}
    for preset in ("paper", "official"):
        config = from_dict({"preset": preset, "data": {"train_unit": "action"}})
        for training in (True, False):
            options = loaders.open_loader(shards, config, ("ego",), (), World(), training=training)
            wanted[preset] = (
                options.fit, options.crop, options.starts, options.eval_every, options.short,
                options.action_ends,
            )  # fmt: skip
            assert options.train_unit == "action"
            assert options.mode == ("train" if training else "eval")
    assert wanted["paper"] == ("stretch", None, "packed", None, "pad", "both")
    assert wanted["official"] == ("pad", None, "any", 90, "squeeze", "inside")


def test_a_run_learns_from_a_clip_of_each_atomic_action(tiny, small_shards, tmp_path):
    changes = {"task.kind": "single", "task.modalities": ["audio"], "data.train_unit": "action"}
    config = tiny(**changes, **{"optim.max_steps": 2, "composition.targets": "atomic"})
    shards = ShardSet.open(small_shards)
    loader = loaders.open_loader(
        shards, config, ("audio",), selection_parts(config, shards).train, World(), training=True
    )
    assert loader.rows.n_rows == sum(sample.n_atomic_actions for sample in loader.samples) > 20
    train(config, small_shards, tmp_path / "run")
    results = evaluate(tmp_path / "run", small_shards, device="cpu", draws=5)
    assert set(results["modalities"]) == {"audio"}
