"""Scoring a model on the part that selects it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from baselines.ccau.config.config import Config
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.evaluation.predictions import Predictions
from baselines.ccau.tasks import Task
from homage_sdk.evaluation.metrics import accuracy, mean_ap


@dataclass(frozen=True)
class Validation:
    """``score`` (higher is better) is the mean over modalities of the mean of what they learn.

    With ``run.select_on`` it is of activities or of atomic actions alone.

    Few sequences give equal accuracies: between equal scores ``likelihood`` decides, the mean
    log-likelihood of the activity (0 where none is learned or known).
    """

    score: float
    likelihood: float
    by_modality: dict[str, dict[str, float]]


def validate(task: Task, config: Config, judge: Judge) -> Validation:
    """Each modality of ``judge`` alone: activity accuracy, atomic mAP, log-likelihood.

    The weights, the random streams and the training mode are as before.
    """
    by = config.composition.targets if config.run.select_on == "learned" else config.run.select_on
    found: dict[str, dict[str, float]] = {}
    scores, likelihoods = [], []
    for modality, predictions in judge({m: task.net(m) for m in judge.having}).items():
        numbers = score(predictions)
        found[modality] = numbers
        kept = {"activity": ("accuracy",), "atomic": ("map_weighted",)}.get(
            by, ("accuracy", "map_weighted")
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


def epochs_between(judge: Judge, clips: int, networks: int) -> int:
    """Epochs after which a validation takes at most a tenth of the time that training took.

    ``clips`` are those of a training epoch, each seen by all ``networks``. A training
    step takes about three times what an answer takes; counting instead of timing gives the same
    epochs on every machine and after every resume.
    """
    return max(1, math.ceil(10 * judge.n_answers / (3 * clips * networks)))


def score(predictions: Predictions) -> dict[str, float]:
    """Numbers of one modality over sequences."""
    known, named = predictions.activity_label >= 0, predictions.atomic_known
    chosen = predictions.activity[known, predictions.activity_label[known]]
    likely = float(np.log(np.maximum(chosen, 1e-9)).mean()) if known.any() else float("nan")
    precision = mean_ap(predictions.atomic[named], predictions.atomic_label[named])
    return {
        "accuracy": accuracy(predictions.activity, predictions.activity_label),
        "map_weighted": precision.weighted,
        "log_likelihood": likely,
        "sequences": float(len(predictions.sequences)),
    }
