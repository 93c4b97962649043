"""Two runs, prediction files or arms compared on what both answered, sequence by sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from baselines.ccau.comparison.compare_arms import (
    ArmDifference,
    OurCell,
    compare,
    compare_pairs,
    with_holm,
)
from baselines.ccau.comparison.run_numbers import RunNumbers
from baselines.ccau.evaluation.measures import KIND
from baselines.ccau.evaluation.predictions import load_predictions
from baselines.ccau.evaluation.result_rows import is_learned
from baselines.ccau.paper.published_numbers import Cell
from baselines.ccau.runs.json_files import read_json
from homage_sdk.errors import CheckpointError, UsageError
from homage_sdk.evaluation.estimands import ESTIMANDS, Estimand


@dataclass(frozen=True)
class ComparedCell:
    """One number of both sides, and the first minus the second."""

    cell: Cell
    estimand: Estimand
    first: OurCell
    second: OurCell
    difference: ArmDifference | None
    """None where the two have no sequence in common."""


def runs_of(path: Path) -> list[Path]:
    """The judged runs that a path stands for: a prediction file, a run, or the seeds of an arm.

    Raises CheckpointError where it is none of these.
    """
    if path.is_file() or (path / "predictions.npz").is_file():
        return [path]
    seeds = sorted(run for run in path.glob("seed-*") if (run / "predictions.npz").is_file())
    if not seeds:
        raise CheckpointError(
            "no predictions here",
            place=path,
            expected="a file predictions.npz, a run folder with one, or a folder of such seed-*",
            hint="run `ccau evaluate` first",
        )
    return seeds


def compare_predictions(first: Path, second: Path, *, draws: int) -> list[ComparedCell]:
    """Accuracy and weighted mAP of every modality that both have, of sequences and of clips.

    Folders of seeds are paired by the seeds' names, two single ones with each other. What one of
    them did not learn is left out. Raises CheckpointError for a path without predictions, and
    UsageError where there is nothing to compare.
    """
    sides = runs_of(first), runs_of(second)
    if all(len(side) == 1 for side in sides):
        pairs = [(sides[0][0], sides[1][0])]
    else:
        names = [{run.name: run for run in side} for side in sides]
        pairs = [(run, names[1][name]) for name, run in names[0].items() if name in names[1]]
    if not pairs:
        raise UsageError(
            "the two have no seed in common",
            found=f"{_names(sides[0])} of {first}, {_names(sides[1])} of {second}",
            expected="the same seed-* in both folders",
        )
    numbers = RunNumbers(draws)
    cells = _cells(pairs)
    numbers.read([run for pair in pairs for run in pair], cells)
    found = [each for cell in cells for each in _of_cell(numbers, cell, pairs)]
    if not found:
        raise UsageError("nothing to compare", found="no number that both have", place=first)
    corrected = with_holm([each.difference for each in found])
    return [replace(each, difference=d) for each, d in zip(found, corrected, strict=True)]


def _of_cell(
    numbers: RunNumbers, cell: Cell, pairs: Sequence[tuple[Path, Path]]
) -> Iterator[ComparedCell]:
    for estimand in ESTIMANDS:
        ours = [compare(numbers, cell, estimand, side) for side in zip(*pairs, strict=True)]
        if ours[0] is not None and ours[1] is not None:
            difference = compare_pairs(numbers, cell, estimand, pairs)
            yield ComparedCell(cell, estimand, ours[0], ours[1], difference)


def _cells(pairs: Sequence[tuple[Path, Path]]) -> list[Cell]:
    """What all of the runs have answered for and learned."""
    runs = [run for pair in pairs for run in pair]
    kept = [_modalities(run) for run in runs]
    learned = [metric for metric in KIND if all(_has_learned(run, metric) for run in runs)]
    return [(metric, m) for m in kept[0] if all(m in each for each in kept) for metric in learned]


def _modalities(run: Path) -> list[str]:
    path = run if run.is_file() else run / "predictions.npz"
    return list(load_predictions(path).by_modality)


def _has_learned(run: Path, metric: str) -> bool:
    """Whether a run learned what the metric judges; taken as so where it does not say it."""
    folder = run.parent if run.is_file() else run
    if not (folder / "results.json").is_file():
        return True
    return is_learned(read_json(folder, "results.json", "targets"), KIND[metric])


def _names(runs: Sequence[Path]) -> str:
    return ", ".join(run.name for run in runs)
