"""Intervals by resampling sequences, and paired comparisons of two models on the same sequences.

A resample is a vector of counts over sequences, drawn within each split so that the size of a
split never varies. The same seed and the same sequences give the same resamples for every model,
metric and run: that is what makes a comparison *paired*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]
"""A metric as a function of how often each sequence counts."""


@dataclass(frozen=True)
class Interval95:
    """A value with its 95 % percentile interval."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float]:
        """``[value, low, high]`` for JSON."""
        return [self.value, self.low, self.high]


@dataclass(frozen=True)
class PairedDifference:
    """A minus B on the same resamples: mean, 95 % interval, two-sided bootstrap p-value."""

    value: float
    low: float
    high: float
    p_value: float


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


def interval(statistic: Statistic, counts: Floats) -> Interval95:
    """The statistic on the data itself, with its percentile interval over ``counts [draws, S]``."""
    value = statistic(np.ones(counts.shape[1]))
    drawn = np.array([statistic(row) for row in counts])
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval95(value, float("nan"), float("nan"))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval95(value, float(low), float(high))


def paired_difference(a: Statistic, b: Statistic, counts: Floats) -> PairedDifference:
    """``a - b``. The p-value doubles the smaller tail, with one added so that it is never 0."""
    ones = np.ones(counts.shape[1])
    value = a(ones) - b(ones)
    drawn = np.array([a(row) - b(row) for row in counts])
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return PairedDifference(value, float("nan"), float("nan"), float("nan"))
    low, high = np.percentile(drawn, [2.5, 97.5])
    n_below, n_above = int((drawn <= 0).sum()), int((drawn >= 0).sum())
    p_value = min(1.0, 2 * (min(n_below, n_above) + 1) / (len(drawn) + 1))
    return PairedDifference(value, float(low), float(high), p_value)
