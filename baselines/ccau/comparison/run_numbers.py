"""Numbers of runs under the same resamples of sequences, each computed once from saved predictions.

A number is named by a cell, ``(metric, modality)``: ``accuracy``, ``map``, or of few-shot
``map@5`` and ``accuracy@5``; and by what it is of, sequences or clips.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

import numpy as np

from baselines.ccau.evaluation.counted import Counted
from baselines.ccau.evaluation.fewshot_predictions import FewshotPredictions, load_fewshot
from baselines.ccau.evaluation.measures import KIND, scored, statistic
from baselines.ccau.evaluation.predictions import (
    Predictions,
    SavedPredictions,
    load_predictions,
)
from baselines.ccau.paper.published_numbers import Cell
from homage_sdk.evaluation.estimands import ESTIMANDS, Estimand
from homage_sdk.evaluation.intervals import Drawn, Floats, draw, over_supports, resamples


@dataclass(frozen=True)
class RunNumber:
    """One number of one run."""

    units: Mapping[str, str]
    """The sequences that count, and the split of each; none where nothing has such a label."""
    counted: Counted
    drawn: Drawn | None
    """None without any unit."""
    support_sets: int = 0
    """Of few-shot: how many differ."""
    untaught: int = 0
    """Of few-shot: in how many draws nothing taught what is asked; they are left out."""
    truth: Mapping[str, bytes] = field(default_factory=dict)
    """The labels of each sequence, as bytes; none of few-shot, whose columns are of the run."""
    classes: tuple[str, ...] = ()
    """Names of the columns; none of few-shot."""


class RunNumbers:
    """Numbers of runs, kept; the predictions of the run that was read last stay in memory.

    Args:
        draws: resamples of sequences.

    """

    def __init__(self, draws: int) -> None:
        self.draws = draws
        self._numbers: dict[tuple[object, ...], RunNumber | None] = {}
        self._counts: dict[tuple[str, ...], Floats] = {}
        self._last: tuple[Path, SavedPredictions | dict[str, FewshotPredictions]] | None = None

    def of(
        self, run: Path, cell: Cell, estimand: Estimand, among: Collection[str] | None = None
    ) -> RunNumber | None:
        """A number of a run (its folder, or a file of predictions); None: it has no such modality.

        ``among`` are the sequences to which it is restricted. Raises CheckpointError.
        """
        key = (run, cell, estimand, None if among is None else frozenset(among))
        if key not in self._numbers:
            self._numbers[key] = self._compute(run, cell, estimand, among)
        return self._numbers[key]

    def read(self, runs: Iterable[Path], cells: Sequence[Cell]) -> None:
        """All numbers of one run before the next is read: predictions of a run are large."""
        for run in runs:
            for cell in cells:
                for estimand in ESTIMANDS:
                    self.of(run, cell, estimand)

    def _compute(
        self, run: Path, cell: Cell, estimand: Estimand, among: Collection[str] | None
    ) -> RunNumber | None:
        metric, _, k = cell[0].partition("@")
        saved = self._saved(run, is_fewshot=bool(k))
        shown: Predictions | None
        if isinstance(saved, SavedPredictions):
            shown, split = saved.by_modality.get(cell[1]), saved.split
        else:
            probed = saved.get(cell[1])
            if probed is None or int(k) not in probed.by_k:
                return None
            shown, split = probed.shown, probed.split
        if shown is None:
            return None
        known = shown.activity_label >= 0 if KIND[metric] == "activity" else shown.atomic_known
        units = {name: split[name] for name in compress(shown.sequences, known.tolist())}
        if among is not None:
            units = {name: part for name, part in units.items() if name in among}
        counted = Counted.of(shown, split)
        if not units:
            return RunNumber(units, counted, None)
        counts = self._resamples(tuple(units.values()))
        if isinstance(saved, SavedPredictions):
            rows = scored(shown.only(units), split, KIND[metric], estimand)
            labels = shown.activity_label if KIND[metric] == "activity" else shown.atomic_label
            return RunNumber(
                units,
                counted,
                draw(statistic(rows, metric), counts),
                truth={n: row.tobytes() for n, row in zip(shown.sequences, labels, strict=True)},
                classes=tuple(saved.classes[KIND[metric]]),
            )
        probed = saved[cell[1]]
        each = probed.drawn(int(k), metric, estimand, counts, tuple(units))
        untaught = sum(bool(np.isnan(one.value)) for one in each)
        support_sets = probed.by_k[int(k)].support_sets
        return RunNumber(units, counted, over_supports(each), support_sets, untaught)

    def _saved(
        self, run: Path, *, is_fewshot: bool
    ) -> SavedPredictions | dict[str, FewshotPredictions]:
        name = "fewshot.npz" if is_fewshot else "predictions.npz"
        path = run if run.is_file() else run / name
        if self._last is None or self._last[0] != path:
            self._last = None  # never two in memory
            self._last = path, load_fewshot(path) if is_fewshot else load_predictions(path)
        return self._last[1]

    def _resamples(self, splits: tuple[str, ...]) -> Floats:
        if splits not in self._counts:
            self._counts[splits] = resamples(splits, draws=self.draws)
        return self._counts[splits]
