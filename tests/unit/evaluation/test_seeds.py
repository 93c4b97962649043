"""Intervals over seeds and sequences: they cover what they say, and say what could be found."""

import numpy as np
import pytest

from homage_sdk.evaluation.intervals import (
    Drawn,
    mean_difference,
    over_supports,
    resamples,
    share_interval,
)
from homage_sdk.evaluation.multiplicity import holm

N = 40


def world(rng, n_seeds, *, gain=0.0, of_seeds=1.0, of_sequences=1.0):
    """Differences of some seeds on the same N sequences: both vary, and a little each pair."""
    sequences = of_sequences * rng.normal(size=N)
    counts = resamples(["test"] * N, draws=400, seed=int(rng.integers(1 << 30)))
    found = []
    for shift in of_seeds * rng.normal(size=n_seeds):
        each = gain + shift + sequences + 0.5 * rng.normal(size=N)
        found.append(Drawn(float(each.mean()), counts @ each / N))
    return found


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_an_interval_of_seeds_and_sequences_covers_the_truth(n_seeds):
    """Of sequences alone it would not: seeds vary more than the mean of 40 sequences."""
    rng = np.random.default_rng(n_seeds)
    covered, narrow, rejected = [], [], []
    for trial in range(400):
        seeds = world(rng, n_seeds)
        found = mean_difference(seeds, N, seed=trial)
        covered.append(found.low <= 0 <= found.high)
        rejected.append(found.p_value < 0.05)
        mean = Drawn(found.value, np.mean([each.draws for each in seeds], axis=0))
        alone = mean_difference([mean], N)  # as if the seeds were one
        narrow.append(alone.low <= 0 <= alone.high)
    assert 0.92 <= np.mean(covered) <= 0.99
    assert np.mean(rejected) <= 0.08
    assert np.mean(narrow) < 0.6


def test_the_detectable_difference_is_found_four_times_of_five():
    rng = np.random.default_rng(7)
    needed = np.median([mean_difference(world(rng, 5), N).detectable for _ in range(60)])
    found = [
        mean_difference(world(rng, 5, gain=needed), N, seed=i).p_value < 0.05 for i in range(300)
    ]
    assert 0.7 <= np.mean(found) <= 0.95
    half = [
        mean_difference(world(rng, 5, gain=needed / 2), N, seed=i).p_value < 0.05
        for i in range(300)
    ]
    assert np.mean(half) < 0.5


def test_one_seed_has_the_interval_of_its_sequences_and_says_that_it_is_one():
    rng = np.random.default_rng(0)
    (one,) = world(rng, 1)
    found = mean_difference([one], N)
    assert found.n_seeds == 1 and found.n == N
    assert found.high - found.low == pytest.approx(
        np.subtract(*np.percentile(one.draws, [97.5, 2.5]))
    )


def test_equal_seeds_add_nothing_and_unlike_ones_widen():
    rng = np.random.default_rng(0)
    (one,) = world(rng, 1)
    moved = Drawn(one.value + 1, one.draws + 1)
    alone, equal, unlike = (mean_difference(s, N) for s in ([one], [one, one], [one, moved]))
    assert equal.high - equal.low == pytest.approx(alone.high - alone.low)
    assert unlike.high - unlike.low > 5 * (alone.high - alone.low)  # two seeds say next to nothing


def test_models_that_answer_alike_differ_by_a_constant_zero():
    rng = np.random.default_rng(0)
    first, second = world(rng, 2)
    assert (first - first).is_constant and not (first - second).is_constant
    assert mean_difference([first - first], N).p_value == 1.0


def test_a_share_stays_within_0_and_1_whatever_its_seeds():
    seeds = [Drawn(v, np.full(200, v)) for v in (0.9, 1.0, 0.5)]
    found = share_interval(seeds)
    assert found.value == pytest.approx(0.8) and 0 <= found.low < 0.5 and found.high == 1.0


def test_holm_leaves_out_what_was_not_tested():
    assert holm([0.02, 0.01, 0.5]) == pytest.approx([0.04, 0.03, 0.5])
    with_gap = holm([0.02, float("nan"), 0.01])
    assert with_gap[0] == pytest.approx(0.02) and np.isnan(with_gap[1])
    assert with_gap[2] == pytest.approx(0.02)


def test_what_so_few_or_so_alike_sequences_do_not_say_is_nan():
    """Differences that are all +1 never change under resampling: that is no certainty."""
    one = Drawn(1.0, np.ones(200))
    found = mean_difference([one], N)
    assert found.value == 1.0 and np.isnan([found.p_value, found.detectable]).all()
    assert np.isnan([found.low, found.high]).all()
    rng = np.random.default_rng(0)
    each = 1 + rng.normal(size=9)
    few = Drawn(float(each.mean()), resamples(["test"] * 9, draws=200) @ each / 9)
    nine, ten = mean_difference([few], 9), mean_difference([few], 10)
    assert np.isnan([nine.p_value, nine.detectable]).all() and nine.low < nine.value < nine.high
    assert not np.isnan([ten.p_value, ten.detectable]).any()
    alike = mean_difference([Drawn(0.0, np.zeros(200))], N)
    assert alike.p_value == 1.0 and np.isnan(alike.detectable)


def test_a_support_that_teaches_nothing_is_left_out_and_models_stay_paired():
    rng = np.random.default_rng(0)
    each = [Drawn(float(v), v + 0.1 * rng.normal(size=500)) for v in (0.2, 0.4, 0.9)]
    untaught = Drawn(float("nan"), np.full(500, np.nan))
    found = over_supports([*each, untaught])
    assert found.value == pytest.approx(0.5)
    kept = found.draws[~np.isnan(found.draws)]
    assert len(kept) > 480 and kept.mean() == pytest.approx(0.5, abs=0.05)
    higher = [Drawn(one.value + 0.1, one.draws + 0.1) for one in each]
    paired = (over_supports([*higher, untaught]) - found).draws
    np.testing.assert_allclose(paired[~np.isnan(paired)], 0.1)
    assert np.isnan(over_supports([untaught] * 3).value)
    np.testing.assert_allclose(over_supports(each).draws.mean(), 0.5, atol=0.05)
