"""What `ccau info` says of a run: its shards, its weights, and whether both are still those."""

import shutil

import pytest

from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.report.run_facts import run_facts
from baselines.ccau.runs.run_folder import load_result
from baselines.ccau.training.train import train
from homage_sdk.errors import CheckpointError
from tests.unit.ccau.training.dying import Killed, killed_at

AUDIO = {
    "task.kind": "single",
    "task.modalities": '["audio"]',
    "optim.epochs": 1,
    "data.batch_size": 2,
}


def test_a_run_says_what_it_is_of_and_whether_that_still_fits(
    tiny, small_shards, small_catalog, tmp_path, monkeypatch
):
    run, shards = tmp_path / "run", shutil.copytree(small_shards, tmp_path / "shards")
    config = tiny(**AUDIO)
    with monkeypatch.context() as patch:
        killed_at(patch, 1)
        with pytest.raises(Killed):
            train(config, shards, run)
    facts = dict(run_facts(run))
    assert "begun" in facts and "weights" not in facts
    train(config, shards, run)
    facts = dict(run_facts(run, catalog=small_catalog))
    assert "ended" in facts and "audio" in facts["run"]
    assert load_result(run).model_sha256[:12] in facts["weights"]
    assert str(shards) in facts["shards"] and "as they were" in facts["shards"]
    assert str(small_catalog) in facts["catalog"] and "fit" in facts["catalog"]
    assert facts["evaluated"] == "not yet"
    evaluate(run, shards, device="cpu")
    assert "20" in dict(run_facts(run))["evaluated"]
    manifest = shards / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"homage_sdk":"', '"homage_sdk":"9'))
    assert "packed again" in dict(run_facts(run))["shards"]
    manifest.write_text(text)
    moved = shards.rename(tmp_path / "moved")
    assert "not found" in dict(run_facts(run))["shards"]
    assert str(moved) in dict(run_facts(run, moved))["shards"]


def test_a_description_without_its_parts_is_refused(tiny, small_shards, tmp_path):
    train(tiny(**AUDIO), small_shards, tmp_path)
    (tmp_path / "config.json").write_text('{"config": {}}')
    with pytest.raises(CheckpointError, match="parts, prior, shards"):
        run_facts(tmp_path)


def test_what_is_no_run_is_refused(small_shards, tmp_path):
    for folder in (small_shards, tmp_path):
        with pytest.raises(CheckpointError):
            run_facts(folder)
