"""Did an arm do what it is named for? Alignment accuracy against its placebo and its chance level.

Without that, "cooperation brings nothing" may say that nothing was aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from baselines.ccau.runs.metrics_log import read_metrics
from baselines.ccau.training.alignment_notes import last_figures
from homage_sdk.evaluation.intervals import Drawn, PairedDifference, mean_difference

DRAWS = 10_000


@dataclass(frozen=True)
class ManipulationCheck:
    """One pair of modalities of one arm, over seeds; shares of anchors, at the end of training."""

    arm: str
    pair: str
    accuracy: float
    chance: float
    placebo: float
    """The accuracy at finding the same block of another clip instead; NaN: there is none."""
    above_chance: PairedDifference
    above_placebo: PairedDifference

    @property
    def is_decided(self) -> bool:
        """Whether there is more than one seed: one says nothing of others."""
        return self.above_chance.n_seeds > 1

    @property
    def passes(self) -> bool:
        """Whether both lower 95 % bounds over seeds lie above 0; never with one seed."""
        both = (self.above_chance, self.above_placebo)
        return self.is_decided and all(each.low > 0 for each in both)


def manipulation_checks(arm: str, runs: Sequence[Path]) -> list[ManipulationCheck]:
    """A check for each pair that the runs of an arm (one a seed) align; none where they do not.

    Only pairs that all seeds align. Raises CheckpointError where a run has no metrics.
    """
    each = [last_figures(read_metrics(run / "metrics.jsonl")) for run in runs]
    found = []
    for pair in each[0] if each else ():
        if not all(pair in figures for figures in each):
            continue
        accuracy, chance, placebo = np.array([figures[pair] for figures in each]).T
        found.append(
            ManipulationCheck(
                arm,
                pair,
                accuracy=float(accuracy.mean()),
                chance=float(chance.mean()),
                placebo=float(placebo.mean()),
                above_chance=_over_seeds(accuracy - chance),
                above_placebo=_over_seeds(accuracy - placebo),
            )
        )
    return found


def _over_seeds(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> PairedDifference:
    """The mean over seeds; there are no sequences to resample."""
    seeds = [Drawn(float(value), np.full(DRAWS, value)) for value in values]
    return mean_difference(seeds, len(seeds))
