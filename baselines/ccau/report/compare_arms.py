"""One number of an arm: over its seeds, on how many sequences, and against another arm's.

Two arms are compared by the seeds that both have, on the sequences that both were judged on;
few-shot draws cannot be taken apart, so that there both must have been judged on the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from baselines.ccau.evaluation.counted import Counted
from baselines.ccau.evaluation.measures import Kind, scored
from baselines.ccau.evaluation.predictions import Predictions, load_predictions
from baselines.ccau.paper.published_numbers import Cell
from baselines.ccau.runs.json_files import read_json
from homage_sdk.errors import CheckpointError
from homage_sdk.evaluation.intervals import Statistic, paired_difference, resamples

KIND: dict[str, Kind] = {"accuracy": "activity", "map": "atomic"}


@dataclass(frozen=True)
class OurCell:
    """One number of ours, in percent."""

    mean: float
    seeds: list[float]
    """One value a seed."""
    counted: Counted
    """On how many sequences and clips."""
    difference: dict[str, float | None] | None
    """To the table's first row with this cell: ``value``, ``low``, ``high`` (95 %), ``p_value``,
    and ``n``, the sequences (few-shot: draws) that both have.

    Where all draws of support sets were equal there are only the value and ``n``.
    """
    not_comparable: str = ""
    """Why there is no difference to the first row, where that has the cell."""

    @property
    def std(self) -> float:
        """Standard deviation over seeds; NaN with one seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else float("nan")


def compare(
    cell: Cell, runs: list[Path], against: list[Path] | None = None, draws: int = 1000
) -> OurCell | None:
    """One number over ``runs`` (one a seed), with its difference to the runs ``against``.

    None where the runs have not got it: no such modality, or none of its test sequences has such a
    label (``unlabelled``). Raises CheckpointError for seeds that were judged on
    different sequences.
    """
    own = _judged(runs, *cell)
    if not own:
        return None
    first = next(iter(own.values()))
    seeds = [
        100 * float(each.of(list(each.units))(np.ones((1, len(each.units))))[0])
        for each in own.values()
    ]
    other = _judged(against, *cell) if against else {}
    difference, why = None, ""
    if shared := [name for name in own if name in other]:
        theirs = other[shared[0]]
        units = [unit for unit in first.units if unit in theirs.units]
        if first.fixed != theirs.fixed or not units:
            why = "judged on other sequences"
        else:
            difference = _difference(
                [own[name] for name in shared], [other[name] for name in shared], units, draws
            )
    return OurCell(float(np.mean(seeds)), seeds, first.counted, difference, why)


@dataclass(frozen=True)
class _Judged:
    """What one run says of a cell."""

    units: dict[str, str]
    """What is resampled, and its group: sequences by split, or few-shot draws. Both models had the
    same supports in a draw, and all seeds share them."""
    of: Callable[[list[str]], Statistic]
    """The number over some of the units, as a function of how often each counts."""
    counted: Counted
    fixed: tuple[str, ...] = ()
    """The sequences behind few-shot draws, which cannot be taken apart."""


def _judged(runs: list[Path], metric: str, modality: str) -> dict[str, _Judged]:
    """Seed to what its run says; nothing where a run has not got it."""
    found: dict[str, _Judged] = {}
    for run in runs:
        judged = (_of_draws if "@" in metric else _of_sequences)(run, metric, modality)
        if judged is None:
            return {}
        first = found.setdefault(run.name, judged) if not found else next(iter(found.values()))
        if (first.units, first.fixed) != (judged.units, judged.fixed):
            raise CheckpointError(
                "seeds of one arm were judged on different sequences",
                place=run,
                found=f"{sum(judged.counted.sequences.values())} of {modality}",
                expected=f"the {sum(first.counted.sequences.values())} of {runs[0].name}",
                hint="evaluate all of them on the same shards",
            )
        found[run.name] = judged
    return found


def _difference(
    own: list[_Judged], other: list[_Judged], units: list[str], draws: int
) -> dict[str, float | None]:
    counts = resamples([own[0].units[unit] for unit in units], draws=draws)
    ours, theirs = (_mean([each.of(units) for each in of]) for of in (own, other))
    paired = paired_difference(ours, theirs, counts)
    difference: dict[str, float | None] = {
        name: 100 * getattr(paired, name) for name in ("value", "low", "high")
    }
    difference |= {"p_value": paired.p_value, "n": paired.n}
    if own[0].fixed and paired.high - paired.low < 1e-12:
        # A class with no more than k sequences has one support set only: all draws are then
        # equal, and nothing can be said of others.
        difference |= {"low": None, "high": None, "p_value": None}
    return difference


def _of_sequences(run: Path, metric: str, modality: str) -> _Judged | None:
    """The mean over the test splits of a metric of one run; None where nothing has a label."""
    saved = load_predictions(run / "predictions.npz")
    found = saved.by_modality.get(modality)
    if found is None:
        return None
    units = {s: saved.split[s] for s in compress(found.sequences, _labelled(found, metric))}
    if not units:
        return None

    def of(names: list[str]) -> Statistic:
        rows = scored(found.only(names), saved.split, KIND[metric], "sequence")
        if metric == "accuracy":
            return lambda counts: rows.accuracy(counts)["mean/top1"]
        return lambda counts: rows.mean_ap(counts)["mean/weighted"]

    return _Judged(units, of, Counted.of(found, saved.split))


def _labelled(found: Predictions, metric: str) -> list[bool]:
    """Which sequences the metric counts."""
    known = found.activity_label >= 0 if metric == "accuracy" else found.atomic_known
    return [bool(each) for each in known]


def unlabelled(runs: list[Path], metric: str, modality: str) -> bool:
    """Whether a run answered for the modality, and none of its test sequences has such a label."""
    if "@" in metric:
        return False
    answers = (load_predictions(run / "predictions.npz").by_modality.get(modality) for run in runs)
    return any(found is not None and not any(_labelled(found, metric)) for found in answers)


def _of_draws(run: Path, metric: str, modality: str) -> _Judged | None:
    """The mean over the draws of support sets of one run; ``metric`` is ``map@5`` or the like."""
    name, _, k = metric.partition("@")
    found = read_json(run, "fewshot.json")
    table = found["modalities"].get(modality, {})
    if k not in table:
        return None
    values = np.array(table[k][name]["draws"])

    def of(names: list[str]) -> Statistic:
        kept = values[[int(each) for each in names]]
        return lambda counts: counts @ kept / counts.sum(axis=1)

    judged = found["judged"][modality]
    return _Judged(
        {str(number): "draw" for number in range(len(values))},
        of,
        Counted(**judged["counted"]),
        fixed=tuple(judged["sequences"]),
    )


def _mean(statistics: list[Statistic]) -> Statistic:
    return lambda counts: np.mean([statistic(counts) for statistic in statistics], axis=0)
