"""The small arms: was anything aligned, do the controls converge, and a page of what fell."""

import json
import math
import os
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from baselines.ccau.cli import app
from baselines.ccau.comparison.learning_curves import learning_curves
from baselines.ccau.comparison.manipulation import manipulation_checks
from baselines.ccau.config.config import read_config
from baselines.ccau.paper import arms as arms_module
from baselines.ccau.paper.arms import CONTROL_ARMS, arm_config, choose, run_arms
from baselines.ccau.report.small_arms_page import control_rows, curve_rows
from baselines.ccau.report.table_text import check_rows
from homage_sdk.cli import run as run_command
from homage_sdk.errors import CheckpointError, UsageError
from tests.unit.ccau.comparison.saved_runs import predictions_of, save_run
from tests.unit.ccau.rank_processes import run_ranks

PAIR = "ego-third"


def log(run, rows):
    run.mkdir(parents=True, exist_ok=True)
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def aligning(run, accuracy, *, placebo, chance=0.125, n=200, seed=0):
    """A log whose alignment is at chance at first, and at these figures at its end."""
    rng = np.random.default_rng(seed)
    rows = []
    for step in range(n):
        share = min(1.0, 2 * step / n)
        noise = 0.01 * rng.normal(size=2)
        figures = {
            "accuracy": chance + share * (accuracy - chance) + noise[0],
            "placebo": chance + share * (placebo - chance) + noise[1],
            "chance": chance,
        }
        stats = {f"alignment_{name}/{PAIR}": value for name, value in figures.items()}
        rows.append({"kind": "step", "step": step + 1, "stats": stats, "losses": {}})
    return log(run, rows)


@pytest.mark.parametrize(
    ("accuracies", "placebo", "passes"),
    [
        ((0.6, 0.5, 0.55), 0.13, True),
        ((0.6, 0.5, 0.55), 0.55, False),  # a clock: the other clip's block is found as well
        ((0.13, 0.12, 0.125), 0.12, False),  # nothing was aligned
        ((0.9, 0.13, 0.12), 0.12, False),  # one seed of three
        ((0.6,), 0.13, False),  # one seed says nothing of others
    ],
)
def test_a_manipulation_check_is_against_chance_and_placebo_over_seeds(
    tmp_path, accuracies, placebo, passes
):
    runs = [
        aligning(tmp_path / f"seed-{seed}", accuracy, placebo=placebo, seed=seed)
        for seed, accuracy in enumerate(accuracies)
    ]
    (found,) = manipulation_checks("ccau", runs)
    assert found.pair == PAIR and found.passes is passes
    assert found.accuracy == pytest.approx(np.mean(accuracies), abs=0.01)
    assert found.above_placebo.value == pytest.approx(np.mean(accuracies) - placebo, abs=0.01)
    assert found.above_chance.n_seeds == len(accuracies)


def test_a_placebo_that_was_never_tried_is_not_one_of_0(tmp_path):
    """Batches of one clip have no other clip: a clock would pass for contents."""
    none = [aligning(tmp_path / f"a/seed-{s}", 0.9, placebo=math.nan, seed=s) for s in range(3)]
    (found,) = manipulation_checks("ccau", none)
    assert not found.passes and math.isnan(found.placebo) and found.above_chance.low > 0
    (row,) = check_rows([found])
    assert row["check"] == "**fails**: no placebo" and row["placebo %"] == "-"
    # Where one step of two has one, they alone are its mean.
    some = [aligning(tmp_path / f"b/seed-{s}", 0.9, placebo=0.9, seed=s) for s in range(3)]
    for run in some:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for row in rows[::2]:
            row["stats"][f"alignment_placebo/{PAIR}"] = math.nan
        log(run, rows)
    (found,) = manipulation_checks("ccau", some)
    assert found.placebo == pytest.approx(0.9, abs=0.01) and not found.passes


def test_an_arm_that_aligns_nothing_has_no_check(tmp_path):
    run = log(tmp_path / "seed-0", [{"kind": "step", "step": 1, "stats": {}, "losses": {}}])
    assert manipulation_checks("single_atomic", [run]) == []


def learning(run, last, *, rises=False, epochs=40, seed=0):
    """A log of validations whose mAP comes to ``last``, early or only at the end."""
    rng = np.random.default_rng(seed)
    rows = []
    for epoch in range(1, epochs + 1):
        share = epoch / epochs if rises else min(1.0, epoch / (epochs / 4))
        value = share * last + 0.001 * rng.normal()
        numbers = {"map_weighted": value, "accuracy": 0.5}
        rows.append({"kind": "validation", "epoch": epoch, "modalities": {"ego": numbers}})
    return log(run, rows)


