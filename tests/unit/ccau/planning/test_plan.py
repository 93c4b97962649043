"""``--dry-run``: the plan is what training then does, and a speed is measured, read or unknown."""

import json
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.data.loaders import prepare
from baselines.ccau.data.partition import selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.paper.arms import ARMS
from baselines.ccau.planning.arms_plan import arm_rows, plan_arms
from baselines.ccau.planning.measure import first_batch
from baselines.ccau.planning.memory import step_memory
from baselines.ccau.planning.run_plan import plan_facts, plan_run
from baselines.ccau.planning.speed import Speed
from baselines.ccau.runs.build_task import build_task, class_names, model_config
from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training.train import train
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet
from tests.unit.ccau.paper.test_arms import SMALL
from tests.unit.ccau.training.dying import Killed, killed_at


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"optim.epochs": 3, "run.validate_every": 2, "optim.accumulate": 2},
        {"optim.epochs": 9, "optim.max_steps": 4, "data.batch_size": 2},
        {"run.selection": "last", "composition.weighting": "uncertainty"},
    ],
)
def test_a_run_does_what_its_plan_says(tiny, small_shards, tmp_path, monkeypatch, changes):
    audio = {"task.kind": "single", "task.modalities": '["audio"]'}
    config, run = tiny(**audio, **changes), tmp_path / "run"
    plan = plan_run(config, small_shards, run)
    assert not run.exists() and plan.done == 0
    answers = []
    plain = Judge.__call__

    def counting(self, *arguments, **options):
        answers.append(self.n_answers)
        return plain(self, *arguments, **options)

    monkeypatch.setattr(Judge, "__call__", counting)
    train(config, small_shards, run)
    rows = list(read_metrics(run / "metrics.jsonl"))
    steps = [row for row in rows if row["kind"] == "step"]
    clips = sum(round(row["clips_per_s"] * row["step_s"]) for row in steps)
    assert (plan.updates, plan.clips) == (len(steps), clips)
    assert (plan.validations, plan.answers) == (len(answers), sum(answers))
    tensors = [path.stat().st_size for path in run.rglob("*.safetensors")]
    assert plan.disk == pytest.approx(sum(tensors), rel=0.25)  # names weigh as much as these nets
    assert plan_run(config, small_shards, run).done == plan.updates


@pytest.mark.slow
def test_what_is_trained_already_is_not_counted_again(tiny, small_shards, tmp_path, monkeypatch):
    config = tiny(**{"run.checkpoint_every": 1, "data.batch_size": 2})
    with monkeypatch.context() as patch:
        killed_at(patch, 2)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path)
    speed = Speed("given", steps=10.0, loading=40.0)
    plans = [
        replace(plan_run(config, small_shards, out), speed=speed)
        for out in (tmp_path, tmp_path / "new")
    ]
    left = 1 - 2 / plans[0].updates
    assert plans[0].train_s == pytest.approx(left * plans[1].train_s)
    assert plans[1].train_s == pytest.approx(plans[1].clips * (1 / 10 + 1 / 40))


