"""How a run begins, begins again, and goes on after a kill at an awkward moment."""

import json
import os
import shutil

import pytest

from baselines.ccau.config.training_config import OptimConfig
from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.runs.run_folder import begin, open_run
from baselines.ccau.training import loop as train_loop
from baselines.ccau.training.schedule import Plateau
from baselines.ccau.training.train import train
from baselines.ccau.training.training_state import State
from baselines.ccau.training.validation_score import Validation
from homage_sdk.errors import CheckpointError, ConfigError, HomageError
from homage_sdk.storage.folder_swap import new_folder, recover
from tests.unit.ccau.training.dying import Killed, killed_at

AUDIO = {"task.kind": "single", "task.modalities": '["audio"]', "run.selection": "last"}
DESCRIPTION: dict[str, dict[str, str]] = {"config": {}, "shards": {}, "parts": {}, "prior": {}}


def killed_between_the_renames(target):
    """What a kill leaves while ``new_folder`` puts a new ``target`` in the old one's place."""
    target.rename(target.parent / f".tmp-{target.name}.old")
    (target.parent / f".tmp-{target.name}").mkdir()


def test_a_folder_killed_while_being_replaced_is_put_back(tmp_path):
    target = tmp_path / "kept"
    recover(target)
    assert not any(tmp_path.iterdir())  # nothing to do, nothing written
    with new_folder(target) as folder:
        (folder / "weights").write_text("old")
    killed_between_the_renames(target)
    recover(target)
    assert (target / "weights").read_text() == "old"
    # Where the new one is already there, a reader does not touch what is left of the old.
    shutil.copytree(target, tmp_path / ".tmp-kept.old")
    recover(target)
    assert (tmp_path / ".tmp-kept.old").is_dir()


@pytest.mark.parametrize("resume", [False, True])
def test_a_kill_between_the_renames_of_a_checkpoint_loses_no_step(
    tiny, small_shards, tmp_path, monkeypatch, resume
):
    config = tiny(**AUDIO, **{"run.checkpoint_every": 1, "data.batch_size": 2})
    with monkeypatch.context() as patch:
        killed_at(patch, 2)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "run")
    killed_between_the_renames(tmp_path / "run" / "checkpoint-last")
    first = []
    plain = train_loop.Trainer.run
    monkeypatch.setattr(
        train_loop.Trainer,
        "run",
        lambda self, progress: (first.append(self.state.step), plain(self, progress))[1],
    )
    train(config, small_shards, tmp_path / "run", resume=resume)
    assert first == [2]


def test_resume_without_a_checkpoint_is_refused_and_nothing_is_dropped(tmp_path):
    begin(tmp_path, DESCRIPTION)
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    with pytest.raises(CheckpointError, match="nothing to resume from"):
        open_run(tmp_path, DESCRIPTION, fresh=False, resume=True)
    assert (tmp_path / "metrics.jsonl").exists()
    assert open_run(tmp_path, DESCRIPTION, fresh=False, resume=False).checkpoint is None


def test_a_new_start_killed_at_any_moment_can_be_made_again(tmp_path, monkeypatch):
    def full_run(out):
        out.mkdir()
        for name in ("config.json", "run.json", "metrics.jsonl", "results.json"):
            (out / name).write_text(json.dumps(DESCRIPTION))
        for name in ("checkpoint-last", "checkpoint-best", ".tmp-checkpoint-last.old"):
            (out / name).mkdir()
            (out / name / "manifest.json").write_text("old")

    new = DESCRIPTION | {"config": {"of": "new"}}
    for moment in range(60):
        out = tmp_path / str(moment)
        full_run(out)
        left = [moment]
        with monkeypatch.context() as patch:
            for place, name in ((os, "unlink"), (os, "rename"), (os, "rmdir"), (os, "replace")):
                patch.setattr(place, name, dying_after(left, getattr(place, name)))
            try:
                begin(out, new)
            except Killed:
                pass
            else:
                break
        assert (out / "config.json").exists()
        assert open_run(out, new, fresh=True, resume=False).checkpoint is None
        begin(out, new)
        assert {path.name for path in out.iterdir()} == {"config.json"}
        assert json.loads((out / "config.json").read_text()) == new
        assert open_run(out, new, fresh=False, resume=False).checkpoint is None
    assert 8 < moment < 59  # it was killed at several moments, and at the last it came through


def dying_after(left, act):
    """``act``, which kills the process once ``left`` operations are over."""

    def step(*arguments, **options):
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return act(*arguments, **options)

    return step


def test_a_first_try_that_is_refused_leaves_the_folder_to_the_corrected_command(
    tiny, small_shards, tmp_path
):
    run = tmp_path / "run"
    with pytest.raises(HomageError, match="fewer sequences than one batch"):
        train(tiny(**AUDIO, **{"data.batch_size": 500}), small_shards, run)
    assert not (run / "config.json").exists()
    config = tiny(**AUDIO, **{"optim.max_steps": 1})
    train(config, small_shards, run)
    # Nor does a refused new start cost the run that is there.
    with pytest.raises(HomageError, match="fewer sequences than one batch"):
        train(tiny(**AUDIO, **{"data.batch_size": 500}), small_shards, run, fresh=True)
    assert train(config, small_shards, run).already_done
    with pytest.raises(ConfigError, match="another run"):
        train(config.replace(["optim.lr=0.5"]), small_shards, run)
    assert not list(run.glob(".tmp-*"))


def test_the_likelihood_only_decides_between_equal_scores():
    plateau, config = Plateau(), OptimConfig()
    assert not plateau.observe(float("-inf"), 0.0, 1, config)  # nothing was judged
    assert plateau.observe(0.5, -2.0, 2, config)
    assert plateau.observe(0.5 + 1e-4, -50.0, 3, config)  # one more right, however unsure
    assert not plateau.observe(0.5, -0.1, 4, config)
    assert not plateau.observe(0.5 + 1e-4, -50.0, 5, config)
    assert plateau.observe(0.5 + 1e-4, -49.0, 6, config)
    assert (plateau.best, plateau.best_step) == (0.5 + 1e-4, 6)


def test_a_state_written_before_there_was_a_likelihood_is_read():
    old = {"best": 0.4, "best_step": 3, "bad": 0, "since_best": 0, "scale": 1.0}
    assert State.from_json({"step": 5, "plateau": old}).plateau.best == 0.4


def test_a_score_and_its_likelihood_are_logged_apart(tiny, small_shards, tmp_path, monkeypatch):
    config = tiny(**{**AUDIO, "run.selection": "validation", "optim.epochs": 3})
    said = iter([(0.50, -2.0), (0.51, -9.0), (0.50, -0.1)])
    monkeypatch.setattr(train_loop, "validate", lambda *_: Validation(*next(said), {}))
    train(config, small_shards, tmp_path / "run")
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    rows = [row for row in rows if row["kind"] == "validation"]
    assert [row["is_best"] for row in rows] == [True, True, False]
    assert [(row["score"], row["likelihood"]) for row in rows][1] == (0.51, -9.0)
