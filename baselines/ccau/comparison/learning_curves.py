"""Curves of the control arms: is an arm still learning, and who is ahead at an equal budget?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.runs.metrics_log import read_metrics
from homage_sdk.errors import CheckpointError

STILL_RISING = 0.01
"""Rise of mAP from the third quarter of the epochs to the last that counts as not converged."""


@dataclass(frozen=True)
class LearningCurve:
    """Atomic mAP of one modality on the participants set aside, epoch by epoch, over seeds."""

    arm: str
    modality: str
    epochs: NDArray[np.int64]  # [E]
    values: NDArray[np.float64]  # [seeds, E], support-weighted mAP

    @property
    def mean(self) -> NDArray[np.float64]:
        """``[E]``."""
        return np.asarray(self.values.mean(axis=0))

    def at(self, share: float) -> float:
        """The mean over seeds after a share of the epochs, over the epochs around it (a tenth)."""
        n = len(self.epochs)
        end = max(1, round(share * n))
        return float(self.mean[max(0, end - max(1, n // 10)) : end].mean())

    @property
    def late_rise(self) -> float:
        """Mean of the last quarter of the epochs less that of the quarter before."""
        quarter = max(1, len(self.epochs) // 4)
        last, before = self.mean[-quarter:], self.mean[-2 * quarter : -quarter]
        return float(last.mean() - before.mean()) if len(before) else float("nan")

    @property
    def has_converged(self) -> bool:
        """Whether the last quarter of the epochs brought less than a point."""
        return self.late_rise < STILL_RISING


def learning_curves(arm: str, runs: Sequence[Path]) -> list[LearningCurve]:
    """A curve for each modality of an arm, over its seeds (runs), as far as all of them came.

    Raises CheckpointError where a run has no metrics, or no validation in them, and where the runs
    have no validated epoch in common.
    """
    logs = []
    for run in runs:
        rows = [row for row in read_metrics(run / "metrics.jsonl") if row["kind"] == "validation"]
        if not rows:
            raise CheckpointError(
                "this run was never validated",
                place=run / "metrics.jsonl",
                hint="train it with --set run.validate_every=1 --set run.selection=validation",
            )
        logs.append({row["epoch"]: row["modalities"] for row in rows})
    if not logs:
        return []
    epochs = sorted(set(logs[0]).intersection(*logs[1:]))
    if not epochs:
        raise CheckpointError(
            "these runs have no validated epoch in common",
            place=runs[0].parent,
            found=", ".join(
                f"{run.name}: {min(log)} to {max(log)}" for run, log in zip(runs, logs, strict=True)
            ),
            hint="train all of them with one run.validate_every, and as far",
        )
    return [
        LearningCurve(
            arm,
            modality,
            np.array(epochs, dtype=np.int64),
            np.array([[log[epoch][modality]["map_weighted"] for epoch in epochs] for log in logs]),
        )
        for modality in logs[0][epochs[0]]
        if all(modality in log[epoch] for log in logs for epoch in epochs)
    ]
