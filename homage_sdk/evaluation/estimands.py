"""What a number is an average of: sequences, each once, or clips, each once.

The paper's public code averages over clips, so that a long sequence counts as often as it has
clips; a benchmark of activities asks for sequences. Both come from the same predictions, and either
way sequences are what is resampled: the clips of one sequence are no independent observations.

Letters: R rows (sequences or clips), S sequences, A activities, C atomic classes, D resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from homage_sdk.evaluation.metrics import AtomicScores, Floats, hits_at_k, known_mean

Estimand = Literal["sequence", "clip"]
ESTIMANDS: tuple[Estimand, ...] = ("sequence", "clip")
POOLED, MEAN = "pooled", "mean"
TOP_K = (1, 3)
N_DEALS = 20
Scores = NDArray[np.floating[Any]]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class ScoredRows:
    """Scores and labels of R rows, each of one of S sequences.

    Args:
        scores: ``[R, A]`` or ``[R, C]``.
        labels: int ``[R]`` (-1 unknown), or 0 and 1 ``[R, C]``.
        known: bool ``[R]``, False where the row has no label and does not count.
        owner: int ``[R]``, the sequence of each row, 0 to S - 1, rising.
        splits: the split of each sequence.

    """

    scores: Scores
    labels: NDArray[np.generic]
    known: NDArray[np.bool_]
    owner: NDArray[np.integer[Any]]
    splits: tuple[str, ...]

    @cached_property
    def parts(self) -> dict[str, Rows]:
        """The known rows of each split, and of all as ``pooled``."""
        of_row = np.asarray(self.splits, dtype=object)[self.owner]
        rows = np.flatnonzero(self.known)
        by_split = {name: rows[of_row[rows] == name] for name in sorted(set(self.splits))}
        return {**by_split, POOLED: rows}

    def with_scores(self, scores: Scores) -> ScoredRows:
        """The same rows with other scores."""
        return replace(self, scores=scores)

    def accuracy(self, counts: Floats) -> dict[str, Floats]:
        """``PART/topK`` ``[D]`` of activities under ``counts [D, S]``, and their means over splits.

        NaN where nothing counts.
        """
        found: dict[str, Floats] = {}
        for part, rows in self.parts.items():
            n = np.bincount(self.owner[rows], minlength=counts.shape[1])
            total = counts @ n.astype(np.float64)
            for k in TOP_K:
                hits = hits_at_k(self.scores[rows], self.labels[rows], k)  # type: ignore[arg-type]
                by_owner = np.bincount(self.owner[rows], hits, minlength=counts.shape[1])
                nothing = np.full(len(counts), np.nan)
                found[f"{part}/top{k}"] = np.divide(
                    counts @ by_owner, total, out=nothing, where=total > 0
                )
        return with_mean(found)

    def mean_ap(self, counts: Floats, *, with_pooled: bool = True) -> dict[str, Floats]:
        """``PART/weighted`` and ``PART/macro`` ``[D]`` of atomic classes, and their means.

        The pooled part takes as long as all splits together, and can be left out.
        """
        found: dict[str, Floats] = {}
        for part, ranked in self.ranked.items():
            if part == POOLED and not with_pooled:
                continue
            there, owner = np.unique(self.owner[self.parts[part]], return_inverse=True)
            weighted, macro = ranked.mean_ap_over(counts[:, there], owner)
            found |= {f"{part}/weighted": weighted, f"{part}/macro": macro}
        return with_mean(found)

    @cached_property
    def ranked(self) -> dict[str, AtomicScores]:
        """The atomic scores of each part, sorted once."""
        return {p: AtomicScores(self.scores[r], self.labels[r]) for p, r in self.parts.items()}

    def small_sample(self, *, seed: int = 0) -> dict[str, dict[str, float]]:
        """By part (and ``mean``): how far its mAP lies above that of endless data, measured.

        ``dealt``: the mAP of these scores where labels are dealt to sequences at random, mean of
        ``N_DEALS`` deals: what knowing nothing gives on so few. ``endless``: what knowing nothing
        would give on endless data, the support-weighted share of positives. ``halved``: the mAP of
        the scores, as they are, on a random half of the sequences, mean of as many halves: the
        whole is too high by at least about what halves are higher (two thirds, where simulated).
        NaN of a single sequence, which can be neither dealt nor halved.
        """
        stream = np.random.default_rng([seed, 0xDEA1])
        found: dict[str, dict[str, float]] = {}
        for part, ranked in self.ranked.items():
            rows = self.parts[part]
            labels, owner = self.labels[rows], np.unique(self.owner[rows], return_inverse=True)[1]
            n = int(owner.max(initial=-1)) + 1
            n_times = N_DEALS if n > 1 else 0
            dealt = [ranked.dealt_to(labels[deal(owner, stream)]) for _ in range(n_times)]
            halves = np.zeros((n_times, n))
            for half in halves:
                half[stream.permutation(n)[: (n + 1) // 2]] = 1.0
            found[part] = {
                "dealt": known_mean([each.mean_ap(with_micro=False).weighted for each in dealt]),
                "endless": _share_of_positives(labels, owner),
                "halved": known_mean(ranked.mean_ap_over(halves, owner)[0] if n_times else []),
            }
        apart = [each for part, each in found.items() if part != POOLED]
        mean = {k: known_mean([each[k] for each in apart]) for k in apart[0]} if apart else {}
        return {**found, MEAN: mean}


def deal(owner: NDArray[np.integer[Any]], stream: np.random.Generator) -> Rows:
    """For each row, the row whose labels it is dealt, by a permutation of the sequences.

    Some sequences keep their own (one of them all, on average): a deal says what scores have that
    know nothing, and those are right by chance. ``owner [R]`` rises from 0. A sequence's rows stay
    together, as they are no independent observations; where the other has more or fewer, the row
    at the same share of its way.

    >>> deal(np.array([0, 0, 1, 1, 2]), np.random.default_rng(0)).tolist()
    [4, 4, 0, 1, 3]
    """
    n_rows = np.bincount(owner)
    begins = np.cumsum(n_rows) - n_rows
    other = stream.permutation(len(n_rows))[owner]
    place = np.arange(len(owner)) - begins[owner]
    return np.asarray(begins[other] + (2 * place + 1) * n_rows[other] // (2 * n_rows[owner]))


def _share_of_positives(labels: NDArray[np.generic], owner: NDArray[np.integer[Any]]) -> float:
    """The sum of p^2 over the sum of p, by pairs of rows of different sequences.

    The square of a share that was counted in few sequences is too large by the share's variance;
    two rows of different sequences are positive with p^2.
    """
    by_owner = np.zeros((int(owner.max(initial=-1)) + 1, labels.shape[1]))
    np.add.at(by_owner, owner, labels.astype(np.float64))
    n_rows = np.bincount(owner, minlength=len(by_owner)).astype(np.float64)
    total, n = by_owner.sum(axis=0), n_rows.sum()
    n_pairs = n**2 - (n_rows**2).sum()
    if n_pairs == 0 or not total.any():
        return float("nan")
    squares = (total**2 - (by_owner**2).sum(axis=0)) / n_pairs
    return float(squares.sum() / (total / n).sum())


def with_mean(found: Mapping[str, Floats]) -> dict[str, Floats]:
    """The same numbers and, of each metric, the mean over the splits that have it.

    A split in which nothing counts (NaN under every resample) is left out; NaN where all are.
    """
    values: dict[str, list[Floats]] = {}
    for key, value in found.items():
        part, kind = key.split("/")
        if part != POOLED:
            values.setdefault(kind, []).append(value)
    for kind, each in values.items():
        having = [value for value in each if not np.isnan(value).all()]
        values[kind] = having or each
    return {**found, **{f"{MEAN}/{kind}": np.mean(each, axis=0) for kind, each in values.items()}}


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``PART/METRIC`` to part to metric."""
    table: dict[str, Any] = {}
    for key, value in flat.items():
        part, kind = key.split("/")
        table.setdefault(part, {})[kind] = value
    return table
