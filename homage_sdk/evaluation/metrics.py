"""Accuracy and mean average precision, as pure numpy over saved predictions.

Letters: S sequences (or clips), A activities, C atomic classes. Every function takes optional
``weights [S]``: how often each row counts. Whole-number weights give exactly what repeating the
rows would give, without sorting anything twice. Bootstraps count sequences, many resamples at
once: ``counts [D, U]`` of D resamples of U sequences, and ``owner [S]``, the sequence of each row.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homage_sdk.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
DRAWS_AT_ONCE = 1000
"""Resamples in one product of matrices: bounds the memory of many clips."""


def hits_at_k(scores: NDArray[np.floating], labels: NDArray[np.integer], k: int) -> Floats:
    """The probability ``[S]`` that the label is among the k best scores, ties broken at random.

    ``scores [S, A]``, ``labels [S]``. Without ties this is 0 or 1. With ties it is the expectation,
    so a constant row scores k/A and never gains from the order of the classes. A score that is not
    a number never wins: the label's own is a miss, another class's ranks above the label.

    >>> hits_at_k(np.array([[0.1, 0.7, 0.2], [1.0, 1.0, 1.0]]), np.array([1, 2]), 1).round(3)
    array([1.   , 0.333])
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    above = (~(scores <= own)).sum(axis=1)
    equal = (scores == own).sum(axis=1)  # the label itself included
    hits = np.clip((k - above) / np.maximum(equal, 1), 0.0, 1.0)
    return np.asarray(np.where(np.isnan(own[:, 0]), 0.0, hits), dtype=np.float64)


def accuracy(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    k: int = 1,
    weights: Floats | None = None,
) -> float:
    """Top-k accuracy in [0, 1]; NaN where there is nothing to count. Labels of -1 do not count."""
    known = labels >= 0
    if not known.any():
        return float("nan")
    hits = hits_at_k(scores[known], labels[known], k)
    counts = np.ones(len(hits)) if weights is None else weights[known]
    total = counts.sum()
    return float((hits * counts).sum() / total) if total > 0 else float("nan")


@dataclass(frozen=True)
class RankedScores:
    """Multi-label scores sorted once, so that average precision is cheap for any weights.

    ``order`` and ``group_end`` are int ``[S, C]``: the rows of each class by falling score, and for
    each position the last position of its group of equal scores.
    """

    order: NDArray[np.intp]
    group_end: NDArray[np.intp]
    positive: Bools

    @classmethod
    def rank(cls, scores: NDArray[np.floating], labels: NDArray[np.generic]) -> RankedScores:
        """``scores [S, C]`` and ``labels [S, C]`` (0 or 1); UsageError for a NaN among scores."""
        unknown = np.isnan(scores).sum()
        if unknown:
            raise UsageError(
                "scores that are not numbers cannot be ranked",
                found=f"{unknown} NaN of {scores.size}",
            )
        order = np.argsort(-scores, axis=0, kind="stable")
        ranked = np.take_along_axis(scores, order, axis=0)
        n_rows = len(ranked)
        last = np.ones(ranked.shape, dtype=bool)
        last[:-1] = ranked[:-1] != ranked[1:]
        position = np.where(last, np.arange(n_rows)[:, None], n_rows)
        group_end = np.minimum.accumulate(position[::-1], axis=0)[::-1]
        positive = np.take_along_axis(np.asarray(labels, dtype=bool), order, axis=0)
        return cls(order, group_end, positive)

    def against(self, labels: NDArray[np.generic]) -> RankedScores:
        """The same scores with other labels ``[S, C]``, without sorting again."""
        positive = np.take_along_axis(np.asarray(labels, dtype=bool), self.order, axis=0)
        return replace(self, positive=positive)

    def average_precision(self, weights: Floats | None = None) -> tuple[Floats, Floats]:
        """Average precision ``[C]`` (NaN without a positive) and the weight of positives ``[C]``.

        Equal to ``sklearn.metrics.average_precision_score`` per class: the sum over thresholds of
        precision times the gain in recall, equal scores forming one threshold.
        """
        n_rows = len(self.order)
        if n_rows == 0:
            empty = np.zeros(self.order.shape[1])
            return np.full_like(empty, np.nan), empty
        counts = np.ones(n_rows) if weights is None else weights
        weight = counts[self.order]
        gain = weight * self.positive
        true_positives = np.take_along_axis(np.cumsum(gain, axis=0), self.group_end, axis=0)
        retrieved = np.take_along_axis(np.cumsum(weight, axis=0), self.group_end, axis=0)
        precision = np.divide(
            true_positives, retrieved, out=np.zeros_like(gain), where=retrieved > 0
        )
        support = gain.sum(axis=0)
        area = (gain * precision).sum(axis=0)
        ap = np.divide(area, support, out=np.full_like(area, np.nan), where=support > 0)
        return ap, support

    def average_precision_over(
        self, counts: Floats, owner: NDArray[np.integer]
    ) -> tuple[Floats, Floats]:
        """:meth:`average_precision` under D resamples ``counts [D, U]`` at once: ``[D, C]`` each.

        Row i counts as often as its ``owner[i]``. At each positive, precision is a ratio of two
        weighted counts of owners, so that all resamples are one product of matrices.
        """
        n_rows, n_classes = self.order.shape
        n_draws, n_owners = counts.shape
        ap, support = np.full((n_draws, n_classes), np.nan), np.zeros((n_draws, n_classes))
        for column in range(n_classes):
            places = np.flatnonzero(self.positive[:, column])
            if not len(places):
                continue
            ends = self.group_end[places, column]
            ranked = owner[self.order[:, column]]
            # Each row is first retrieved with the first positive at or behind its place.
            when = np.searchsorted(ends, np.arange(n_rows))
            seen, hits = (
                np.bincount(when[rows] * n_owners + ranked[rows], minlength=len(places) * n_owners)
                .reshape(len(places), n_owners)
                .cumsum(axis=0, dtype=np.float64)
                .T
                for rows in (np.flatnonzero(when < len(places)), places)
            )
            for begin in range(0, n_draws, DRAWS_AT_ONCE):
                some = slice(begin, begin + DRAWS_AT_ONCE)
                retrieved, precision = counts[some] @ seen, counts[some] @ hits
                np.divide(precision, retrieved, out=precision, where=retrieved > 0)
                weight = counts[some][:, ranked[places]]
                support[some, column] = weight.sum(axis=1)
                ap[some, column] = (weight * precision).sum(axis=1)
        return np.divide(ap, support, out=np.full_like(ap, np.nan), where=support > 0), support


