"""What a checkpoint counts is on the disk before it; a log that lost rows is counted as it is."""

import json
import os
from pathlib import Path

import pytest

from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training.train import train
from tests.unit.ccau.training.dying import Killed, killed_at

AUDIO = {
    "task.kind": "single",
    "task.modalities": '["audio"]',
    "data.batch_size": 2,
    "optim.epochs": 4,
}


def test_the_rows_that_a_checkpoint_counts_are_on_the_disk_before_it(
    tiny, small_shards, tmp_path, monkeypatch
):
    on_disk, counted = [""], []

    def fsync(handle):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if "metrics.jsonl" in path.name:
            on_disk.append(path.read_text())
        real_fsync(handle)

    def rename(source, target, **options):
        if Path(target).name.startswith("checkpoint-"):
            state = json.loads((Path(source) / "state.json").read_text())
            counted.append(state["training"]["log_rows"])
            assert on_disk[-1].count("\n") == counted[-1]
        real_rename(source, target, **options)

    real_fsync, real_rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    train(tiny(**AUDIO, **{"run.checkpoint_every": 1}), small_shards, tmp_path / "run")
    assert len(set(counted)) > 4


@pytest.mark.parametrize(("left", "first"), [(99, [1, 2, 3, 4, 5, 6]), (1, [1, 4, 5, 6])])
def test_a_log_with_too_many_or_too_few_rows_gets_no_step_twice(
    tiny, small_shards, tmp_path, monkeypatch, left, first
):
    """Killed after step 5, two steps behind a checkpoint; the disk has ``left`` rows; and again."""
    config = tiny(**AUDIO, **{"run.checkpoint_every": 3, "run.selection": "last"})
    log = tmp_path / "run" / "metrics.jsonl"
    for dies_at in (5, 7):
        with monkeypatch.context() as patch:
            killed_at(patch, dies_at)
            with pytest.raises(Killed):
                train(config, small_shards, tmp_path / "run")
        if dies_at == 5:
            rows = log.read_text().splitlines(keepends=True)
            assert len(rows) == 5
            log.write_text("".join(rows[:left]))
    summary = train(config, small_shards, tmp_path / "run")
    steps = [row["step"] for row in read_metrics(log)]
    assert steps == [*first, *range(7, summary.state.step + 1)]
