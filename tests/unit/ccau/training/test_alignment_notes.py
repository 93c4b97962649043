"""Training says where an alignment rests on the block number, and else nothing."""

import math

import pytest
import torch.distributed as dist
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.distributed import World, mean_over_ranks
from baselines.ccau.runs.metrics_log import MetricsLog
from baselines.ccau.training.alignment_notes import alignment_notes, last_figures, notes_of
from baselines.ccau.training.train import train
from tests.unit.ccau.rank_processes import run_ranks
from tests.unit.ccau.training.launching import write_toml


def rows(accuracy, chance, placebo, n_steps=300, pair="ego-third"):
    stats = {"accuracy": accuracy, "chance": chance, "placebo": placebo}
    named = {f"alignment_{name}/{pair}": value for name, value in stats.items()}
    step = {"kind": "step", "stats": named | {"context_std/ego": 1.0}}
    return [step] * n_steps + [{"kind": "validation", "score": 1.0}]


def test_an_accuracy_that_its_placebo_reaches_is_said_in_one_line():
    (line,) = alignment_notes(rows(0.99, 0.125, 0.98))
    assert "ego and third" in line and "99%" in line and "98%" in line and "same_block" in line
    assert alignment_notes(rows(1 / 16, 1 / 128, 1 / 16))  # the block found, the clip guessed
    assert "\n" not in line


def test_contents_and_chance_are_not_spoken_of():
    assert alignment_notes(rows(0.66, 1 / 16, 0.02)) == []
    assert alignment_notes(rows(0.13, 0.125, 0.13)) == []
    assert alignment_notes([{"kind": "step", "stats": {"context_std/ego": 1.0}}]) == []
    assert alignment_notes([]) == []


def test_only_the_end_of_training_counts():
    clock, contents = rows(0.99, 0.125, 0.98), rows(0.99, 0.125, 0.0)
    assert alignment_notes(clock + contents) == []
    assert len(alignment_notes(contents + clock)) == 1


def test_the_command_says_it_also_when_the_run_was_done_before(tiny, small_shards, tmp_path):
    run = tmp_path / "run"
    config = tiny(**{"task.modalities": '["ego", "third"]', "optim.epochs": 1})
    assert train(config, small_shards, run).notes == ()
    log = MetricsLog(run, keep_rows=0)
    for row in rows(0.99, 0.125, 0.98):
        log.write(row | {"step": 1})
    log.close()
    summary = train(config, small_shards, run)
    assert summary.already_done and summary.notes == notes_of(run) != ()
    path = write_toml(config, tmp_path / "tiny.toml")
    said = CliRunner().invoke(
        app, ["train", str(path), "--shards", str(small_shards), "--out", str(run)]
    )
    assert summary.notes[0] in said.output


@pytest.mark.slow
def test_a_figure_that_a_rank_has_not_got_is_left_out_of_its_mean(tmp_path):
    run_ranks(_rank, 2, str(tmp_path))


def _rank(rank: int, folder: str) -> None:
    store = dist.FileStore(f"{folder}/store", 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    figures = {"loss": float(rank), "nowhere": math.nan, "placebo": math.nan if rank else 0.9}
    means = mean_over_ranks(World(rank, 2), figures)
    dist.destroy_process_group()
    assert (means["loss"], means["placebo"]) == (0.5, 0.9) and math.isnan(means["nowhere"])


def test_steps_without_a_placebo_are_left_out_and_a_run_without_any_says_nan():
    with_one, without = rows(0.99, 0.125, 0.98), rows(0.99, 0.125, math.nan)
    assert len(alignment_notes([*with_one, *without[:10]])) == 1
    assert alignment_notes(without) == []
    assert math.isnan(last_figures(without)["ego-third"][2])
