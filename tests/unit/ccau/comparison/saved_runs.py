"""Runs that only have saved predictions: what tables and comparisons are made from."""

from pathlib import Path

import numpy as np

from baselines.ccau.evaluation.fewshot_predictions import (
    FewshotPredictions,
    ProbeScores,
    save_fewshot,
)
from baselines.ccau.evaluation.predictions import (
    Predictions,
    SavedPredictions,
    save_predictions,
)


def split_of(names):
    return {s: ("val", "test")[int(s[1:]) % 2] for s in names}


def predictions_of(hits, first=0, unlabelled=(), n_clips=3):
    """Sequences s00, s01, ... from ``first``: each found (1) or not (0), in all of its clips.

    ``n_clips`` of each, or a list. Their activity and their one atomic action are found alike.
    ``unlabelled`` names what no sequence has a label of.
    """
    n = len(hits)
    of = np.repeat(np.arange(n), n_clips)
    right = np.array(hits, float)[of]
    first_class = np.arange(n) // 2 % 2  # of each split every other one
    labels = np.stack([first_class, 1 - first_class], axis=1).astype(np.uint8)
    atomic = np.where(right[:, None] == 1, labels[of], 1 - labels[of])
    return Predictions(
        sequences=tuple(f"s{first + i:02d}" for i in range(n)),
        activity_label=np.full(n, -1 if "activity" in unlabelled else 0),
        atomic_label=labels,
        atomic_known=np.full(n, "atomic" not in unlabelled),
        clip_sequence=of,
        clip_view=np.zeros(len(of), np.int64),
        clip_number=np.concatenate([np.arange(k) for k in np.bincount(of)]),
        clip_activity=np.stack([right, 0.5 * np.ones(len(of))], axis=1),
        clip_atomic=atomic.astype(float),
        clip_atomic_label=labels[of],
        clip_embedding=np.zeros((len(of), 2)),
    )


def save_run(run: Path, **by_modality: Predictions) -> Path:
    """A folder with ``predictions.npz`` and nothing else."""
    run.mkdir(parents=True)
    split = split_of({s for each in by_modality.values() for s in each.sequences})
    classes = {"activity": ("a", "b"), "atomic": ("c", "d")}
    prior = {"activity": np.array([1.0, 0.0]), "atomic": np.ones(2)}
    save_predictions(run / "predictions.npz", SavedPredictions(by_modality, split, classes, prior))
    return run


def save_fewshot_run(run: Path, hits, k=5, support_sets=None) -> Path:
    """A folder with ``fewshot.npz``: ego's ``hits [draws, S]`` at one k."""
    run.mkdir(parents=True)
    each = [predictions_of(row) for row in hits]
    scores = ProbeScores(
        activity=np.stack([p.clip_activity for p in each]).astype(np.float32),
        atomic=np.stack([p.clip_atomic for p in each]).astype(np.float32),
        taught=np.ones(len(each), bool),
        support=2 * k,
        support_sets=len(each) if support_sets is None else support_sets,
    )
    found = FewshotPredictions(each[0], split_of(each[0].sequences), {k: scores})
    save_fewshot(run / "fewshot.npz", {"ego": found})
    return run
