"""From saved predictions to ``results.json``: a pure function, no model, no data.

Every number twice: of sequences, and of clips as the public code has it (``per_clip``). Both test
splits, their mean (what the paper prints) and pooled; a 95 % interval by bootstrap over sequences;
the rows ``prior`` (constant class frequencies) and ``random`` always beside them; how far the mAP
of so few sequences lies above that of endless ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np

from baselines.ccau.evaluation.counted import Comparison, Counted, common_sequences
from baselines.ccau.evaluation.predictions import Predictions, SavedPredictions
from homage_sdk.evaluation.estimands import MEAN, POOLED, Estimand, ScoredRows, nested, with_mean
from homage_sdk.evaluation.intervals import Floats, Statistic, intervals, resamples
from homage_sdk.evaluation.metrics import chance_average_precision

Kind = Literal["activity", "atomic"]
KIND: dict[str, Kind] = {"accuracy": "activity", "map": "atomic"}
"""Of the numbers that the paper prints."""


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


def scored(
    predictions: Predictions, split: Mapping[str, str], kind: Kind, estimand: Estimand
) -> ScoredRows:
    """The rows that a number of this kind is an average of, with their labels."""
    splits = tuple(split[name] for name in predictions.sequences)
    owner = np.arange(len(splits))
    of_clip = predictions.clip_sequence
    if kind == "activity":
        named = predictions.activity_label
        if estimand == "sequence":
            return ScoredRows(predictions.activity, named, named >= 0, owner, splits)
        named = named[of_clip]
        return ScoredRows(predictions.clip_activity, named, named >= 0, of_clip, splits)
    known, labels = predictions.atomic_known, predictions.clip_atomic_label
    if estimand == "sequence":
        return ScoredRows(predictions.atomic, predictions.atomic_label, known, owner, splits)
    return ScoredRows(predictions.clip_atomic, labels, known[of_clip], of_clip, splits)


def statistic(rows: ScoredRows, metric: str) -> Statistic:
    """What the paper prints, the mean over the test splits: top-1, or support-weighted mAP."""
    if metric == "accuracy":
        return lambda counts: rows.accuracy(counts)["mean/top1"]
    return lambda counts: rows.mean_ap(counts, with_pooled=False)["mean/weighted"]


def _modality(
    saved: SavedPredictions,
    predictions: Predictions,
    common: Collection[str],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    results = _row(saved, predictions, draws, seed, with_chance=True)
    n_views = predictions.n_views
    if (n_views > 1).any():
        results["views"] = {
            "sequences_with_several": int((n_views > 1).sum()),
            "mean_views": float(n_views.mean()),
        }
        results["one_view"] = _row(saved, predictions.one_view(), draws, seed)
    if common:
        results["common"] = _row(saved, predictions.only(common), draws, seed)
    return results


def _row(
    saved: SavedPredictions,
    predictions: Predictions,
    draws: int,
    seed: int,
    *,
    with_chance: bool = False,
) -> dict[str, Any]:
    """What it was computed on, and both kinds of number, of sequences and ``per_clip``."""
    counts = resamples([saved.split[s] for s in predictions.sequences], draws=draws, seed=seed)

    def both(estimand: Estimand) -> dict[str, Any]:
        rows = {
            kind: scored(predictions, saved.split, kind, estimand)
            for kind in ("activity", "atomic")
        }  # type: dict[Kind, ScoredRows]
        model = {
            "activity": _activity(rows["activity"], counts),
            "atomic": _atomic(rows["atomic"], counts, seed),
        }
        if not with_chance:
            return model
        prior = {
            kind: each.with_scores(np.broadcast_to(saved.prior[kind], each.scores.shape))
            for kind, each in rows.items()
        }
        # Every order of the classes is equally likely: constant scores give the expectation.
        equal = rows["activity"].with_scores(np.zeros(rows["activity"].scores.shape))
        return {
            "activity": {
                "model": model["activity"],
                "prior": _activity(prior["activity"], counts),
                "random": _activity(equal, counts),
            },
            "atomic": {
                "model": model["atomic"],
                "prior": _atomic(prior["atomic"], counts),
                "random": _random_atomic(rows["atomic"]),
            },
        }

    found = Counted.of(predictions, saved.split).model_dump()
    return {"counted": found, **both("sequence"), "per_clip": both("clip")}


def _activity(rows: ScoredRows, counts: Floats) -> dict[str, Any]:
    """Part to metric to ``[value, low, high]``."""
    found = intervals(rows.accuracy, counts)
    table = nested({key: [each.value, each.low, each.high] for key, each in found.items()})
    return _named(table, "top1")


def _atomic(rows: ScoredRows, counts: Floats, seed: int | None = None) -> dict[str, Any]:
    """The same of mAP; with a ``seed`` its small-sample optimism is measured too."""
    found = intervals(rows.mean_ap, counts)
    table = nested({key: [each.value, each.low, each.high] for key, each in found.items()})
    for part, ranked in rows.ranked.items():
        whole = ranked.mean_ap()
        table[part] |= {"micro": whole.micro, "n_classes": whole.n_classes}
    if seed is not None:
        for part, measured in rows.small_sample(seed=seed).items():
            table[part]["small_sample"] = measured
    return _named(table, "weighted")


def _named(table: dict[str, Any], metric: str) -> dict[str, Any]:
    """The same, with the splits that ``mean`` is over."""
    table[MEAN]["splits"] = [
        part
        for part in table
        if part not in (POOLED, MEAN) and not np.isnan(table[part][metric][0])
    ]
    return table


def _random_atomic(rows: ScoredRows) -> dict[str, Any]:
    """The expectation for scores that know nothing: exact, of rows that are independent."""
    found: dict[str, Floats] = {}
    for part, chosen in rows.parts.items():
        labels = np.asarray(rows.labels[chosen], dtype=np.float64)
        support = labels.sum(axis=0)
        ap, has = chance_average_precision(len(labels), support), support > 0
        by_class = [np.average(ap[has], weights=of[has]) if has.any() else np.nan
                    for of in (support, has)]  # fmt: skip
        micro = chance_average_precision(labels.size, np.array([support.sum()]))
        names = ("weighted", "macro", "micro")
        for name, value in zip(names, (*by_class, micro[0]), strict=True):
            found[f"{part}/{name}"] = np.asarray(value, dtype=np.float64)
    return nested({key: float(value) for key, value in with_mean(found).items()})
