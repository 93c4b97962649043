"""What may change when a run goes on, and that what only informs never ends it."""

import json
import shlex
import warnings
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import torch

from baselines.ccau.config.resume_settings import Change, require_harmless, resume_settings
from baselines.ccau.config.toml_settings import flat
from baselines.ccau.config.training_config import OptimConfig
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.report.run_facts import run_facts
from baselines.ccau.runs.boards import Boards
from baselines.ccau.runs.build_task import build_task, load_nets
from baselines.ccau.runs.checkpoint import load
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.metrics_log import MetricsLog, read_metrics
from baselines.ccau.runs.objective_version import require_same_answer
from baselines.ccau.training import not_finite
from baselines.ccau.training.optimizer import memory_mb
from baselines.ccau.training.train import train
from baselines.ccau.training.training_state import State
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.progress import Harmless
from homage_sdk.shards import ShardSet
from tests.unit.ccau.training.boards import FakeWandb
from tests.unit.ccau.training.dying import Killed, killed_at
from tests.unit.ccau.training.test_train import assert_same_run

AUDIO = {"task.kind": "single", "task.modalities": '["audio"]', "data.batch_size": 2}
OTHER = {
    "data.workers": 1,
    "optim.epochs": 3,
    "optim.max_steps": 50,
    "run.device": "auto",
    "run.checkpoint_every": 2,
    "run.tensorboard": "true",
    "run.bootstrap_draws": 7,
    "run.wandb": "true",
    "run.wandb_project": "mine",
}
"""Another value of every setting that may change."""


@pytest.fixture
def stopped(tiny, small_shards, tmp_path, monkeypatch):
    """A run that was killed after two steps; its configuration and folder."""
    config = tiny(**AUDIO, **{"run.checkpoint_every": 1})
    with monkeypatch.context() as patch:
        killed_at(patch, 2)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "run")
    return config, tmp_path / "run"


@pytest.mark.slow
def test_a_killed_run_goes_on_with_every_setting_that_changes_no_weight(
    stopped, tiny, small_shards, tmp_path, monkeypatch
):
    FakeWandb.install(monkeypatch)
    config, run = stopped
    assert OTHER.keys() == resume_settings().keys()
    train(config.replace([f"{k}={v}" for k, v in OTHER.items()]), small_shards, run)
    train(tiny(**AUDIO, **{"optim.epochs": 3}), small_shards, tmp_path / "straight")
    assert_same_run(run, tmp_path / "straight")
    described = read_json(run, "config.json")
    assert {(c["step"], c["setting"]) for c in described["changes"]} == {(2, key) for key in OTHER}
    assert described["config"]["optim"]["epochs"] == 3
    assert any("optim.epochs 2 to 3" in value for _, value in run_facts(run))


def as_of_before(checkpoint, **changes):
    """Make a checkpoint one of a version that did not count its objective."""
    manifest = read_json(checkpoint, "manifest.json") | changes
    del manifest["objective"]
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))


def test_a_run_of_before_a_setting_goes_on_with_its_default(stopped, small_shards, tmp_path):
    """Such a run did what the default does; another value is refused as ever."""
    config, run = stopped
    described = read_json(run, "config.json")
    del described["config"]["align"]["centre"], described["config"]["data"]["fit"]
    (run / "config.json").write_text(json.dumps(described))
    as_of_before(run / "checkpoint-last", config=described["config"])
    with pytest.raises(ConfigError, match=r"align\.centre differs"):
        train(config.replace(["align.centre=true"]), small_shards, run)
    with pytest.raises(ConfigError, match=r"align\.negatives differs") as refused:
        train(config.replace(["align.negatives=same_block"]), small_shards, run)
    assert "same_block" in refused.value.found and "batch" in refused.value.expected
    assert "--set align.negatives=batch" in refused.value.hint
    with pytest.raises(ConfigError, match=r"data\.(crop|fit) differs"):
        train(config.replace(["data.crop=0", "data.fit=stretch"]), small_shards, run)
    train(config, small_shards, run)
    train(config, small_shards, tmp_path / "straight")
    assert_same_run(run, tmp_path / "straight")


