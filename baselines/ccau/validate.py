"""Scoring a model on the part that selects it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from baselines.ccau.config import Config
from baselines.ccau.distributed import World
from baselines.ccau.metrics import accuracy, mean_ap
from baselines.ccau.predict import Predictions, predict
from baselines.ccau.tasks import Task
from homage_sdk.shards import ShardSet


@dataclass(frozen=True)
class Validation:
    """``score`` (higher is better) is the mean over modalities of the mean of what they learn."""

    score: float
    by_modality: dict[str, dict[str, float]]


def validate(
    task: Task, shards: ShardSet, config: Config, sequences: tuple[str, ...], world: World
) -> Validation:
    """Each modality alone: activity accuracy, atomic mAP, and the activity's log-likelihood.

    The weights, the random streams and the training mode are as before.
    """
    found: dict[str, dict[str, float]] = {}
    scores = []
    for modality in task.modalities:
        predictions = predict(task.net(modality), modality, shards, config, sequences, world=world)
        if predictions is None:
            continue
        numbers = score(predictions)
        found[modality] = numbers
        kept = {"activity": ("accuracy",), "atomic": ("map_weighted",)}.get(
            config.composition.targets, ("accuracy", "map_weighted")
        )
        usable = [numbers[key] for key in kept if not np.isnan(numbers[key])]
        if usable:
            # Few validation sequences give equal accuracies: the likelihood breaks the tie.
            likely = numbers["log_likelihood"] if "accuracy" in kept else 0.0
            likely = 0.0 if np.isnan(likely) else likely  # no activity is known
            scores.append(float(np.mean(usable)) + 1e-3 * likely)
    return Validation(float(np.mean(scores)) if scores else float("-inf"), found)


def score(predictions: Predictions) -> dict[str, float]:
    """Numbers of one modality over sequences."""
    known = predictions.activity_label >= 0
    chosen = predictions.activity[known, predictions.activity_label[known]]
    likely = float(np.log(np.maximum(chosen, 1e-9)).mean()) if known.any() else float("nan")
    return {
        "accuracy": accuracy(predictions.activity, predictions.activity_label),
        "map_weighted": mean_ap(predictions.atomic, predictions.atomic_label).weighted,
        "log_likelihood": likely,
        "sequences": float(len(predictions.sequences)),
    }
