"""Intervals by resampling sequences, and paired comparisons of two models on the same sequences.

A resample is a vector of counts over sequences, drawn within each split so that the size of a
split never varies. The same seed and the same sequences give the same resamples for every model,
metric and run: that is what makes a comparison *paired*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homage_sdk.errors import UsageError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]
"""A metric as a function of how often each sequence counts."""


@dataclass(frozen=True)
class Interval95:
    """A value with its 95 % percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference(Interval95):
    """A minus B on the same resamples: mean, 95 % interval, two-sided bootstrap p-value."""

    p_value: float
    n: int
    """On how many sequences (or other units) the two were compared."""


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


def intervals(
    measure: Callable[[Floats], Mapping[str, float]], counts: Floats
) -> dict[str, Interval95]:
    """Several shares on the data itself, with percentile intervals over ``counts [draws, S]``.

    The draws are moved so that their mean is the value itself: average precision rises when a
    sequence is drawn twice, which would push a small test set's interval above its value. Draws
    in which a statistic is undefined (NaN) are left out of its interval.
    """
    values = measure(np.ones(counts.shape[1]))
    drawn = {name: np.empty(len(counts)) for name in values}
    for row, weights in enumerate(counts):
        for name, value in measure(weights).items():
            drawn[name][row] = value
    found = {}
    for name, value in values.items():
        low, high = _percentiles(_centred(drawn[name], value))
        found[name] = Interval95(value, *np.clip((low, high), 0.0, 1.0).tolist())
    return found


def _centred(drawn: Floats, value: float) -> Floats:
    kept = drawn[~np.isnan(drawn)]
    return np.asarray(kept - kept.mean() + value) if len(kept) else kept


def _percentiles(drawn: Floats) -> tuple[float, float]:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def paired_difference(a: Statistic, b: Statistic, counts: Floats) -> PairedDifference:
    """``a - b`` on the data itself, with a 95 % interval over ``counts [draws, S]``.

    The draws are moved to centre on the value, as in :func:`intervals`, and the p-value is taken
    from the moved ones: it doubles the smaller tail, with one added so that it is never 0. A draw
    within the standard error of their mean counts to both tails: the move is not known better, and
    accuracies often tie. Draws in which a statistic is undefined (NaN) are left out. Both
    statistics are of the same S sequences: where two models were judged on different ones, of those
    that both have. Raises UsageError where S is 0.
    """
    n = counts.shape[1]
    if not n:
        raise UsageError("nothing to compare", found="no sequence that both have")
    ones = np.ones(n)
    value = a(ones) - b(ones)
    drawn = _centred(np.array([a(row) - b(row) for row in counts]), value)
    if not len(drawn):
        return PairedDifference(value, float("nan"), float("nan"), float("nan"), n)
    low, high = _percentiles(drawn)
    error = drawn.std() / np.sqrt(len(drawn))
    n_below, n_above = int((drawn <= error).sum()), int((drawn >= -error).sum())
    p_value = min(1.0, 2 * (min(n_below, n_above) + 1) / (len(drawn) + 1))
    return PairedDifference(value, low, high, p_value, n)
