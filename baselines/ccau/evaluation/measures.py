"""From saved predictions to ``results.json``: a pure function, no model, no data.

Both test splits, their mean (what the paper prints) and pooled; a 95 % interval by bootstrap over
sequences; the rows ``prior`` (constant class frequencies) and ``random`` always beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.evaluation.counted import Comparison, Counted, common_sequences
from baselines.ccau.evaluation.predictions import Predictions, SavedPredictions
from homage_sdk.evaluation.intervals import intervals, resamples
from homage_sdk.evaluation.metrics import AtomicScores, Floats, accuracy, mean_ap, random_scores

RANDOM_DRAWS = 20
TOP_K = (1, 3)
POOLED = "pooled"
Scores = NDArray[np.floating[Any]]
Parts = Mapping[str, NDArray[np.intp]]
"""Rows of each split, and perhaps of all, as ``pooled``."""
Measure = Callable[[Floats], dict[str, float]]
"""Metrics as a function of how often each sequence counts."""


def compute_results(saved: SavedPredictions, *, draws: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Every number of an evaluation as JSON values; each ``[value, low, high]`` is in [0, 1].

    Each row states what it was ``counted`` on. Where modalities have different sequences each has a
    row ``common``, of those that all have, unless there are none.
    """
    compared = Comparison.of(saved.by_modality, saved.split)
    common = frozenset() if compared.same else common_sequences(saved.by_modality)
    return {
        modality: _modality(saved, predictions, common, draws, seed)
        for modality, predictions in saved.by_modality.items()
    }


@dataclass(frozen=True)
class _Judged:
    """The sequences of some predictions: what scores of theirs are measured on."""

    saved: SavedPredictions
    predictions: Predictions
    draws: int
    seed: int

    @cached_property
    def splits(self) -> list[str]:
        return [self.saved.split[s] for s in self.predictions.sequences]

    @cached_property
    def parts(self) -> Parts:
        return {**split_rows(self.splits), POOLED: np.arange(len(self.splits))}

    @cached_property
    def labelled(self) -> Parts:
        """The parts' rows that have atomic labels."""
        known = self.predictions.atomic_known
        return {part: rows[known[rows]] for part, rows in self.parts.items()}

    @cached_property
    def counts(self) -> Floats:
        return resamples(self.splits, draws=self.draws, seed=self.seed)

    def activity(self, scores: Scores) -> dict[str, Any]:
        labels = self.predictions.activity_label
        return _tabulate(activity_measure(scores, labels, self.parts), self.counts)

    def atomic(self, scores: Scores) -> dict[str, Any]:
        labels = self.predictions.atomic_label
        table = _tabulate(atomic_measure(scores, labels, self.labelled), self.counts)
        for part, rows in self.labelled.items():
            whole = mean_ap(scores[rows], labels[rows])
            table[part] |= {"micro": whole.micro, "n_classes": whole.n_classes}
        return table

    def row(self, of: Predictions) -> dict[str, Any]:
        """A row of its own: what it was computed on, and both measures."""
        return {
            "counted": Counted.of(of, self.saved.split).model_dump(),
            "activity": self.activity(of.activity),
            "atomic": self.atomic(of.atomic),
        }


