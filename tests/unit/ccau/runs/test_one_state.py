"""What is read of a checkpoint or a run is of one state of it, or the reader is told."""

import numpy as np
import pytest
import torch

from baselines.ccau.paper.arms import ARMS
from baselines.ccau.report import paper_tables
from baselines.ccau.runs import checkpoint, run_folder
from baselines.ccau.runs.checkpoint import Identity, load
from baselines.ccau.runs.run_folder import LAST, finish, load_result, one_state
from homage_sdk.errors import CheckpointError
from tests.unit.ccau.comparison.saved_runs import save_fewshot_run


def save(folder, number):
    """A checkpoint all of whose files say ``number``."""
    checkpoint.save(
        folder,
        files={"model": {"x": torch.full((3,), float(number))}},
        state={"training": {"step": number}},
        identity=Identity(config={"number": number}, classes={}, shards=""),
    )


def numbers(opened):
    weights = {int(x) for x in opened.tensors("model")["x"]}
    return {opened.state["training"]["step"], opened.manifest.config["number"], *weights}


def run_of(run, number):
    run.mkdir(exist_ok=True)
    save(run / LAST, number)
    (run / "config.json").write_text("{}")
    (run / "metrics.jsonl").write_text("")
    finish(run, {"step": number}, LAST)
    return run


def test_weights_are_those_that_were_verified(tmp_path):
    save(tmp_path / "c", 1)
    opened = load(tmp_path / "c")
    save(tmp_path / "c", 2)
    with pytest.raises(CheckpointError, match="took the place"):
        opened.tensors("model")
    opened = load(tmp_path / "c")
    save(tmp_path / "other", 3)
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "c" / "model.safetensors")
    with pytest.raises(CheckpointError, match="cut or changed"):
        opened.tensors("model")


@pytest.mark.parametrize("moment", [1, 2, 3])  # manifest, model, state
def test_a_checkpoint_replaced_while_it_is_read_is_read_anew(tmp_path, monkeypatch, moment):
    save(tmp_path / "c", 1)
    with monkeypatch.context() as patch:
        interrupted(patch, ("read_manifest", "_verified"), moment, lambda: save(tmp_path / "c", 2))
        assert numbers(load(tmp_path / "c")) == {2}


def interrupted(patch, names, moment, act):
    """Let ``act`` happen just before the given call of any of these functions."""
    calls = []

    def before(plain):
        def call(*arguments):
            calls.append(plain)
            if len(calls) == moment:
                act()
            return plain(*arguments)

        return call

    for name in names:
        patch.setattr(checkpoint, name, before(getattr(checkpoint, name)))


def test_a_run_is_judged_by_the_weights_it_ended_with(tmp_path, monkeypatch):
    run = run_of(tmp_path / "run", 1)
    assert numbers(load_result(run)) == {1}
    save(run / LAST, 2)
    with pytest.raises(CheckpointError, match="not the weights that this run ended with"):
        load_result(run)
    run_of(run, 1)
    plain, anew = run_folder.load, iter([3])

    def load_late(folder):
        for number in anew:  # trained anew between run.json and the checkpoint
            run_of(run, number)
        return plain(folder)

    monkeypatch.setattr(run_folder, "load", load_late)
    assert numbers(load_result(run)) == {3}


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "run.json", "results.json"])
def test_a_reader_of_several_files_is_told_when_one_was_written(tmp_path, name):
    run = run_of(tmp_path / "run", 1)
    with one_state(run):
        pass
    with pytest.raises(CheckpointError, match="written while it was read"), one_state(run):
        (run / "new").write_text("")
        (run / "new").replace(run / name)


def test_tables_are_of_one_state_of_every_run(tmp_path, monkeypatch):
    arm = next(arm for arm in ARMS if arm.is_fewshot)
    run = save_fewshot_run(tmp_path / arm.name / "seed-0", np.eye(20, 8, dtype=int))
    paper_tables.make_tables(tmp_path, draws=10)
    plain = paper_tables.compare

    def compare(*arguments):
        (run / "fewshot.npz").unlink(missing_ok=True)
        return plain(*arguments)

    monkeypatch.setattr(paper_tables, "compare", compare)
    before = (tmp_path / "tables.json").read_bytes()
    with pytest.raises(CheckpointError, match="written while it was read"):
        paper_tables.make_tables(tmp_path, draws=10)
    assert (tmp_path / "tables.json").read_bytes() == before
