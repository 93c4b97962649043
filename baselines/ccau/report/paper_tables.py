"""Tables 2 to 7 from the runs of ``ccau arms``: ours with intervals, the paper's beside them.

A cell is the mean over seeds of the mean over the test splits, and says on how many sequences and
clips. Its difference to the first row of the table that has the cell is paired: the seeds that both
have, on the same resamples of the sequences that both were judged on, averaged over seeds. Seeds
vary the weights and resamples the sequences; the paper gives neither. Few-shot differences resample
the draws of support sets instead, each averaged over seeds, and are made only where both rows were
judged on the same sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baselines.ccau.evaluation.result_rows import TITLES
from baselines.ccau.paper.arms import ARMS
from baselines.ccau.paper.published_numbers import PAPER, Cell
from baselines.ccau.report.compare_arms import OurCell, compare, unlabelled
from baselines.ccau.runs.json_files import write_json
from baselines.ccau.runs.run_folder import one_state
from homage_sdk.errors import CheckpointError
from homage_sdk.storage import write_file

TITLE = {
    "2": "Table 2: cooperation and distillation, activity accuracy %",
    "3": "Table 3: more modalities, activity accuracy %",
    "4": "Table 4: atomic actions, support-weighted mAP %",
    "5": "Table 5: attention, activity accuracy %",
    "6": "Table 6: composition, activity accuracy % and atomic mAP %",
    "7": "Table 7: few-shot on novel classes (ego), atomic mAP %",
}


def make_tables(out: Path, *, draws: int = 1000) -> dict[str, dict[str, dict[Cell, OurCell]]]:
    """Table to row to cell, from the runs in ``out``.

    ``tables.md`` also says which numbers are missing because no test sequence has the label.
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
        tables, absent = _compared(ready, draws), _without_labels(ready)
    _write(out, tables, absent)
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


def _without_labels(ready: dict[str, list[Path]]) -> list[str]:
    """The cells that runs answered for and that no label judges, in words."""
    return [
        f"Table {table}, {row}: {TITLES.get(modality, modality)} {metric}"
        for table, rows in PAPER.items()
        for row, cells in rows.items()
        for metric, modality in cells
        if unlabelled(ready[next(a.name for a in ARMS if (table, row) in a.rows)], metric, modality)
    ]


def _write(out: Path, tables: dict[str, dict[str, dict[Cell, OurCell]]], absent: list[str]) -> None:
    plain: dict[str, Any] = {
        table: {
            row: {
                f"{metric} {modality}": {
                    **asdict(cell),
                    "counted": cell.counted.model_dump(),
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
    write_file(out / "tables.md", markdown(tables, absent))


def said(cell: OurCell) -> str:
    """One cell in words: mean, deviation over seeds, paired difference with interval, p and n."""
    text = f"{cell.mean:.1f}" + (f" ± {cell.std:.1f}" if len(cell.seeds) > 1 else "")
    if cell.not_comparable:
        return f"{text} (not comparable: {cell.not_comparable})"
    if cell.difference is not None:
        d = cell.difference
        if d["p_value"] is None:
            return f"{text} ({d['value']:+.1f}, all {d['n']} draws equal)"
        text += f" ({d['value']:+.1f} [{d['low']:+.1f}, {d['high']:+.1f}], p {d['p_value']:.3f}, "
        text += f"n {d['n']})"
    return text


def table_rows(table: str, rows: dict[str, dict[Cell, OurCell]]) -> list[dict[str, str]]:
    """One of the tables as rows of text."""
    return [
        {
            "row": row,
            "what": f"{TITLES.get(modality, modality)} {metric}",
            **cell.counted.cells(),
            "ours": said(cell),
            "paper (real HOMAGE)": f"{PAPER[table][row][metric, modality]:.1f}",
        }
        for row, cells in rows.items()
        for (metric, modality), cell in cells.items()
    ]


def markdown(tables: dict[str, dict[str, dict[Cell, OurCell]]], absent: Sequence[str] = ()) -> str:
    """All tables as Markdown, and the numbers that are ``absent`` for want of labels."""
    parts = [
        "Ours: mean over the test splits and seeds, ± standard deviation over seeds, and on how "
        "many sequences and clips; in brackets the paired difference to the first row that has the "
        "number, its 95 % interval, p, and n, the test sequences that both were judged on "
        "(Table 7: by draw of support sets, n of them, the test sequences as they are, so that its "
        "p says nothing of other sequences). "
        "Paper: real HOMAGE, not ours.\n"
    ]
    for table, rows in tables.items():
        lines = table_rows(table, rows)
        head = list(lines[0])
        parts.append(f"\n### {TITLE[table]}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}\n")
        parts += [f"| {' | '.join(row.values())} |\n" for row in lines]
    if absent:
        parts.append(
            "\nNot in the tables, since no test sequence of the modality has such a label:\n\n"
        )
        parts += [f"* {each}\n" for each in absent]
    return "".join(parts)