def test_a_run_that_an_older_loss_began_is_not_ended_by_another(
    tiny, small_shards, tmp_path, monkeypatch
):
    atomic = tiny(**AUDIO, **{"composition.targets": "atomic", "run.checkpoint_every": 1})
    with monkeypatch.context() as patch:
        killed_at(patch, 2)
        with pytest.raises(Killed):
            train(atomic, small_shards, tmp_path)
    as_of_before(tmp_path / "checkpoint-last")
    with pytest.raises(CheckpointError, match=r"older objective.*lambda") as refused:
        train(atomic, small_shards, tmp_path)
    assert "--fresh" in refused.value.hint
    assert not train(atomic, small_shards, tmp_path, fresh=True).already_done


def test_weights_of_an_older_forward_pass_are_not_judged_by_another(tiny, small_shards, tmp_path):
    graphs = {"task.kind": "single", "task.modalities": '["audio", "scene_graph"]'}
    config = tiny(**graphs, **{"optim.epochs": 1, "run.selection": "last"})
    train(config, small_shards, tmp_path)
    shards = ShardSet.open(small_shards)
    assert load_nets(tmp_path, shards)
    as_of_before(tmp_path / "checkpoint-last")
    with pytest.raises(CheckpointError, match=r"older objective.*scene graph"):
        load_nets(tmp_path, shards)
    with pytest.raises(CheckpointError, match=r"older objective.*channels of small numbers"):
        require_same_answer(load(tmp_path / "checkpoint-last"), ["sensors"])
    student = {"task.kind": "static_kd", "task.modalities": '["ego", "audio"]'}
    of_sound = tiny(**student, **{"task.teachers.audio": str(tmp_path)})
    assert build_task(of_sound, shards, torch.device("cpu"))  # what it hears is as it was


def test_a_run_with_the_negatives_of_0_1_0_says_by_which_setting_it_goes_on(
    tiny, small_shards, tmp_path, monkeypatch
):
    """The same command wants other negatives by default since; the hint's setting is taken."""
    video = tiny(**AUDIO, **{"run.checkpoint_every": 1, "align.negatives": "video"})
    with monkeypatch.context() as patch:
        killed_at(patch, 2)
        with pytest.raises(Killed):
            train(video, small_shards, tmp_path)
    now = video.replace(["align.negatives=batch"])
    with pytest.raises(ConfigError, match=r"align\.negatives differs") as refused:
        train(now, small_shards, tmp_path)
    _, _, rest = refused.value.hint.partition("--set ")
    setting = rest.partition("`")[0]
    assert setting == "align.negatives=video"
    assert not train(now.replace([setting]), small_shards, tmp_path).already_done


@pytest.mark.parametrize(
    ("key", "old"), [("task.modalities", ["ego", "audio"]), ("align.centre", True), ("optim.lr", 1)]
)
def test_the_hint_sets_a_value_as_it_was(tiny, tmp_path, key, old):
    with pytest.raises(ConfigError) as refused:
        require_harmless(Change(key, old, "other"), "constant", tmp_path)
    _, setting, *_ = shlex.split(refused.value.hint.partition("`")[2].partition("`")[0])
    assert flat(tiny().replace([setting]).as_dict())[key] == old
    for no_setting in (Change("shards.fingerprint", "a", "b"), Change(key, None, old)):
        with pytest.raises(ConfigError) as refused:
            require_harmless(no_setting, "constant", tmp_path)
        assert "--set" not in refused.value.hint and "--fresh" in refused.value.hint


def test_any_other_change_is_refused_with_both_values_and_nothing_is_written(stopped, small_shards):
    config, run = stopped
    before = (run / "config.json").read_bytes()
    fixed = flat(config.as_dict()).keys() - resume_settings().keys()
    assert {"optim.lr", "run.seed", "data.batch_size", "run.validate_every"} <= fixed
    for setting, old in (("optim.lr=0.5", "0.001"), ("run.validate_every=2", "1")):
        with pytest.raises(ConfigError) as refused:
            train(config.replace([setting]), small_shards, run)
        error = refused.value
        key, _, new = setting.partition("=")
        assert key in error.message and new in error.found and old in error.expected
        assert "--fresh" in error.hint and str(run) in str(error.place)
    assert (run / "config.json").read_bytes() == before


