"""Differences between arms: the seeds that both have, on the same sequences, draws counted once."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from baselines.ccau.paper.arms import ARMS
from baselines.ccau.report import paper_tables as tables
from baselines.ccau.report.paper_tables import compare
from homage_sdk.errors import CheckpointError

SINGLE, COOPERATIVE = (
    next(a for a in ARMS if a.name == n) for n in ("single_activity", "coop_activity")
)
CELL = ("accuracy", "ego")


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """``judged(arm, seed, hits)`` makes a run whose ego accuracy is the mean of ``hits``."""
    saved = {}

    def make(arm, seed, hits):
        run = tmp_path / arm.name / f"seed-{seed}"
        labels = np.zeros(len(hits), dtype=np.int64)
        scores = np.stack([np.array(hits, float), 0.5 * np.ones(len(hits))], axis=1)
        names = tuple(f"s{i:02d}" for i in range(len(hits)))
        ego = SimpleNamespace(
            sequences=names, activity=scores, activity_label=labels,
            atomic=np.ones((len(hits), 1)), atomic_label=np.ones((len(hits), 1)),
        )  # fmt: skip
        split = {s: ("val", "test")[i % 2] for i, s in enumerate(names)}
        saved[run / "predictions.npz"] = SimpleNamespace(by_modality={"ego": ego}, split=split)
        return run

    monkeypatch.setattr(tables, "load_predictions", saved.__getitem__)
    return make


def test_a_difference_compares_the_seeds_that_both_arms_have(judged):
    single = [judged(SINGLE, s, h) for s, h in ((0, [1, 1, 0, 0]), (1, [0, 0, 0, 0]))]
    coop = [judged(COOPERATIVE, 0, [1, 1, 1, 0])]  # its second seed is not trained yet
    found = compare(CELL, coop, single, draws=200)
    assert found.mean == pytest.approx(75.0)
    assert found.difference["value"] == pytest.approx(25.0)  # not 50: seed 1 has no partner


def test_seeds_judged_on_different_sequences_are_refused(judged):
    runs = [judged(SINGLE, 0, [1, 0, 1, 0]), judged(SINGLE, 1, [1, 0])]
    with pytest.raises(CheckpointError, match="different sequences"):
        compare(CELL, runs, None, draws=10)


@pytest.fixture
def drawn(tmp_path):
    """``drawn(name, draws, n_seeds)`` makes runs whose ego mAP at k = 5 is ``draws``."""

    def make(name, draws, n_seeds=1):
        runs = [tmp_path / f"{name}-{n_seeds}" / f"seed-{seed}" for seed in range(n_seeds)]
        for run in runs:
            run.mkdir(parents=True)
            table = {"5": {"map": {"draws": list(draws)}}}
            (run / "fewshot.json").write_text(json.dumps({"modalities": {"ego": table}}))
        return runs

    return make


def test_the_same_support_under_three_seeds_is_one_observation(drawn):
    rng = np.random.default_rng(0)
    shift = rng.normal(size=20)  # what a draw does to both models, whatever the seed
    one, three = (
        compare(("map@5", "ego"), drawn("ccau", 2 * shift, n), drawn("single", shift, n))
        for n in (1, 3)
    )
    assert three.difference == pytest.approx(one.difference)
    low, high = float(one.difference["low"]), float(one.difference["high"])
    error = 100 * shift.std(ddof=1) / np.sqrt(20)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_equal_draws_give_no_interval_and_no_p(drawn):
    """One support set in all draws says nothing of others."""
    draws = np.linspace(0.2, 0.4, 20)
    found = compare(("map@5", "ego"), drawn("ccau", draws - 0.004), drawn("single", draws))
    assert found.difference == {
        "value": pytest.approx(-0.4), "low": None, "high": None, "p_value": None,
    }  # fmt: skip
    assert tables.said(found) == "29.6 (-0.4, all draws equal)"
    assert compare(("map@7", "ego"), drawn("short", draws)) is None