@pytest.mark.slow
def test_activations_are_those_that_a_real_step_keeps(tiny, small_shards):
    shards = ShardSet.open(small_shards)
    config = tiny(**{"model.width": 8, "run.selection": "last", "data.batch_size": 4})
    task = build_task(config, shards, torch.device("cpu"))
    parts = selection_parts(config, shards)
    batch = first_batch(config, shards, parts, World(), task)
    inputs, targets = prepare(batch, config, task.modalities, epoch=0, training=False)
    for flags in targets.present.values():
        flags.fill_(True)
    targets.block_valid.fill_(True)
    own = {t.untyped_storage().data_ptr() for t in (*task.parameters(), *task.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = task(inputs, targets, step=0)
    found = sum(storage.nbytes() for storage in kept.values())
    counts = {kind: len(names) for kind, names in class_names(shards).items()}
    memory = step_memory(config, model_config(config, shards), counts)
    assert losses["total"].isfinite()
    assert memory.activations == pytest.approx(found, rel=0.1)
    assert memory.trained == sum(4 * p.numel() for p in task.parameters())
    twice = step_memory(config.replace(["data.batch_size=8"]), task.nets["ego"].config, counts)
    assert twice.activations == pytest.approx(2 * memory.activations, rel=0.05)


def test_teachers_take_no_gradients(tiny, small_shards):
    shards = ShardSet.open(small_shards)
    teachers = {"task.teachers.audio": "x", "task.teachers.third": "y"}
    config = tiny(**{"task.kind": "static_kd"}, **teachers)
    both = (config, tiny())
    taught, all_learn = (
        step_memory(c, model_config(c, shards), {"activity": 3, "atomic": 5}) for c in both
    )
    assert taught.weights == all_learn.weights
    assert taught.trained < all_learn.trained and taught.activations < all_learn.activations


@pytest.fixture
def one_memory(monkeypatch):
    """Every plan takes the memory of the first: a second of work for each, judged above."""
    kept = []

    def once(*arguments):
        if not kept:
            kept.append(step_memory(*arguments))
        return kept[0]

    monkeypatch.setattr("baselines.ccau.planning.run_plan.step_memory", once)


@pytest.fixture
def card(tiny, small_shards, tmp_path):
    """What check_gpu would write of the tiny configuration, with changes."""
    model = model_config(tiny(), ShardSet.open(small_shards))

    def write(**changes):
        step = {"section": "steps", "batch": 3, "precision": "fp32", "compiled": False}
        report = {
            "rows": [
                {"section": "environment", "name": "device", "value": "Card X"},
                step | {"clips_per_s": 50.0, "peak_gb": 2.0},
                {"section": "loading", "workers": 0, "clips_per_s": 200.0},
            ],
            "model": {**vars(model)},
            "frames": 3,
            "modalities": ["ego", "third", "audio"],
        }
        path = tmp_path / "check_gpu.json"
        path.write_text(json.dumps(report | changes))
        return path

    return write


def test_the_time_of_a_card_is_read_only_where_it_measured_such_a_step(
    tiny, small_shards, tmp_path, card, one_memory
):
    def asked(path, **changes):
        return plan_run(tiny(**changes), small_shards, tmp_path / "run", gpu=path)

    plan = asked(card())
    assert plan.train_s == pytest.approx(plan.clips / 40.0)  # 1 / (1/50 + 1/200)
    assert "Card X" in plan.speed.why and plan.speed.memory_mb == 2000.0
    for changes in (
        {"data.batch_size": 2},
        {"optim.precision": "bf16"},
        {"optim.compile": "true"},
        {"model.width": 4},
        {"data.block_frames": 2},
        {"data.workers": 3},
        {"task.modalities": '["ego", "scene_graph"]'},
    ):
        plan = asked(card(), **changes)
        assert plan.train_s is None and plan.judge_s is None, changes
        assert ("training", "unknown") in plan_facts(plan)
    older = card(model={})
    assert asked(older).train_s is None
    older.write_text("{}")
    with pytest.raises(ConfigError, match="check_gpu"):
        asked(older)


@pytest.mark.slow
def test_the_command_measures_when_it_is_asked_and_else_says_unknown(small_shards, tmp_path):
    words = [word for setting in [*SMALL, "run.selection=last"] for word in ("--set", setting)]
    run = tmp_path / "run"
    command = ["train", "ccau", "--shards", str(small_shards), "--out", str(run), "--dry-run"]
    said = {}
    for more in ([], ["--measure"]):
        found = CliRunner().invoke(app, [*command, *words, *more])
        assert found.exit_code == 0, found.output
        said[bool(more)] = dict(line.split(maxsplit=1) for line in found.output.splitlines())
    assert said[False]["training"] == "unknown" and said[True]["training"] != "unknown"
    assert not run.exists()


def test_each_arm_is_trained_once_for_all_its_tables(small_shards, tmp_path, one_memory):
    plans = plan_arms(small_shards, tmp_path / "out", size="tiny", seeds=3, settings=SMALL)
    assert [plan.arm for plan in plans] == list(ARMS)
    *rows, total = arm_rows(plans)
    assert len(rows) == len(ARMS) and total["runs"] == str(3 * len(ARMS))
    single = next(row for row in rows if row["arm"] == "single_activity")
    assert single["tables"] == "2, 3" and single["teaches"] == "static_kd_activity"
    assert total["to go"] == "unknown" and not (tmp_path / "out").exists()
    updates = sum(run.updates for plan in plans for run in plan.runs)
    assert total["updates"] == f"{updates:,}"
    command = ["arms", str(small_shards), str(tmp_path / "out"), "--size", "tiny", "--dry-run"]
    settings = [word for setting in SMALL for word in ("--set", setting)]
    found = CliRunner().invoke(app, [*command, "--seeds", "1", "--only", "ccau", *settings])
    assert found.exit_code == 0 and "ccau" in found.output, found.output