@pytest.mark.parametrize("limit", ["optim.epochs", "optim.max_steps"])
def test_a_run_that_ended_trains_more_to_the_same_bits(tiny, small_shards, tmp_path, limit):
    short, long = (tiny(**AUDIO, **{limit: n}) for n in (2, 4))
    train(long, small_shards, tmp_path / "straight")
    run = tmp_path / "run"
    train(short, small_shards, run)
    evaluate(run, small_shards, device="cpu", draws=5)
    assert not train(long, small_shards, run).already_done
    assert not (run / "results.json").exists()  # they were of the weights before
    if limit == "optim.epochs":  # a step limit inside an epoch validates once more
        assert_same_run(run, tmp_path / "straight")
    assert train(long, small_shards, run).already_done
    with pytest.raises(ConfigError, match=rf"{limit} is less than"):
        train(short, small_shards, run)


def test_under_a_cosine_more_epochs_would_have_been_another_run(tiny, small_shards, tmp_path):
    config = tiny(**AUDIO, **{"optim.schedule": "cosine", "optim.epochs": 1})
    train(config, small_shards, tmp_path)
    with pytest.raises(ConfigError, match=r"optim\.epochs differs.*cosine"):
        train(config.replace(["optim.epochs=2"]), small_shards, tmp_path)


def test_what_leaves_nothing_to_train():
    config = OptimConfig(epochs=4, max_steps=10, early_stop=2)
    assert not State(epoch=3, step=9).is_over(config)
    assert State(epoch=4, step=9, ended="epochs").is_over(config)
    assert not State(epoch=4, step=9, ended="epochs").is_over(replace(config, epochs=5))
    assert State(epoch=4, step=10, ended="steps").is_over(replace(config, epochs=5))
    assert State(epoch=3, ended="early stop").is_over(config)
    patient = State(epoch=4, ended="epochs")
    patient.plateau.since_best = 2  # an early stop that fell on the last epoch
    assert patient.is_over(replace(config, epochs=9))
    with pytest.raises(ConfigError, match=r"optim\.epochs"):
        State(epoch=4).is_over(config)


def test_a_display_that_fails_costs_no_training(tiny, small_shards, tmp_path):
    told = []

    def broken(done, total):
        told.append(done)
        raise BrokenPipeError("the terminal is gone")

    with pytest.warns(UserWarning, match="terminal is gone"):
        summary = train(tiny(**AUDIO), small_shards, tmp_path, progress=broken)
    assert summary.state.ended == "epochs" and told == [1]


def test_a_tensorboard_that_fails_costs_no_row_of_the_log(tiny, tmp_path, monkeypatch):
    from torch.utils.tensorboard import SummaryWriter

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(SummaryWriter, "add_scalar", full)
    with pytest.warns(UserWarning, match="no space left"):
        board = Boards(tiny(**{"run.tensorboard": "true"}), tmp_path, 1)
        log = MetricsLog(tmp_path, keep_rows=0, board=board)
        for step in (1, 2):
            log.write({"kind": "step", "step": step, "loss": 1.0})
        log.close()
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]


def test_a_failed_display_is_said_once_and_ctrl_c_passes():
    def fail():
        raise ValueError("no")

    def interrupt():
        raise KeyboardInterrupt

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        display = Harmless("the display")
        for _ in range(3):
            display(fail)
    assert len(said) == 1
    with pytest.raises(KeyboardInterrupt):
        Harmless("the display")(interrupt)


def test_memory_that_nobody_tells_is_not_a_number(monkeypatch):
    def denied(_):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "memory_info", denied)
    found = memory_mb(torch.device("cpu"))
    assert found != found


def test_a_fault_is_told_also_where_its_sample_cannot_be_found(monkeypatch):
    def out_of_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(not_finite, "first_bad_input", out_of_memory)
    values = {"total": float("nan"), "ego/activity": float("nan")}
    read = [({}, SimpleNamespace(sequence=("p1",)))]
    said = not_finite.name_fault(None, values, read, place="rank 0 at step 3")
    assert "ego/activity" in said and "step 3" in said and "out of memory" in said