def _modality(
    saved: SavedPredictions,
    predictions: Predictions,
    common: Collection[str],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    judged = _Judged(saved, predictions, draws, seed)
    labels, shape = predictions.atomic_label, predictions.activity.shape
    results: dict[str, Any] = {
        "counted": Counted.of(predictions, saved.split).model_dump(),
        "activity": {
            "model": judged.activity(predictions.activity),
            "prior": judged.activity(np.broadcast_to(saved.prior["activity"], shape)),
            # Every order of the classes is equally likely: constant scores give the expectation.
            "random": judged.activity(np.zeros(shape)),
        },
        "atomic": {
            "model": judged.atomic(predictions.atomic),
            "prior": judged.atomic(np.broadcast_to(saved.prior["atomic"], labels.shape)),
            "random": _random_atomic(labels, judged.labelled, seed),
        },
        "per_clip": _per_clip(predictions),
    }
    n_views = predictions.n_views
    if (n_views > 1).any():
        results["views"] = {
            "sequences_with_several": int((n_views > 1).sum()),
            "mean_views": float(n_views.mean()),
        }
        results["one_view"] = judged.row(predictions.one_view())
    if common:
        shared = predictions.only(common)
        results["common"] = _Judged(saved, shared, draws, seed).row(shared)
    return results


def activity_measure(scores: Scores, labels: NDArray[np.integer[Any]], parts: Parts) -> Measure:
    """``PART/topK`` of scores ``[S, A]``, and ``mean/topK`` over the splits."""

    def measure(weights: Floats) -> dict[str, float]:
        return _with_mean(
            {
                f"{part}/top{k}": accuracy(scores[rows], labels[rows], k, weights[rows])
                for part, rows in parts.items()
                for k in TOP_K
            }
        )

    return measure


def atomic_measure(scores: Scores, labels: NDArray[np.generic], parts: Parts) -> Measure:
    """``PART/weighted`` and ``PART/macro`` of scores ``[S, C]``, and their means over splits."""
    ranked = [(p, rows, AtomicScores(scores[rows], labels[rows])) for p, rows in parts.items()]

    def measure(weights: Floats) -> dict[str, float]:
        found: dict[str, float] = {}
        for part, rows, scored in ranked:
            value = scored.mean_ap(weights[rows], with_micro=False)
            found |= {f"{part}/weighted": value.weighted, f"{part}/macro": value.macro}
        return _with_mean(found)

    return measure


def _with_mean(found: dict[str, float]) -> dict[str, float]:
    """The same numbers and, of each metric, the mean over all parts but ``pooled``."""
    values: dict[str, list[float]] = {}
    for key, value in found.items():
        part, kind = key.split("/")
        if part != POOLED:
            values.setdefault(kind, []).append(value)
    return {**found, **{f"mean/{kind}": float(np.mean(each)) for kind, each in values.items()}}


def split_rows(splits: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """Rows of each split."""
    names = np.asarray(splits, dtype=object)
    return {name: np.flatnonzero(names == name) for name in sorted(set(splits))}


def _random_atomic(labels: NDArray[np.generic], parts: Parts, seed: int) -> dict[str, Any]:
    """The mean over draws of uniform scores."""
    found: dict[str, float] = {}
    for part, rows in parts.items():
        drawn = [
            mean_ap(random_scores(labels[rows].shape, seed + i), labels[rows])
            for i in range(RANDOM_DRAWS)
        ]
        for kind in ("weighted", "macro", "micro"):
            found[f"{part}/{kind}"] = float(np.mean([getattr(each, kind) for each in drawn]))
    return _nested(_with_mean(found))


def _per_clip(predictions: Predictions) -> dict[str, Any]:
    """Without joining clips: pooled over both splits."""
    labels = predictions.activity_label[predictions.clip_sequence]
    known = predictions.atomic_known[predictions.clip_sequence]
    found = mean_ap(predictions.clip_atomic[known], predictions.clip_atomic_label[known])
    return {
        **{f"top{k}": accuracy(predictions.clip_activity, labels, k) for k in TOP_K},
        "weighted": found.weighted,
        "macro": found.macro,
        "micro": found.micro,
    }


def _tabulate(measure: Measure, counts: Floats) -> dict[str, Any]:
    """Part to metric to ``[value, low, high]``."""
    found = intervals(measure, counts)
    return _nested({key: [each.value, each.low, each.high] for key, each in found.items()})


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``PART/METRIC`` to part to metric."""
    table: dict[str, Any] = {}
    for key, value in flat.items():
        part, kind = key.split("/")
        table.setdefault(part, {})[kind] = value
    return table
