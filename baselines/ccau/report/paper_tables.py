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

from baselines.ccau.evaluation.predictions_file import SavedPredictions, load_predictions
from baselines.ccau.evaluation.results import activity_measure, atomic_measure, split_rows
from baselines.ccau.paper.arms import ARMS, Arm
from baselines.ccau.paper.numbers import PAPER, Cell
from baselines.ccau.report.result_rows import TITLES
from baselines.ccau.runs.json_files import read_json, write_json
from homage_sdk.errors import CheckpointError
from homage_sdk.evaluation.intervals import Floats, PairedDifference, paired_difference, resamples
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
    """Table to row to cell, from the runs in ``out``; CheckpointError when there are none."""
    runs = {arm.name: sorted((out / arm.name).glob("seed-*")) for arm in ARMS}
    ready = {arm.name: [r for r in runs[arm.name] if (r / _file(arm)).is_file()] for arm in ARMS}
    if not any(ready.values()):
        raise CheckpointError(
            "no judged runs here", place=out, hint="`ccau arms --size tiny SHARDS OUT` makes them"
        )
    tables: dict[str, dict[str, dict[Cell, OurCell]]] = {}
    for table, rows in PAPER.items():
        arms = {row: next(a for a in ARMS if (table, row) in a.rows) for row in rows}
        for row, arm in arms.items():
            found = {}
            for cell in rows[row]:
                first = next(arms[r] for r in rows if cell in rows[r])
                against = None if first is arm else ready[first.name]
                found[cell] = _cell(cell, arm, ready[arm.name], against, draws)
            kept = {cell: value for cell, value in found.items() if value is not None}
            if kept:
                tables.setdefault(table, {})[row] = kept
    _write(out, tables)
    return tables


def _file(arm: Arm) -> str:
    return "fewshot.json" if arm.is_fewshot else "predictions.npz"


def _cell(
    cell: Cell, arm: Arm, runs: list[Path], against: list[Path] | None, draws: int
) -> OurCell | None:
    if arm.is_fewshot:
        return _fewshot_cell(cell, runs, against)
    metric, modality = cell
    found = _statistics(runs, metric, modality)
    if found is None:
        return None
    own, groups = found
    seeds = [100 * statistic(np.ones(len(groups))) for statistic in own.values()]
    difference = None
    other = _statistics(against, metric, modality) if against else None
    shared = [name for name in own if other is not None and name in other[0]]
    if other is not None and other[1] == groups and shared:
        counts = resamples(list(groups.values()), draws=draws)
        ours, theirs = ([of[name] for name in shared] for of in (own, other[0]))
        difference = _as_percent(paired_difference(_mean(ours), _mean(theirs), counts))
    return OurCell(float(np.mean(seeds)), seeds, difference)


def _statistics(
    runs: list[Path], metric: str, modality: str
) -> tuple[dict[str, Statistic], dict[str, str]] | None:
    """One statistic a seed, as functions of how often each sequence counts, and their splits.

    Raises CheckpointError for seeds that were judged on different sequences.
    """
    found: dict[str, Statistic] = {}
    groups: dict[str, str] = {}
    for run in runs:
        saved = load_predictions(run / "predictions.npz")
        if modality not in saved.by_modality:
            return None
        own = {s: saved.split[s] for s in saved.by_modality[modality].sequences}
        if found and own != groups:
            raise CheckpointError(
                "seeds of one arm were judged on different sequences",
                place=run,
                found=f"{len(own)} of {modality}",
                expected=f"the {len(groups)} of {runs[0].name}",
                hint="evaluate all of them on the same shards",
            )
        found[run.name], groups = _statistic(saved, metric, modality), own
    return (found, groups) if found else None


def _statistic(saved: SavedPredictions, metric: str, modality: str) -> Statistic:
    """The mean over the test splits of one metric of one run."""
    found = saved.by_modality[modality]
    parts = split_rows([saved.split[s] for s in found.sequences])
    if metric == "accuracy":
        measure, key = activity_measure(found.activity, found.activity_label, parts), "mean/top1"
    else:
        measure, key = atomic_measure(found.atomic, found.atomic_label, parts), "mean/weighted"
    return lambda weights: measure(weights)[key]


def _mean(statistics: list[Statistic]) -> Statistic:
    return lambda weights: float(np.mean([statistic(weights) for statistic in statistics]))


def _as_percent(found: PairedDifference) -> dict[str, float | None]:
    values: dict[str, float | None] = {n: 100 * value for n, value in asdict(found).items()}
    return {**values, "p_value": found.p_value}


def _fewshot_cell(cell: Cell, runs: list[Path], against: list[Path] | None) -> OurCell | None:
    """Paired by seed and draw: both models had the same supports.

    All seeds share the supports of a draw, so a draw counts once, averaged over seeds.
    """
    metric, modality = cell
    name, _, k = metric.partition("@")
    own = {run.name: _draws(run, modality, k, name) for run in runs}
    other = {run.name: _draws(run, modality, k, name) for run in against or []}
    values = {seed: np.array(v) for seed, v in own.items() if v is not None}
    if not values or len(values) < len(own):
        return None
    gaps = [
        values[seed] - np.array(theirs)
        for seed, theirs in other.items()
        if seed in values and theirs is not None and len(theirs) == len(values[seed])
    ]
    difference = None
    if gaps:
        difference = _between_draws(np.mean(gaps, axis=0))
    seeds = [100 * float(v.mean()) for v in values.values()]
    return OurCell(float(np.mean(seeds)), seeds, difference)


def _between_draws(gap: Floats) -> dict[str, float | None]:
    """The mean of a gap a draw, with what other draws would have given.

    A class with no more than k sequences has one support set only: all draws are then equal, and
    nothing can be said of others.
    """
    if float(np.ptp(gap)) < 1e-12:
        value = 100 * float(gap[0])
        return {"value": value, "low": None, "high": None, "p_value": None}
    counts = resamples(["draw"] * len(gap))
    return _as_percent(
        paired_difference(lambda w: float((w * gap).sum() / w.sum()), lambda _: 0.0, counts)
    )


def _draws(run: Path, modality: str, k: str, name: str) -> list[float] | None:
    table = read_json(run, "fewshot.json")["modalities"].get(modality, {})
    values: list[float] | None = table.get(k, {}).get(name, {}).get("draws")
    return values


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
