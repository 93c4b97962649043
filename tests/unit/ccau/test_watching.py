"""What one sees of a run while it trains, and of which sequence its page is."""

import io
import shutil

import pytest
from rich.console import Console
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.runs.metrics_log import read_metrics, step_note
from baselines.ccau.training.train import train
from homage_sdk import Dataset
from homage_sdk.cli import console
from tests.unit.ccau.paper.test_arms import SMALL

AUDIO = {"task.kind": "single", "task.modalities": '["audio"]', "data.batch_size": 2}


def test_the_log_of_a_command_shows_loss_speed_waiting_and_time_to_go(
    small_shards, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(console, "QUIET_S", 0.0)
    settings = [*SMALL, "optim.epochs=3", "task.kind=single", 'task.modalities=["audio"]']
    words = [word for setting in settings for word in ("--set", setting)]
    run = tmp_path / "run"
    found = CliRunner().invoke(
        app, ["train", "ccau", "--shards", str(small_shards), "--out", str(run), *words]
    )
    assert found.exit_code == 0, found.output
    rows = [row for row in read_metrics(run / "metrics.jsonl") if row["kind"] == "step"]
    said = capsys.readouterr().err + found.stderr
    assert step_note(rows[0]) in said and step_note(rows[-1]) in said
    assert "to go" in said


def test_a_watcher_hears_every_row_and_may_fail(tiny, small_shards, tmp_path):
    heard = []
    train(tiny(**AUDIO), small_shards, tmp_path / "a", watch=heard.append)
    assert heard == list(read_metrics(tmp_path / "a" / "metrics.jsonl"))
    assert {step_note(row) == "" for row in heard if row["kind"] == "validation"} == {True}
    with pytest.warns(UserWarning, match="watcher"):
        summary = train(tiny(**AUDIO), small_shards, tmp_path / "b", watch=lambda row: 1 / 0)
    assert summary.state.ended == "epochs"


def test_a_bar_on_a_terminal_shows_the_note(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(console, "err", terminal)
    monkeypatch.setattr(console.sys, "stderr", shown)
    monkeypatch.setattr(shown, "isatty", lambda: True, raising=False)
    with console.progress("training") as bar:
        bar.tell("loss 5.2")
        bar(1, 9)
        bar.tell("")  # of a row that says nothing: the note stays
        bar(2, 9)
    last = shown.getvalue().splitlines()
    assert any("training" in line and "loss 5.2" in line and "2/9" in line for line in last)


@pytest.mark.slow
def test_the_page_is_of_the_sequence_and_from_the_place_that_are_named(
    tiny, small_shards, small_catalog, tmp_path
):
    run, page = tmp_path / "run", tmp_path / "page.html"
    train(tiny(**AUDIO, **{"optim.epochs": 1}), small_shards, run)
    evaluate(run, small_shards, device="cpu", draws=5)
    dataset = Dataset(small_catalog)
    moved = shutil.copytree(dataset.root, tmp_path / "moved")
    command = ["report", str(small_catalog), str(run), str(page)]
    for key in dataset.ids[:2]:
        found = CliRunner().invoke(app, [*command, "--sequence", key, "--root", str(moved)])
        assert found.exit_code == 0, found.output
        text = page.read_text()
        assert f"One sequence: {key}" in text
        assert str(moved) in text
    failed = CliRunner().invoke(app, [*command, "--sequence", "p9999_r999_a999"])
    assert failed.exit_code != 0
