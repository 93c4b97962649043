"""Scoring a model on the part that selects it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from baselines.ccau.config.config import Config
from baselines.ccau.distributed import World
from baselines.ccau.evaluation.predict import predict
from baselines.ccau.evaluation.predictions import Predictions
from baselines.ccau.tasks import Task
from homage_sdk.evaluation.metrics import accuracy, mean_ap
from homage_sdk.shards import ShardSet


@dataclass(frozen=True)
class Validation:
    """``score`` (higher is better) is the mean over modalities of the mean of what they learn.

    Few sequences give equal accuracies: between equal scores ``likelihood`` decides, the mean
    log-likelihood of the activity (0 where none is learned or known).
    """

    score: float
    likelihood: float
    by_modality: dict[str, dict[str, float]]


def validate(
    task: Task, shards: ShardSet, config: Config, sequences: tuple[str, ...], world: World
) -> Validation:
    """Each modality that learns, alone: activity accuracy, atomic mAP, log-likelihood.

    Frozen teachers are left out: they only ever say the same. The weights, the random
    streams and the training mode are as before.
    """
    found: dict[str, dict[str, float]] = {}
    scores, likelihoods = [], []
    for modality in task.trained:
        predictions = predict(task.net(modality), modality, shards, config, sequences, world=world)
        if predictions is None:
            continue
        numbers = score(predictions)
        found[modality] = numbers
        kept = {"activity": ("accuracy",), "atomic": ("map_weighted",)}.get(
            config.composition.targets, ("accuracy", "map_weighted")
        )
        usable = [key for key in kept if not np.isnan(numbers[key])]
        if usable:
            scores.append(float(np.mean([numbers[key] for key in usable])))
            if "accuracy" in usable:
                likelihoods.append(numbers["log_likelihood"])
    return Validation(
        score=float(np.mean(scores)) if scores else float("-inf"),
        likelihood=float(np.mean(likelihoods)) if likelihoods else 0.0,
        by_modality=found,
    )


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
