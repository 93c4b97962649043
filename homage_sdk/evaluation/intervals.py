"""Intervals by resampling sequences, and paired comparisons of two models on the same sequences.

A resample is a vector of counts over sequences, drawn within each split so that the size of a
split never varies. The same seed and the same sequences give the same resamples for every model,
metric and run: that is what makes a comparison *paired*.

A number of several training seeds has errors of two kinds: other sequences, and other seeds. The
seeds were judged on the same sequences, so resamples of sequences do not show how much seeds vary;
what the mean over n seeds may be off by is their standard error times a t variate of n - 1 degrees
of freedom, added to every resample. Few seeds make a wide interval; one says nothing of others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homage_sdk.errors import UsageError
from homage_sdk.evaluation.metrics import known_mean

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""A metric under D resamples: counts ``[D, S]``, how often each sequence counts, to ``[D]``."""
FEWEST = 10
"""Sequences, below which a bootstrap of differences finds too much."""
SAME = 1e-12


@dataclass(frozen=True)
class Interval95:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference(Interval95):
    """A minus B on the same resamples: mean, 95 % interval, two-sided p-value.

    NaN stands for what so little data does not say, see :func:`mean_difference`.
    """

    p_value: float
    n: int
    """On how many sequences the two were compared."""
    n_seeds: int
    """Over how many seeds; with one, the interval is of sequences alone."""
    detectable: float
    """The smallest true difference that would be found (p < 0.05, two-sided) four times of five."""


@dataclass(frozen=True)
class Drawn:
    """A number on the data itself, and under D resamples of the sequences, ``[D]``."""

    value: float
    draws: Floats

    def __sub__(self, other: Drawn) -> Drawn:
        """The difference, resample by resample."""
        return Drawn(self.value - other.value, self.draws - other.draws)

    @property
    def is_constant(self) -> bool:
        """Whether no resample changes it: two models that answer alike differ by such a 0."""
        return bool(np.ptp(self.draws) < SAME) if len(self.draws) else True


def resamples(groups: Sequence[str], *, draws: int = 1000, seed: int = 0) -> Floats:
    """Counts ``[draws, S]``: within each group as many draws as the group has sequences.

    ``groups`` names the split of each sequence.

    >>> counts = resamples(["val", "val", "test"], draws=4)
    >>> bool((counts[:, :2].sum(axis=1) == 2).all() and (counts[:, 2] == 1).all())
    True
    """
    labels = np.asarray(groups, dtype=object)
    counts = np.zeros((draws, len(labels)))
    for group in sorted(set(groups)):
        rows = np.flatnonzero(labels == group)
        stream = np.random.default_rng([seed, *group.encode()])
        picks = stream.integers(0, len(rows), size=(draws, len(rows)))
        for draw in range(draws):
            counts[draw, rows] = np.bincount(picks[draw], minlength=len(rows))
    return counts


def draw(statistic: Statistic, counts: Floats) -> Drawn:
    """One number on the data itself and under ``counts [D, S]``."""
    found = statistic(np.concatenate([np.ones((1, counts.shape[1])), counts]))
    return Drawn(float(found[0]), found[1:])


def over_supports(each: Sequence[Drawn], *, seed: int = 0) -> Drawn:
    """The mean over draws of support sets (few-shot), which are resampled beside the sequences.

    ``each`` is one draw's number under the same resamples of sequences. The draws of a resample
    are a function of how many there are and of ``seed``, so that two models stay paired. A draw
    without a number (NaN: its support teaches nothing) is left out.
    """
    known = np.array([not np.isnan(one.value) for one in each])
    counts = known * resamples(["support"] * len(each), draws=len(each[0].draws), seed=seed)
    values = np.where(known, np.stack([one.draws for one in each], axis=1), 0.0)
    total, nothing = counts.sum(axis=1), np.full(len(counts), np.nan)
    draws = np.divide((counts * values).sum(axis=1), total, out=nothing, where=total > 0)
    return Drawn(known_mean([one.value for one in each]), draws)


