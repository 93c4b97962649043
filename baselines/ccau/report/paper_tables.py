"""Tables 2 to 7 from the runs of ``ccau arms``: ours with intervals, the paper's beside them.

A cell is the mean over seeds of the mean over the test splits. Its difference to the first row of
the table that has the cell is paired: the seeds that both have, on the same resamples of the same
sequences, averaged over seeds. Seeds vary the weights and resamples the sequences; the paper gives
neither. Few-shot differences resample the draws of support sets instead, each averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.ccau.evaluation.measures import activity_measure, atomic_measure, split_rows
from baselines.ccau.evaluation.predictions import load_predictions
from baselines.ccau.evaluation.result_rows import TITLES
from baselines.ccau.paper.arms import ARMS
from baselines.ccau.paper.published_numbers import PAPER, Cell
from baselines.ccau.runs.json_files import read_json, write_json
from baselines.ccau.runs.run_folder import one_state
from homage_sdk.errors import CheckpointError
from homage_sdk.evaluation.intervals import Floats, paired_difference, resamples
from homage_sdk.storage import write_file

TITLE = {
    "2": "Table 2: cooperation and distillation, activity accuracy %",
    "3": "Table 3: more modalities, activity accuracy %",
    "4": "Table 4: atomic actions, support-weighted mAP %",
    "5": "Table 5: attention, activity accuracy %",
    "6": "Table 6: composition, activity accuracy % and atomic mAP %",
    "7": "Table 7: few-shot on novel classes (ego), atomic mAP %",
}
Statistic = Callable[[Floats], float]


@dataclass(frozen=True)
class OurCell:
    """One number of ours, in percent."""

    mean: float
    seeds: list[float]
    """One value a seed."""
    difference: dict[str, float | None] | None
    """To the table's first row with this cell: ``value``, ``low``, ``high`` (95 %), ``p_value``.

    Where all draws of support sets were equal there is only the value.
    """

    @property
    def std(self) -> float:
        """Standard deviation over seeds; NaN with one seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else float("nan")


def make_tables(out: Path, *, draws: int = 1000) -> dict[str, dict[str, dict[Cell, OurCell]]]:
    """Table to row to cell, from the runs in ``out``.

    Raises CheckpointError when there are none, or one was written meanwhile.
    """
    ready = {}
    for arm in ARMS:
        judged = "fewshot.json" if arm.is_fewshot else "predictions.npz"
        runs = sorted((out / arm.name).glob("seed-*"))
        ready[arm.name] = [run for run in runs if (run / judged).is_file()]
    if not any(ready.values()):
        raise CheckpointError(
            "no judged runs here", place=out, hint="`ccau arms --size tiny SHARDS OUT` makes them"
        )
    with one_state(*(run for runs in ready.values() for run in runs)):
        tables = _compared(ready, draws)
    _write(out, tables)
    return tables


def _compared(
    ready: dict[str, list[Path]], draws: int
) -> dict[str, dict[str, dict[Cell, OurCell]]]:
    tables: dict[str, dict[str, dict[Cell, OurCell]]] = {}
    for table, rows in PAPER.items():
        arms = {row: next(a for a in ARMS if (table, row) in a.rows) for row in rows}
        for row, arm in arms.items():
            found = {}
            for cell in rows[row]:
                first = next(arms[r] for r in rows if cell in rows[r])
                against = None if first is arm else ready[first.name]
                found[cell] = compare(cell, ready[arm.name], against, draws)
            kept = {cell: value for cell, value in found.items() if value is not None}
            if kept:
                tables.setdefault(table, {})[row] = kept
    return tables


def compare(
    cell: Cell, runs: list[Path], against: list[Path] | None = None, draws: int = 1000
) -> OurCell | None:
    """One number over ``runs`` (one a seed), with its difference to the runs ``against``.

    None where the runs have not got it. Raises CheckpointError for seeds that were judged on
    different sequences.
    """
    found = _statistics(runs, *cell)
    if found is None:
        return None
    own, groups = found
    seeds = [100 * statistic(np.ones(len(groups))) for statistic in own.values()]
    difference = None
    other = _statistics(against, *cell) if against else None
    shared = [name for name in own if other is not None and name in other[0]]
    if other is not None and other[1] == groups and shared:
        counts = resamples(list(groups.values()), draws=draws)
        ours, theirs = ([of[name] for name in shared] for of in (own, other[0]))
        paired = paired_difference(_mean(ours), _mean(theirs), counts)
        difference = {name: 100 * value for name, value in asdict(paired).items()}
        difference["p_value"] = paired.p_value
        if "@" in cell[0] and paired.high - paired.low < 1e-12:
            # A class with no more than k sequences has one support set only: all draws are then
            # equal, and nothing can be said of others.
            difference |= {"low": None, "high": None, "p_value": None}
    return OurCell(float(np.mean(seeds)), seeds, difference)


