"""From saved predictions to ``results.json``: a pure function, no model, no data.

Both test splits, their mean (what the paper prints) and pooled; a 95 % interval by bootstrap over
sequences; the rows ``prior`` (constant class frequencies) and ``random`` always beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.ccau.evaluation.predict import Predictions
from baselines.ccau.evaluation.predictions_file import SavedPredictions
from homage_sdk.evaluation.intervals import intervals, resamples
from homage_sdk.evaluation.metrics import AtomicScores, Floats, accuracy, mean_ap, random_scores

RANDOM_DRAWS = 20
TOP_K = (1, 3)


def compute_results(saved: SavedPredictions, *, draws: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Every number of an evaluation as JSON values; each ``[value, low, high]`` is in [0, 1]."""
    return {
        modality: _modality(saved, predictions, draws, seed)
        for modality, predictions in saved.by_modality.items()
    }


def _modality(
    saved: SavedPredictions, predictions: Predictions, draws: int, seed: int
) -> dict[str, Any]:
    splits = [saved.split[s] for s in predictions.sequences]
    counts = resamples(splits, draws=draws, seed=seed)
    shape = predictions.activity.shape
    prior = np.broadcast_to(saved.prior["activity"], shape)
    activity = {
        "model": _activity(predictions.activity, predictions, splits, counts),
        "prior": _activity(prior, predictions, splits, counts),
        # Every order of the classes is equally likely: constant scores give the expectation.
        "random": _activity(np.zeros(shape), predictions, splits, counts),
    }
    atomic = {
        "model": _atomic(predictions.atomic, predictions, splits, counts),
        "prior": _atomic(
            np.broadcast_to(saved.prior["atomic"], predictions.atomic.shape),
            predictions,
            splits,
            counts,
        ),
        "random": _random_atomic(predictions, splits, seed),
    }
    several = predictions.n_views > 1
    results: dict[str, Any] = {
        "sequences": {split: splits.count(split) for split in sorted(set(splits))},
        "clips": len(predictions.clip_sequence),
        "activity": activity,
        "atomic": atomic,
        "per_clip": _per_clip(predictions),
    }
    if several.any():
        results["views"] = {
            "sequences_with_several": int(several.sum()),
            "mean_views": float(predictions.n_views.mean()),
        }
        results["one_view"] = {
            "activity": _activity(predictions.activity_one_view, predictions, splits, counts),
            "atomic": _atomic(predictions.atomic_one_view, predictions, splits, counts),
        }
    return results


def _activity(
    scores: np.ndarray[Any, np.dtype[Any]],
    predictions: Predictions,
    splits: list[str],
    counts: Floats,
) -> dict[str, Any]:
    labels = predictions.activity_label

    def measure(weights: Floats) -> dict[str, float]:
        return {
            f"{part}/top{k}": accuracy(scores[rows], labels[rows], k, weights[rows])
            for part, rows in _parts(splits)
            for k in TOP_K
        }

    return _tabulate(measure, splits, [f"top{k}" for k in TOP_K], counts)


def _atomic(
    scores: np.ndarray[Any, np.dtype[Any]],
    predictions: Predictions,
    splits: list[str],
    counts: Floats,
) -> dict[str, Any]:
    labels = predictions.atomic_label
    ranked = [
        (part, rows, AtomicScores(scores[rows], labels[rows])) for part, rows in _parts(splits)
    ]

    def measure(weights: Floats) -> dict[str, float]:
        found: dict[str, float] = {}
        for part, rows, scored in ranked:
            value = scored.mean_ap(weights[rows], with_micro=False)
            found |= {f"{part}/weighted": value.weighted, f"{part}/macro": value.macro}
        return found

    table = _tabulate(measure, splits, ["weighted", "macro"], counts)
    for part, _, scored in ranked:
        whole = scored.mean_ap()
        table[part] |= {"micro": whole.micro, "n_classes": whole.n_classes}
    return table


def _random_atomic(predictions: Predictions, splits: list[str], seed: int) -> dict[str, Any]:
    """The mean over draws of uniform scores."""
    table: dict[str, Any] = {}
    for part, rows in _parts(splits):
        labels = predictions.atomic_label[rows]
        found = [
            mean_ap(random_scores(labels.shape, seed + i), labels) for i in range(RANDOM_DRAWS)
        ]
        table[part] = {
            kind: float(np.mean([getattr(f, kind) for f in found]))
            for kind in ("weighted", "macro", "micro")
        }
    names = sorted(set(splits))
    table["mean"] = {
        kind: float(np.mean([table[name][kind] for name in names]))
        for kind in ("weighted", "macro")
    }
    return table


def _per_clip(predictions: Predictions) -> dict[str, Any]:
    """Without joining clips: pooled over both splits."""
    labels = predictions.activity_label[predictions.clip_sequence]
    found = mean_ap(predictions.clip_atomic, predictions.clip_atomic_label)
    return {
        **{f"top{k}": accuracy(predictions.clip_activity, labels, k) for k in TOP_K},
        "weighted": found.weighted,
        "macro": found.macro,
        "micro": found.micro,
    }


def _parts(splits: list[str]) -> list[tuple[str, np.ndarray[Any, np.dtype[np.intp]]]]:
    """Rows of each split, then of all."""
    names = np.asarray(splits, dtype=object)
    each = [(name, np.flatnonzero(names == name)) for name in sorted(set(splits))]
    return [*each, ("pooled", np.arange(len(splits)))]


def _tabulate(measure: Any, splits: list[str], kinds: list[str], counts: Floats) -> dict[str, Any]:
    """Part to metric to ``[value, low, high]``, with the part ``mean`` over the splits."""
    names = sorted(set(splits))

    def with_mean(weights: Floats) -> Mapping[str, float]:
        found = measure(weights)
        for kind in kinds:
            found[f"mean/{kind}"] = float(np.mean([found[f"{name}/{kind}"] for name in names]))
        return dict(found)

    table: dict[str, Any] = {}
    for key, interval in intervals(with_mean, counts).items():
        part, kind = key.split("/")
        table.setdefault(part, {})[kind] = interval.as_list()
    return table
