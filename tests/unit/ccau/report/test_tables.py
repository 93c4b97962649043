"""Differences between arms: the seeds that both have, on the same sequences, draws counted once."""

import json
import shutil

import numpy as np
import pytest

from baselines.ccau.evaluation.predictions import (
    Predictions,
    SavedPredictions,
    save_predictions,
)
from baselines.ccau.paper.arms import ARMS
from baselines.ccau.report import paper_tables
from baselines.ccau.report.compare_arms import compare
from homage_sdk.errors import CheckpointError

SINGLE, COOPERATIVE = (
    next(a for a in ARMS if a.name == n) for n in ("single_activity", "coop_activity")
)
CELL = ("accuracy", "ego")


@pytest.fixture
def judged(tmp_path):
    """``judged(arm, seed, hits)`` saves predictions whose ego accuracy is the mean of ``hits``.

    ``hits`` belong to the sequences s00, s01, ..., counted from ``first``; each has three clips.
    ``unlabelled`` names what no sequence has a label of.
    """

    def make(arm, seed, hits, first=0, unlabelled=()):
        n = len(hits)
        names = tuple(f"s{first + i:02d}" for i in range(n))
        clips = np.repeat(np.stack([np.array(hits, float), 0.5 * np.ones(n)], axis=1), 3, axis=0)
        ego = Predictions(
            sequences=names,
            activity_label=np.full(n, -1 if "activity" in unlabelled else 0),
            atomic_label=np.ones((n, 1), np.uint8),
            atomic_known=np.full(n, "atomic" not in unlabelled),
            clip_sequence=np.repeat(np.arange(n), 3),
            clip_view=np.zeros(3 * n, np.int64),
            clip_number=np.tile(np.arange(3), n),
            clip_activity=clips,
            clip_atomic=np.ones((3 * n, 1)),
            clip_atomic_label=np.ones((3 * n, 1), np.uint8),
            clip_embedding=clips,
        )
        split = {s: ("val", "test")[int(s[1:]) % 2] for s in names}
        classes = {"activity": ("a", "b"), "atomic": ("c",)}
        prior = {"activity": np.array([1.0, 0.0]), "atomic": np.ones(1)}
        run = tmp_path / arm.name / f"seed-{seed}"
        run.mkdir(parents=True)
        saved = SavedPredictions({"ego": ego}, split, classes, prior)
        save_predictions(run / "predictions.npz", saved)
        return run

    return make


def test_a_difference_compares_the_seeds_that_both_arms_have(judged):
    single = [judged(SINGLE, s, h) for s, h in ((0, [1, 1, 0, 0]), (1, [0, 0, 0, 0]))]
    coop = [judged(COOPERATIVE, 0, [1, 1, 1, 0])]  # its second seed is not trained yet
    found = compare(CELL, coop, single, draws=200)
    assert found.mean == pytest.approx(75.0)
    assert found.difference["value"] == pytest.approx(25.0)  # not 50: seed 1 has no partner
    assert found.difference["n"] == 4
    assert found.counted.cells() == {"sequences": "test 2, val 2", "clips": "12"}


def test_arms_judged_on_different_sequences_are_compared_on_the_common_ones(judged):
    single = [judged(SINGLE, 0, [1, 1, 0, 0, 1, 1])]  # s00 to s05
    coop = [judged(COOPERATIVE, 0, [1, 1, 0, 0], first=2)]  # s02 to s05
    found = compare(CELL, coop, single, draws=200)
    assert found.counted.sequences == {"test": 2, "val": 2}
    # On s02 to s05 the first arm has 50 %, as this one; over all its own it has 67.
    assert found.difference["value"] == pytest.approx(0.0) and found.difference["n"] == 4
    assert ", n 4)" in paper_tables.said(found)
    rows = paper_tables.table_rows("2", {"Cooperative Ours": {CELL: found}})
    assert rows[0]["sequences"] == "test 2, val 2" and rows[0]["clips"] == "12"


@pytest.mark.parametrize("what", ["atomic", "activity"])
def test_a_modality_without_any_labelled_sequence_has_no_number_and_the_page_says_why(
    judged, tmp_path, what
):
    metric, table = {"atomic": ("map", "4"), "activity": ("accuracy", "2")}[what]
    arm = next(a for a in ARMS if a.name == f"single_{what}")
    labelled = judged(arm, 0, [1, 0])
    assert compare((metric, "ego"), [labelled], None, draws=10) is not None
    shutil.rmtree(labelled)
    run = judged(arm, 0, [1, 0], unlabelled=(what,))
    assert compare((metric, "ego"), [run], None, draws=10) is None
    assert table not in paper_tables.make_tables(tmp_path, draws=10)
    said = (tmp_path / "tables.md").read_text()
    assert "no test sequence" in said and f"* Table {table}, Single Modality" in said


def test_arms_without_a_common_sequence_are_marked(judged):
    single = [judged(SINGLE, 0, [1, 1])]
    found = compare(CELL, [judged(COOPERATIVE, 0, [1, 0], first=2)], single, draws=10)
    assert found.difference is None
    assert paper_tables.said(found) == "50.0 (not comparable: judged on other sequences)"


def test_seeds_judged_on_different_sequences_are_refused(judged):
    runs = [judged(SINGLE, 0, [1, 0, 1, 0]), judged(SINGLE, 1, [1, 0])]
    with pytest.raises(CheckpointError, match="different sequences"):
        compare(CELL, runs, None, draws=10)


@pytest.fixture
def drawn(tmp_path):
    """``drawn(name, draws, n_seeds)`` makes runs whose ego mAP at k = 5 is ``draws``."""

    def make(name, draws, n_seeds=1, tested=("s00", "s01")):
        runs = [tmp_path / f"{name}-{n_seeds}" / f"seed-{seed}" for seed in range(n_seeds)]
        for run in runs:
            run.mkdir(parents=True)
            table = {"5": {"map": {"draws": list(draws)}}}
            n = {"test": len(tested)}
            counted = dict.fromkeys(("sequences", "clips", "activities", "atomic"), n)
            of = {"sequences": tested, "counted": counted}
            found = {"modalities": {"ego": table}, "judged": {"ego": of}}
            (run / "fewshot.json").write_text(json.dumps(found))
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
        "value": pytest.approx(-0.4), "low": None, "high": None, "p_value": None, "n": 20,
    }  # fmt: skip
    assert paper_tables.said(found) == "29.6 (-0.4, all 20 draws equal)"
    assert compare(("map@7", "ego"), drawn("short", draws)) is None


def test_few_shot_on_other_sequences_is_not_compared(drawn):
    draws = np.linspace(0.2, 0.4, 20)
    other = drawn("single", draws, tested=("s00", "s02"))
    found = compare(("map@5", "ego"), drawn("ccau", draws), other)
    assert found.difference is None and found.counted.sequences == {"test": 2}
    assert paper_tables.said(found) == "30.0 (not comparable: judged on other sequences)"