@dataclass(frozen=True)
class MeanAveragePrecision:
    """mAP three ways, in [0, 1]; ``weighted`` by support is what the paper reports."""

    weighted: float
    macro: float
    micro: float
    n_classes: int
    """How many classes have a positive: what ``macro`` is the mean over."""


class AtomicScores:
    """Scores and labels of one multi-label prediction, sorted once for ``mean_ap``."""

    def __init__(self, scores: NDArray[np.floating], labels: NDArray[np.generic]) -> None:
        self._by_class = RankedScores.rank(scores, labels)
        flat = np.asarray(labels).reshape(-1, 1)
        self._flat = RankedScores.rank(scores.reshape(-1, 1), flat)
        self._n_classes = scores.shape[1]

    def mean_ap(
        self, weights: Floats | None = None, *, with_micro: bool = True
    ) -> MeanAveragePrecision:
        """MAP under ``weights [S]``; NaN where no class has a positive."""
        ap, support = self._by_class.average_precision(weights)
        has = support > 0
        if not has.any():
            return MeanAveragePrecision(float("nan"), float("nan"), float("nan"), 0)
        micro = float("nan")
        if with_micro:
            flat = None if weights is None else np.repeat(weights, self._n_classes)
            micro = float(self._flat.average_precision(flat)[0][0])
        return MeanAveragePrecision(
            weighted=float((ap[has] * support[has]).sum() / support[has].sum()),
            macro=float(ap[has].mean()),
            micro=micro,
            n_classes=int(has.sum()),
        )

    def mean_ap_over(self, counts: Floats, owner: NDArray[np.integer]) -> tuple[Floats, Floats]:
        """Weighted and macro mAP ``[D]`` under resamples ``counts [D, U]`` of the rows' owners."""
        ap, support = self._by_class.average_precision_over(counts, owner)
        total, n_classes = support.sum(axis=1), (support > 0).sum(axis=1)
        area = np.nansum(ap * support, axis=1)
        nothing = np.full(len(counts), np.nan)
        return (
            np.divide(area, total, out=nothing.copy(), where=total > 0),
            np.divide(np.nansum(ap, axis=1), n_classes, out=nothing, where=n_classes > 0),
        )

    def dealt_to(self, labels: NDArray[np.generic]) -> AtomicScores:
        """The same scores, already sorted, against other labels ``[S, C]``."""
        other = copy.copy(self)
        other._by_class = self._by_class.against(labels)
        return other


def mean_ap(scores: NDArray[np.floating], labels: NDArray[np.generic]) -> MeanAveragePrecision:
    """MAP of ``scores [S, C]`` against ``labels [S, C]``.

    >>> y = np.array([[1, 0], [0, 1], [0, 1]])
    >>> round(mean_ap(np.full((3, 2), 0.5), y).weighted, 6)  # sum of p^2 over sum of p
    0.555556
    """
    return AtomicScores(scores, labels).mean_ap()


def class_frequencies(labels: NDArray[np.integer], n_classes: int) -> Floats:
    """How often each activity occurs, ``[A]``, summing to 1: constant scores by prior alone."""
    counts = np.bincount(labels[labels >= 0], minlength=n_classes).astype(np.float64)
    return np.asarray(counts / max(counts.sum(), 1.0))


def chance_average_precision(n_rows: int, positives: Floats) -> Floats:
    """The expected average precision of scores that know nothing, ``[C]``: exact, without ties.

    ``positives [C]`` of ``n_rows`` rows each. A positive at place k is retrieved with k - 1 others,
    of which (positives - 1) / (n_rows - 1) are positive; the sum over places is closed. It lies
    above the share of positives, which it falls to with endless rows: the first of a few positives
    is always its own hit. NaN without a positive.

    >>> chance_average_precision(2, np.array([1.0]))  # first or second of two
    array([0.75])
    """
    harmonic = (1.0 / np.arange(1, n_rows + 1)).sum()
    rest = (positives - 1) / max(n_rows - 1, 1)
    expected = (harmonic + rest * (n_rows - harmonic)) / max(n_rows, 1)
    return np.asarray(np.where(positives > 0, expected, np.nan))


def known_mean(values: Sequence[float] | Floats) -> float:
    """The mean of those that are not NaN; NaN without any.

    >>> known_mean([1.0, float("nan"), 2.0]), known_mean([])
    (1.5, nan)
    """
    kept = [each for each in values if not np.isnan(each)]
    return float(np.mean(kept)) if kept else float("nan")