def test_curves_say_who_is_still_learning(tmp_path):
    done = [learning(tmp_path / f"done/seed-{s}", 0.6, seed=s) for s in range(3)]
    rising = [learning(tmp_path / f"rising/seed-{s}", 0.6, rises=True, seed=s) for s in range(3)]
    (flat,), (steep,) = learning_curves("a", done), learning_curves("b", rising)
    assert flat.has_converged and not steep.has_converged
    assert flat.values.shape == (3, 40)
    # At an equal budget: after a quarter of the epochs one has all of it, the other a quarter.
    assert (
        flat.at(0.5) == pytest.approx(0.6, abs=0.01)
        and flat.at(0.25) > 0.45
        and steep.at(0.25) < 0.2
    )
    rows = curve_rows([flat, steep])
    assert [row["converged"] for row in rows] == ["yes", "**no**"]
    with pytest.raises(CheckpointError, match="validate_every"):
        learning_curves("c", [log(tmp_path / "never", [])])
    odd = log(tmp_path / "odd/seed-7", [{"kind": "validation", "epoch": 99, "modalities": {}}])
    with pytest.raises(CheckpointError, match=r"no validated epoch in common.*seed-7: 99"):
        learning_curves("d", [*done, odd])


def test_controls_are_the_arms_of_table_6_for_longer_with_a_curve(tmp_path):
    for arm in CONTROL_ARMS:
        base = read_config(arm.name.removesuffix("_long"), size="tiny")
        long = arm_config(arm, tmp_path, 0, size="tiny", settings=())
        assert long.optim.epochs == 4 * base.optim.epochs
        for section in ("task", "composition", "align", "model", "data"):
            assert getattr(long, section) == getattr(base, section)
        assert "atomic" in (long.run.select_on, long.composition.targets)  # all by one score
        assert long.run.validate_every == 2 and long.run.selection == "validation"
        assert long.optim.schedule == "constant"  # so that each point of the curve is a budget
        few = arm_config(arm, tmp_path, 0, size="tiny", settings=["optim.epochs=2"])
        assert few.optim.epochs == 8


def test_arms_are_chosen_by_table():
    three = {arm.name for arm in choose((), ("3",))}
    assert three == {"single_activity", "coop_activity_ego_third", "coop_activity"}
    both = {arm.name for arm in choose(("single_atomic",), ("3", "controls"))}
    assert both == three | {"single_atomic"} | {arm.name for arm in CONTROL_ARMS}
    assert "static_kd_activity" in {arm.name for arm in choose((), ("2",))}
    assert not {arm.name for arm in choose(())} & {arm.name for arm in CONTROL_ARMS}
    with pytest.raises(UsageError, match="table"):
        choose((), ("8",))


def test_no_run_is_begun_when_the_time_is_over_and_finished_ones_stay(tmp_path, monkeypatch):
    begun, notes = [], []

    def train(config, shards, run):
        begun.append((config.name, config.run.seed))
        return SimpleNamespace(already_done=False, train_s=40.0, notes=())

    monkeypatch.setattr(arms_module, "train", train)
    monkeypatch.setattr(arms_module, "evaluate", lambda *_, **__: None)
    monkeypatch.setattr(arms_module, "time", SimpleNamespace(monotonic=lambda: 40.0 * len(begun)))
    run_arms(tmp_path, tmp_path, size="tiny", seeds=2, tables=("3",), minutes=1, note=notes.append)
    assert len(begun) == 2 and {seed for _, seed in begun} == {0}
    assert notes[-1].startswith("4 of 6 runs left")


