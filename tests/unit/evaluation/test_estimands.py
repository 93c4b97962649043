"""Sequences and clips: what is averaged, what is resampled, and how far mAP is too high."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homage_sdk.evaluation.estimands import ScoredRows, deal
from homage_sdk.evaluation.intervals import intervals, resamples
from homage_sdk.evaluation.metrics import accuracy, mean_ap


def clips_of(seed, n_sequences=12, n_classes=4, *, atomic):
    """Clips of some sequences in two splits, two to five of each."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(n_sequences), rng.integers(2, 6, n_sequences))
    n = len(owner)
    labels = rng.integers(-1, n_classes, n_sequences)[owner]
    known = labels >= 0
    if atomic:
        labels, known = (rng.random((n, n_classes)) < 0.4).astype(int), rng.random(n) < 0.8
    splits = tuple("val" if i % 3 else "test" for i in range(n_sequences))
    return ScoredRows(rng.random((n, n_classes)), labels, known, owner, splits)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_numbers_of_clips_are_those_of_repeated_clips(seed):
    """A sequence that a resample draws twice brings all its clips twice."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 3, (3, 12)).astype(float)
    for atomic in (False, True):
        rows = clips_of(seed, atomic=atomic)
        found = rows.mean_ap(counts) if atomic else rows.accuracy(counts)
        split = np.array(rows.splits)[rows.owner]
        for draw, each in enumerate(counts):
            by_hand = []
            for name in ("test", "val"):
                chosen = np.flatnonzero((split == name) & rows.known)
                again = np.repeat(chosen, each[rows.owner[chosen]].astype(int))
                s, y = rows.scores[again], rows.labels[again]
                by_hand.append(mean_ap(s, y).weighted if atomic else accuracy(s, y))
                key = f"{name}/{'weighted' if atomic else 'top1'}"
                np.testing.assert_allclose(found[key][draw], by_hand[-1], atol=1e-12)
            key = f"mean/{'weighted' if atomic else 'top1'}"
            np.testing.assert_allclose(found[key][draw], np.mean(by_hand), atol=1e-12)


def test_an_interval_of_clips_is_as_wide_as_its_sequences_are_few():
    """Thirty sequences whose clips are all right or all wrong: ten times the clips say no more."""
    hits = np.arange(30) < 15
    widths = []
    for n_clips in (1, 10):
        owner = np.repeat(np.arange(30), n_clips)
        scores = np.stack([hits, ~hits], axis=1).astype(float)[owner]
        labels = np.zeros(len(owner), dtype=int)
        rows = ScoredRows(scores, labels, labels >= 0, owner, ("test",) * 30)
        found = intervals(rows.accuracy, resamples(rows.splits, draws=1000))["mean/top1"]
        widths.append(found.high - found.low)
    assert widths[0] == pytest.approx(widths[1]) and widths[0] > 0.3


def test_dealing_keeps_the_clips_of_a_sequence_together_and_in_order():
    owner = np.repeat(np.arange(4), [2, 4, 1, 3])
    for seed in range(20):
        dealt = deal(owner, np.random.default_rng(seed))
        sources = [owner[dealt[owner == each]] for each in range(4)]
        assert all(len(set(each.tolist())) == 1 for each in sources)
        assert sorted(each[0] for each in sources) == [0, 1, 2, 3]
        for each in range(4):
            assert (np.diff(dealt[owner == each]) >= 0).all()


def test_the_optimism_of_few_sequences_is_measured():
    """Many samples of 24 sequences of one world, whose mAP on endless data is known."""
    rng = np.random.default_rng(0)

    def sample(n, gain):
        labels = (rng.random((n, 6)) < 0.15).astype(int)
        splits = ("test",) * n
        scores = rng.normal(size=labels.shape) + gain * labels
        return ScoredRows(scores, labels, np.ones(n, bool), np.arange(n), splits)

    for gain in (0.0, 1.5):
        endless = sample(50_000, gain)
        truth = mean_ap(endless.scores, endless.labels).weighted
        excess, halved, dealt, chance = [], [], [], []
        for seed in range(40):
            rows = sample(24, gain)
            whole = mean_ap(rows.scores, rows.labels).weighted
            found = rows.small_sample(seed=seed)["test"]
            excess.append(whole - truth)
            halved.append(found["halved"] - whole)
            dealt.append(found["dealt"])
            chance.append(found["dealt"] - found["endless"])
        assert np.mean(excess) > 0.03  # the optimism is there
        # Halves show most of it, and never more: it falls a little slower than 1 / n.
        assert 0.5 * np.mean(excess) < np.mean(halved) < np.mean(excess)
        if gain == 0.0:  # these scores know nothing, so that their mAP is that of dealt ones
            assert np.mean(dealt) == pytest.approx(truth + np.mean(excess), abs=0.02)
            assert np.mean(chance) == pytest.approx(np.mean(excess), abs=0.03)


def test_clips_of_one_sequence_make_chance_as_high_as_few_sequences_do():
    """Clips that all say what their sequence says are no more than that one observation."""
    rng = np.random.default_rng(1)
    labels, scores = (rng.random((20, 5)) < 0.3).astype(int), rng.random((20, 5))
    known = np.ones(20, bool)
    once = ScoredRows(scores, labels, known, np.arange(20), ("test",) * 20)
    of = np.repeat(np.arange(20), 8)
    clips = ScoredRows(scores[of], labels[of], known[of], of, ("test",) * 20)
    one, many = (each.small_sample()["test"] for each in (once, clips))
    assert one["dealt"] == pytest.approx(many["dealt"], abs=0.04)
    assert many["dealt"] - many["endless"] > 0.05
    assert one["endless"] == pytest.approx(many["endless"])


def test_a_split_without_labels_is_not_in_the_mean():
    rows = clips_of(0, atomic=True)
    of_val = np.array([split == "val" for split in rows.splits])[rows.owner]
    counts = np.ones((3, 12))
    for known in (rows.known & of_val, rows.known & ~of_val):
        some = replace(rows, known=known)
        there = "val" if known[of_val].any() else "test"
        found = some.mean_ap(counts)
        for kind in ("weighted", "macro"):
            np.testing.assert_array_equal(found[f"mean/{kind}"], found[f"{there}/{kind}"])
        sample = some.small_sample()
        assert sample["mean"] == sample[there] and not np.isnan(list(sample["mean"].values())).any()
    none = replace(rows, known=np.zeros_like(rows.known))
    assert np.isnan(none.mean_ap(counts)["mean/weighted"]).all()


def test_one_sequence_can_be_neither_dealt_nor_halved():
    rows = ScoredRows(np.eye(2), np.eye(2, dtype=int), np.ones(2, bool), np.zeros(2, int), ("val",))
    found = rows.small_sample()["val"]
    assert np.isnan(list(found.values())).all()
