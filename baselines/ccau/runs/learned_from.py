"""What shaped a run's weights: the sequences it learned from, and how often their classes occur."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.runs.json_files import read_json
from homage_sdk.evaluation.metrics import class_frequencies
from homage_sdk.shards import ShardSet

Prior = dict[str, NDArray[np.float64]]


def learned_from(run: Path) -> frozenset[str]:
    """The sequences that trained a run or its teachers, or were held out of them for selection.

    No run is judged on these. The paper's selection on ``val``, which is a test split too, is
    another matter: ``selection_note`` states it.
    """
    parts = read_json(run, "config.json")["parts"]
    lists = ("train", "validation", "teachers")
    return frozenset(name for part in lists for name in parts.get(part, ()))


def prior_of(shards: ShardSet, trained: Collection[str]) -> Prior:
    """Class frequencies among these sequences: ``activity [A]``, ``atomic [C]``, float64."""
    n_activities, n_atomic = (len(shards.taxonomy(kind)) for kind in ("activity", "atomic"))
    known, columns, n_labelled = frozenset(trained), [], 0
    atomic = np.zeros(max(n_atomic, 1))
    for sample in shards.samples:
        if sample.sequence not in known:
            continue
        labels = shards.annotations(sample.key)
        columns.append(-1 if labels.activity is None else labels.activity.column)
        n_labelled += bool(labels.atomic_actions)
        atomic[sorted({action.column for action in labels.atomic_actions})] += 1
    activity = class_frequencies(np.array(columns, dtype=np.int64), max(n_activities, 1))
    return {"activity": activity, "atomic": atomic / max(n_labelled, 1)}


def recorded_prior(run: Path) -> Prior:
    """The class frequencies that a run recorded when it began."""
    recorded: dict[str, Any] = read_json(run, "config.json")["prior"]
    return {kind: np.array(values, dtype=np.float64) for kind, values in recorded.items()}