def intervals(
    measure: Callable[[Floats], Mapping[str, Floats]], counts: Floats
) -> dict[str, Interval95]:
    """Several shares on the data itself, with 95 % intervals over ``counts [D, S]``."""
    found = measure(np.concatenate([np.ones((1, counts.shape[1])), counts]))
    return {n: share_interval([Drawn(float(each[0]), each[1:])]) for n, each in found.items()}


def share_interval(seeds: Sequence[Drawn], *, seed: int = 0) -> Interval95:
    """The mean over seeds of a share, with the interval of both kinds of error, within [0, 1]."""
    value, errors = _mean_and_errors(seeds, seed)
    low, high = _percentiles(value + errors)
    return Interval95(value, *np.clip((low, high), 0.0, 1.0).tolist())


def paired_difference(a: Statistic, b: Statistic, counts: Floats) -> PairedDifference:
    """``a - b`` of one seed on the data itself; see :func:`mean_difference`.

    Both statistics are of the same S sequences: where two models were judged on different ones, of
    those that both have. Raises UsageError where S is 0.
    """
    if not counts.shape[1]:
        raise UsageError("nothing to compare", found="no sequence that both have")
    return mean_difference([draw(a, counts) - draw(b, counts)], counts.shape[1])


def mean_difference(seeds: Sequence[Drawn], n: int, *, seed: int = 0) -> PairedDifference:
    """The mean over seeds of a paired difference on ``n`` sequences, with both kinds of error.

    The draws are moved to centre on the value, as average precision rises when a sequence is drawn
    twice, and the p-value is taken from the moved ones: it doubles the smaller tail, with one added
    so that it is never 0. A draw within the standard error of their mean counts to both tails: the
    move is not known better, and accuracies often tie. ``seed`` is of the t variates.

    Resamples of fewer than ``FEWEST`` sequences are too alike: p and ``detectable`` are NaN. So are
    they and the interval where no resample changes a difference of one seed that is not 0.
    """
    value, errors = _mean_and_errors(seeds, seed)
    nan = float("nan")
    is_constant = Drawn(value, errors).is_constant
    if not len(errors) or (is_constant and len(seeds) == 1 and abs(value) > SAME):
        return PairedDifference(value, nan, nan, nan, n, len(seeds), nan)
    moved = value + errors
    low, high = _percentiles(moved)
    near = moved.std() / np.sqrt(len(moved))
    n_below, n_above = int((moved <= near).sum()), int((moved >= -near).sum())
    p_value = min(1.0, 2 * (min(n_below, n_above) + 1) / (len(moved) + 1))
    detectable = nan if is_constant else _detectable(errors)
    if n < FEWEST:
        p_value = detectable = nan
    return PairedDifference(value, low, high, p_value, n, len(seeds), detectable)


def _mean_and_errors(seeds: Sequence[Drawn], seed: int) -> tuple[float, Floats]:
    """The mean over seeds, and D errors that it may have, of mean 0 over sequences.

    Draws in which a statistic is undefined (NaN) are left out.
    """
    values = np.array([each.value for each in seeds])
    value = float(values.mean())
    mean = np.mean([each.draws for each in seeds], axis=0)
    kept = mean[~np.isnan(mean)]
    if not len(kept):
        return value, kept
    errors = kept - kept.mean()
    if len(values) > 1:
        stream = np.random.default_rng([seed, 0x5EED])
        standard_error = values.std(ddof=1) / np.sqrt(len(values))
        errors = errors + standard_error * stream.standard_t(len(values) - 1, size=len(errors))
    return value, np.asarray(errors)


def _detectable(errors: Floats) -> float:
    """From errors about a difference of 0: half of the 95 % width, and what 80 % power adds."""
    low, unlikely, likely, high = np.percentile(errors, [2.5, 20, 80, 97.5])
    return float((high - low + likely - unlikely) / 2)


def _percentiles(draws: Floats) -> tuple[float, float]:
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
