"""Metrics against scikit-learn, and resampling against repeating rows."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, top_k_accuracy_score

from homage_sdk.evaluation.intervals import intervals, paired_difference, resamples
from homage_sdk.evaluation.metrics import (
    AtomicScores,
    accuracy,
    chance_average_precision,
    class_frequencies,
    hits_at_k,
    mean_ap,
)


def _case(seed: int, rows: int, classes: int, ties: bool):
    rng = np.random.default_rng(seed)
    scores = rng.random((rows, classes))
    if ties:
        scores = np.round(scores * 4) / 4
    return scores, (rng.random((rows, classes)) < 0.3).astype(int)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 12), st.booleans())
def test_mean_ap_equals_scikit_learn_with_and_without_ties(seed, rows, classes, ties):
    scores, labels = _case(seed, rows, classes, ties)
    ours = mean_ap(scores, labels)
    has = labels.any(axis=0)
    assert ours.n_classes == has.sum()
    if not has.any():
        assert np.isnan(ours.weighted)
        return
    for kind, average in (("weighted", "weighted"), ("macro", "macro"), ("micro", "micro")):
        theirs = average_precision_score(labels[:, has], scores[:, has], average=average)
        if kind == "micro":
            theirs = average_precision_score(labels.ravel(), scores.ravel())
        assert getattr(ours, kind) == pytest.approx(theirs, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_weights_equal_repeated_rows(seed, ties):
    scores, labels = _case(seed, 15, 6, ties)
    counts = np.random.default_rng(seed).integers(0, 4, 15)
    if counts.sum() == 0:
        return
    weighted = AtomicScores(scores, labels).mean_ap(counts.astype(float))
    repeated = mean_ap(np.repeat(scores, counts, axis=0), np.repeat(labels, counts, axis=0))
    assert weighted.n_classes == repeated.n_classes
    for kind in ("weighted", "macro", "micro"):
        np.testing.assert_allclose(getattr(weighted, kind), getattr(repeated, kind), atol=1e-12)


@pytest.mark.parametrize("k", [1, 3])
def test_accuracy_equals_scikit_learn(k):
    rng = np.random.default_rng(3)
    scores, labels = rng.random((50, 9)), rng.integers(0, 9, 50)
    theirs = top_k_accuracy_score(labels, scores, k=k, labels=range(9))
    assert accuracy(scores, labels, k) == pytest.approx(theirs)


def test_ties_score_their_expectation_whatever_the_order_of_classes():
    constant = np.ones((20, 8))
    for label in range(8):
        assert accuracy(constant, np.full(20, label)) == pytest.approx(1 / 8)
        assert accuracy(constant, np.full(20, label), 3) == pytest.approx(3 / 8)
    assert hits_at_k(np.array([[2.0, 1.0, 1.0]]), np.array([2]), 2) == pytest.approx(0.5)


def test_unknown_labels_do_not_count():
    scores = np.eye(3)
    assert accuracy(scores, np.array([0, -1, 2])) == 1.0
    assert np.isnan(accuracy(scores, np.full(3, -1)))


def test_constant_prior_scores_give_the_sum_of_squares():
    labels = (np.random.default_rng(0).random((200, 30)) < 0.2).astype(int)
    p = labels.mean(axis=0)
    prior = np.broadcast_to(p, labels.shape)
    assert mean_ap(prior, labels).weighted == pytest.approx((p**2).sum() / p.sum())


def test_prior_is_the_class_frequency():
    np.testing.assert_allclose(class_frequencies(np.array([0, 0, 2, -1]), 3), [2 / 3, 0, 1 / 3])


def test_chance_average_precision_is_the_mean_over_all_orders():
    """Every order of the rows, by hand; and dealt scores of independent rows say the same."""
    for n_rows, positives in ((4, 1), (5, 2), (6, 3), (3, 3)):
        orders = [np.array(each) for each in permutations(range(n_rows))]
        labels = np.arange(n_rows) < positives
        by_hand = np.mean([mean_ap(-o[:, None], labels[:, None]).macro for o in orders])
        found = chance_average_precision(n_rows, np.array([float(positives)]))[0]
        assert found == pytest.approx(by_hand) and found >= positives / n_rows
    assert np.isnan(chance_average_precision(4, np.array([0.0]))[0])
    many = chance_average_precision(10**5, np.array([2e4]))[0]
    assert many == pytest.approx(0.2, abs=2e-4)  # on endless rows the share of positives


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_all_resamples_at_once_equal_one_after_another(seed, ties):
    scores, labels = _case(seed, 18, 5, ties)
    rng = np.random.default_rng(seed)
    owner = np.sort(rng.integers(0, 7, 18))
    counts = np.concatenate([rng.integers(0, 3, (6, 7)), np.zeros((1, 7))]).astype(float)
    scored = AtomicScores(scores, labels)
    weighted, macro = scored.mean_ap_over(counts, owner)
    for row, *found in zip(counts, weighted, macro, strict=True):
        one = scored.mean_ap(row[owner], with_micro=False)
        np.testing.assert_allclose(found, [one.weighted, one.macro], atol=1e-12)


def rate(hits):
    """The share of hits under each of several resamples."""
    return lambda counts: counts @ hits / counts.sum(axis=1)


def test_interval_of_an_accuracy_agrees_with_the_binomial():
    hits = (np.arange(400) < 120).astype(float)
    counts = resamples(["test"] * 400, draws=2000)
    found = intervals(lambda w: {"rate": rate(hits)(w)}, counts)["rate"]
    half = 1.96 * np.sqrt(0.3 * 0.7 / 400)
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - half, abs=0.006)
    assert found.high == pytest.approx(0.3 + half, abs=0.006)


def test_the_interval_of_a_share_stays_within_0_and_1():
    counts = resamples(["test"] * 6, draws=500)
    hits = np.array([1.0, 1, 1, 1, 1, 0])
    for wanted in (hits, 1 - hits):
        found = intervals(lambda w, of=wanted: {"rate": rate(of)(w)}, counts)["rate"]
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_resamples_keep_the_size_of_each_split_and_depend_only_on_the_seed():
    groups = ["val"] * 7 + ["test"] * 5
    a, b = resamples(groups, draws=50, seed=4), resamples(groups, draws=50, seed=4)
    np.testing.assert_array_equal(a, b)
    assert (a[:, :7].sum(axis=1) == 7).all() and (a[:, 7:].sum(axis=1) == 5).all()
    assert not np.array_equal(a, resamples(groups, draws=50, seed=5))


def test_paired_difference_finds_a_small_sure_gain_that_separate_intervals_hide():
    rng = np.random.default_rng(0)
    base = (rng.random(300) < 0.5).astype(float)
    better = base.copy()
    better[np.flatnonzero(base == 0)[:12]] = 1
    counts = resamples(["test"] * 300, draws=1000)

    gain = paired_difference(rate(better), rate(base), counts)
    assert gain.value == pytest.approx(12 / 300)
    assert gain.low > 0 and gain.p_value < 0.01
    both = intervals(lambda w: {"better": rate(better)(w), "base": rate(base)(w)}, counts)
    assert both["better"].low < both["base"].high
    same = paired_difference(rate(base), rate(base), counts)
    assert same.value == 0 and same.p_value == 1.0


def test_a_paired_interval_of_map_is_centred_on_the_difference():
    """Average precision rises when a resample repeats rows, more so for the worse scores."""
    rng = np.random.default_rng(0)
    labels = (rng.random((60, 20)) < 0.15).astype(int)
    good, bad = (AtomicScores(labels + rng.normal(0, sd, labels.shape), labels) for sd in (0.5, 2))

    def weighted(scores):
        return lambda w: scores.mean_ap_over(w, np.arange(60))[0]

    counts = resamples(["test"] * 60, draws=300)
    found = paired_difference(weighted(good), weighted(bad), counts)
    plain = weighted(good)(counts) - weighted(bad)(counts)
    assert plain.mean() < found.value - 0.01  # the bias that is taken away
    assert (found.low + found.high) / 2 == pytest.approx(found.value, abs=0.01)
    assert found.high - found.low == pytest.approx(np.subtract(*np.percentile(plain, [97.5, 2.5])))


def test_models_that_are_right_equally_often_do_not_differ():
    """Accuracies tie exactly; centring the draws must not turn a tie into a side."""
    first, second = np.zeros(60), np.zeros(60)
    first[:9], second[9:18] = 1, 1
    counts = resamples(["test"] * 60, draws=500)

    assert paired_difference(rate(first), rate(second), counts).p_value > 0.9