@pytest.mark.slow
def test_ranks_stop_by_the_clock_of_the_first(tmp_path):
    """Each reads its own: one that went on alone would wait for the others for ever."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run_ranks(_late_rank, 2, str(tmp_path), port)
    begun = [(tmp_path / f"{rank}").read_text() for rank in range(2)]
    assert begun == ["2", "2"]


def _late_rank(rank, folder, port):
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    begun = []

    def train(config, shards, run):
        begun.append(run)
        return SimpleNamespace(already_done=False, train_s=40.0, notes=())

    arms_module.train, arms_module.evaluate = train, lambda *_, **__: None
    pace = (40.0, 1.0)[rank]
    arms_module.time = SimpleNamespace(monotonic=lambda: pace * len(begun))
    folder = Path(folder)
    run_arms(folder, folder, size="tiny", seeds=1, tables=("3",), minutes=1)
    (folder / str(rank)).write_text(str(len(begun)))


@pytest.mark.parametrize("minutes", ["0", None])
def test_controls_alone_end_in_their_rows_and_the_page(tmp_path, monkeypatch, capsys, minutes):
    out, page = tmp_path / "controls", tmp_path / "page.md"
    config = read_config("ccau", size="tiny").as_dict()
    record = {
        "config": config, "shards": {"fingerprint": "ab" * 32}, "prior": {},
        "parts": {"train": ["t1"], "validation": []},
    }  # fmt: skip

    def train(config, shards, run):
        save_run(run, ego=predictions_of([1, 0] * 8))
        (run / "config.json").write_text(json.dumps(record))
        learning(run, 0.6)
        results = {"modalities": {}, "targets": "atomic", "splits": {}, "identity": {}}
        results |= {"selection_note": "", "comparison": {"same": True, "common": {}}}
        (run / "results.json").write_text(json.dumps(results))
        return SimpleNamespace(already_done=False, train_s=1.0, notes=())

    monkeypatch.setattr(arms_module, "train", train)
    monkeypatch.setattr(arms_module, "evaluate", lambda *_, **__: None)
    words = ["arms", str(tmp_path), str(out), "--size", "tiny", "--seeds", "1"]
    words += ["--table", "controls", "--page", str(page)]
    assert run_command(app, words + (["--minutes", minutes] if minutes else [])) == 0
    said = "".join(capsys.readouterr().out.split())
    for arm in CONTROL_ARMS:
        assert (f"{arm.name}/seed-0:eachmodalityalone" in said) is (minutes is None)
    assert page.exists() is (minutes is None)
    if minutes is None:
        assert "compositional_long - single_atomic_long" in page.read_text()


@pytest.mark.slow
def test_the_page_is_made_from_what_the_runs_left(tmp_path, capsys):
    rng = np.random.default_rng(0)
    out, page = tmp_path / "arms", tmp_path / "page.md"
    rates = {"coop_atomic": 0.4, "compositional": 0.9, "ccau": 0.9, "single_atomic": 0.4}
    rates |= {"single_atomic_long": 0.6, "coop_atomic_long": 0.6, "compositional_long": 0.9}
    config = read_config("ccau", size="tiny").as_dict()
    record = {
        "config": config, "shards": {"fingerprint": "ab" * 32}, "prior": {},
        "parts": {"train": ["t1", "t2"], "validation": []},
    }  # fmt: skip
    for arm, rate in rates.items():
        for seed in range(5):
            run = out / arm / f"seed-{seed}"
            modalities = ("audio", "ego", "third")
            hits = {m: (rng.random(60) < rate).astype(int).tolist() for m in modalities}
            save_run(run, **{m: predictions_of(h) for m, h in hits.items()})
            (run / "config.json").write_text(json.dumps(record))
            if arm.endswith("_long"):
                learning(run, rate, seed=seed)
            elif arm in ("coop_atomic", "ccau"):
                aligning(run, 0.6 if arm == "ccau" else 0.13, placebo=0.13, seed=seed)
    assert run_command(app, ["tables", str(out), "--page", str(page)]) == 0
    text = page.read_text()
    assert "1 of 2 aligned pairs pass" in text and "not: coop_atomic (ego-third)" in text
    assert "| ccau | Ego - 3rd person |" in text and "**fails**" in text
    assert "### Table 6" in text and "Holm p below" in text
    assert "Compositional, Ego map of sequences +" in text  # what survives is named
    assert "seeds 0, 1, 2, 3, 4; trained on 2 sequences" in text
    assert "compositional_long - single_atomic_long" in text and "| yes |" in text
    assert (tmp_path / "page.svg").read_text().startswith("<svg")
    said = capsys.readouterr().out
    assert "Was anything aligned?" in said
    rows = control_rows(out, 200)
    gains = [float(r["difference"].split()[0]) for r in rows if "composition, " in r["effect of"]]
    assert len(gains) == 6 and min(gains) > 0
    assert run_command(app, ["tables", str(out), "--page", str(tmp_path / "page.txt")]) == 2