def _statistics(
    runs: list[Path], metric: str, modality: str
) -> tuple[dict[str, Statistic], dict[str, str]] | None:
    """One statistic a seed, as functions of how often each unit counts, and the units' groups.

    Units are sequences, grouped by split; those of few-shot are draws: both models had the same
    supports in a draw, and all seeds share them.
    """
    found: dict[str, Statistic] = {}
    groups: dict[str, str] = {}
    for run in runs:
        judged = (_of_draws if "@" in metric else _of_sequences)(run, metric, modality)
        if judged is None:
            return None
        statistic, own = judged
        if found and own != groups:
            raise CheckpointError(
                "seeds of one arm were judged on different sequences",
                place=run,
                found=f"{len(own)} of {modality}",
                expected=f"the {len(groups)} of {runs[0].name}",
                hint="evaluate all of them on the same shards",
            )
        found[run.name], groups = statistic, own
    return (found, groups) if found else None


def _of_sequences(run: Path, metric: str, modality: str) -> tuple[Statistic, dict[str, str]] | None:
    """The mean over the test splits of a metric of one run."""
    saved = load_predictions(run / "predictions.npz")
    found = saved.by_modality.get(modality)
    if found is None:
        return None
    splits = {s: saved.split[s] for s in found.sequences}
    parts = split_rows(list(splits.values()))
    if metric == "accuracy":
        measure, key = activity_measure(found.activity, found.activity_label, parts), "mean/top1"
    else:
        measure, key = atomic_measure(found.atomic, found.atomic_label, parts), "mean/weighted"
    return lambda weights: measure(weights)[key], splits


def _of_draws(run: Path, metric: str, modality: str) -> tuple[Statistic, dict[str, str]] | None:
    """The mean over the draws of support sets of one run; ``metric`` is ``map@5`` or the like."""
    name, _, k = metric.partition("@")
    table = read_json(run, "fewshot.json")["modalities"].get(modality, {})
    if k not in table:
        return None
    values = np.array(table[k][name]["draws"])
    draws = {str(number): "draw" for number in range(len(values))}
    return lambda weights: float((weights * values).sum() / weights.sum()), draws


def _mean(statistics: list[Statistic]) -> Statistic:
    return lambda weights: float(np.mean([statistic(weights) for statistic in statistics]))


def _write(out: Path, tables: dict[str, dict[str, dict[Cell, OurCell]]]) -> None:
    plain: dict[str, Any] = {
        table: {
            row: {
                f"{metric} {modality}": {
                    **asdict(cell),
                    "std": cell.std,
                    "paper": PAPER[table][row][metric, modality],
                }
                for (metric, modality), cell in cells.items()
            }
            for row, cells in rows.items()
        }
        for table, rows in tables.items()
    }
    write_json(out / "tables.json", plain)
    write_file(out / "tables.md", markdown(tables))


def said(cell: OurCell) -> str:
    """One cell in words: mean, deviation over seeds, paired difference with interval and p."""
    text = f"{cell.mean:.1f}" + (f" ± {cell.std:.1f}" if len(cell.seeds) > 1 else "")
    if cell.difference is not None:
        d = cell.difference
        if d["p_value"] is None:
            return f"{text} ({d['value']:+.1f}, all draws equal)"
        text += f" ({d['value']:+.1f} [{d['low']:+.1f}, {d['high']:+.1f}], p {d['p_value']:.3f})"
    return text


def table_rows(table: str, rows: dict[str, dict[Cell, OurCell]]) -> list[dict[str, str]]:
    """One of the tables as rows of text."""
    return [
        {
            "row": row,
            "what": f"{TITLES.get(modality, modality)} {metric}",
            "ours": said(cell),
            "paper (real HOMAGE)": f"{PAPER[table][row][metric, modality]:.1f}",
        }
        for row, cells in rows.items()
        for (metric, modality), cell in cells.items()
    ]


def markdown(tables: dict[str, dict[str, dict[Cell, OurCell]]]) -> str:
    """All tables as Markdown."""
    parts = [
        "Ours: mean over the test splits and seeds, ± standard deviation over seeds; in brackets "
        "the paired difference to the first row that has the number, its 95 % interval and p, by "
        "test sequence (Table 7: by draw of support sets, the test sequences as they are, so that "
        "its p says nothing of other sequences). "
        "Paper: real HOMAGE, not ours.\n"
    ]
    for table, rows in tables.items():
        parts.append(f"\n### {TITLE[table]}\n\n| row | what | ours | paper |\n|---|---|---|---|\n")
        parts += [f"| {' | '.join(row.values())} |\n" for row in table_rows(table, rows)]
    return "".join(parts)
