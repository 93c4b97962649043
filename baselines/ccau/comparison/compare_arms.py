"""One number of an arm over its seeds, and its difference to another arm's.

Two arms are compared by the seeds that both have, on the sequences that both were judged on.
Intervals and p-values are of both kinds of error: other sequences and other seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from baselines.ccau.comparison.run_numbers import RunNumber, RunNumbers
from baselines.ccau.evaluation.counted import Counted
from baselines.ccau.paper.published_numbers import Cell
from homage_sdk.errors import CheckpointError
from homage_sdk.evaluation.estimands import Estimand
from homage_sdk.evaluation.intervals import mean_difference, share_interval
from homage_sdk.evaluation.multiplicity import holm


@dataclass(frozen=True)
class ArmDifference:
    """Ours minus another arm's, in points."""

    value: float
    low: float
    high: float
    p_value: float | None
    """None where both answered alike on every sequence: nothing was tested. NaN: too few are."""
    n: int
    """The sequences that both have."""
    n_seeds: int
    """The seeds that both have."""
    detectable: float
    """The smallest true difference that would be found four times of five."""
    holm: float | None = None
    """The p-value after Holm's correction over all differences of the tables."""


@dataclass(frozen=True)
class OurCell:
    """One number of ours, in percent, with the 95 % interval of sequences and seeds."""

    mean: float
    low: float
    high: float
    seeds: list[float]
    """One value a seed."""
    counted: Counted
    """On how many sequences and clips."""
    difference: ArmDifference | None = None
    """To the table's first row with this cell."""
    not_comparable: str = ""
    """Why there is no difference to the first row, where that has the cell."""
    support_sets: int = 0
    """Of few-shot: how many support sets differ; with one, nothing is known of others."""
    untaught: int = 0
    """Of few-shot: how many draws taught nothing, and are left out."""

    @property
    def std(self) -> float:
        """Standard deviation over seeds; NaN with one seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else float("nan")


def compare(
    numbers: RunNumbers,
    cell: Cell,
    estimand: Estimand,
    runs: Sequence[Path],
    against: Sequence[Path] = (),
) -> OurCell | None:
    """One number over ``runs`` (one a seed), with its difference to the runs ``against``.

    Seeds are paired by the names of their folders. None where the runs have not got it: no such
    modality, or none of its test sequences has such a label (``unlabelled``). Raises
    CheckpointError for seeds that were judged on different sequences.
    """
    own = _by_seed(numbers, cell, estimand, runs)
    if not own:
        return None
    drawn = [each.drawn for each in own.values() if each.drawn is not None]
    interval = share_interval(drawn)
    first = next(iter(own.values()))
    found = OurCell(
        mean=100 * interval.value,
        low=100 * interval.low,
        high=100 * interval.high,
        seeds=[100 * each.value for each in drawn],
        counted=first.counted,
        support_sets=first.support_sets,
        untaught=first.untaught,
    )
    other = _by_seed(numbers, cell, estimand, against)
    pairs = [(by_name(runs, seed), by_name(against, seed)) for seed in own if seed in other]
    if not pairs:
        return found
    difference = compare_pairs(numbers, cell, estimand, pairs)
    if difference is None:
        return replace(found, not_comparable="judged on other sequences")
    return replace(found, difference=difference)


def compare_pairs(
    numbers: RunNumbers, cell: Cell, estimand: Estimand, pairs: Sequence[tuple[Path, Path]]
) -> ArmDifference | None:
    """The first of each pair minus the second, a pair a seed; None without a common sequence.

    Raises CheckpointError where the two have other classes, splits or labels.
    """
    sides = [[numbers.of(run, cell, estimand) for run in pair] for pair in pairs]
    units = [each.units.keys() for both in sides for each in both if each is not None]
    common = frozenset(units[0]).intersection(*units[1:]) if units else frozenset()
    if not common or any(each is None for both in sides for each in both):
        return None
    for pair, both in zip(pairs, sides, strict=True):
        _require_same_truth(pair, [each for each in both if each is not None], common)
    drawn = []
    for pair, both in zip(pairs, sides, strict=True):
        among = [None if each.units.keys() == common else common for each in both if each]
        found = [numbers.of(run, cell, estimand, a) for run, a in zip(pair, among, strict=True)]
        own, other = (each.drawn for each in found if each is not None)
        if own is None or other is None:
            return None
        drawn.append(own - other)
    paired = mean_difference(drawn, len(common))
    alike = paired.value == 0 and all(each.value == 0 and each.is_constant for each in drawn)
    return ArmDifference(
        value=100 * paired.value,
        low=100 * paired.low,
        high=100 * paired.high,
        p_value=None if alike else paired.p_value,
        n=paired.n,
        n_seeds=paired.n_seeds,
        detectable=100 * paired.detectable,
    )


def _require_same_truth(
    runs: Sequence[Path], numbers: Sequence[RunNumber], common: Iterable[str]
) -> None:
    """Refuse two runs whose numbers are of other classes, or of other splits or labels."""
    first, second = numbers
    common = sorted(common)
    if first.classes != second.classes:
        differ, of = "classes", ""
    elif other := [name for name in common if first.units[name] != second.units[name]]:
        differ, of = "splits", other[0]
    elif other := [name for name in common if first.truth.get(name) != second.truth.get(name)]:
        differ, of = "labels", other[0]
    else:
        return
    raise CheckpointError(
        f"two runs were judged by different {differ}",
        place=runs[0],
        found=f"{differ} of {of}" if of else ", ".join(first.classes),
        expected=f"those of {runs[1]}",
        hint="evaluate both on the same shards",
    )


def with_holm(found: Sequence[ArmDifference | None]) -> list[ArmDifference | None]:
    """The same with Holm's p-values over all that were tested."""
    p_values = [math.nan if f is None or f.p_value is None else f.p_value for f in found]
    return [
        each if each is None or math.isnan(p) else replace(each, holm=p)
        for each, p in zip(found, holm(p_values), strict=True)
    ]


def by_name(runs: Sequence[Path], name: str) -> Path:
    """The run of this name."""
    return next(run for run in runs if run.name == name)


def unlabelled(numbers: RunNumbers, runs: Sequence[Path], cell: Cell) -> bool:
    """Whether a run answered for the modality, and none of its test sequences has such a label."""
    found = (numbers.of(run, cell, "sequence") for run in runs)
    return any(each is not None and each.drawn is None for each in found)


def _by_seed(
    numbers: RunNumbers, cell: Cell, estimand: Estimand, runs: Sequence[Path]
) -> dict[str, RunNumber]:
    """Seed to what its run says; nothing where a run has not got it."""
    found: dict[str, RunNumber] = {}
    for run in runs:
        number = numbers.of(run, cell, estimand)
        if number is None or number.drawn is None:
            return {}
        first = next(iter(found.values()), number)
        if first.units != number.units:
            raise CheckpointError(
                "seeds of one arm were judged on different sequences",
                place=run,
                found=f"{len(number.units)} of {cell[1]}",
                expected=f"the {len(first.units)} of {runs[0].name}",
                hint="evaluate all of them on the same shards",
            )
        _require_same_truth((run, runs[0]), (number, first), number.units)
        found[run.name] = number
    return found
