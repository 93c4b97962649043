"""Tables 2 to 7 from saved predictions of ``ccau arms``: ``tables.json`` and ``tables.md``.

Every number twice: of sequences, and of clips as the public code has it. A number is the mean over
seeds of the mean over the test splits. Its difference to the first row of the table that has the
number is paired: the seeds that both have, on the same resamples of the sequences that both were
judged on. Intervals and p-values are of both kinds of error, other sequences and other seeds; the
paper gives neither. Few-shot resamples support sets as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from baselines.ccau.comparison.compare_arms import OurCell, compare, unlabelled, with_holm
from baselines.ccau.comparison.manipulation import ManipulationCheck, manipulation_checks
from baselines.ccau.comparison.run_numbers import RunNumbers
from baselines.ccau.evaluation.result_rows import TITLES
from baselines.ccau.paper.arms import ARMS, CONTROL_ARMS, Arm
from baselines.ccau.paper.published_numbers import PAPER, Cell
from baselines.ccau.report.table_text import (
    CHECKED,
    NOTE,
    check_rows,
    difference_cells,
    markdown_table,
    said,
)
from baselines.ccau.runs.json_files import write_json
from baselines.ccau.runs.run_folder import one_state
from homage_sdk.errors import CheckpointError
from homage_sdk.evaluation.estimands import ESTIMANDS, Estimand
from homage_sdk.storage import write_file

TITLE = {
    "2": "Table 2: cooperation and distillation, activity accuracy %",
    "3": "Table 3: more modalities, activity accuracy %",
    "4": "Table 4: atomic actions, support-weighted mAP %",
    "5": "Table 5: attention, activity accuracy %",
    "6": "Table 6: composition, activity accuracy % and atomic mAP %",
    "7": "Table 7: few-shot on novel classes (ego), atomic mAP %",
}
DRAWS = 10_000
"""Resamples: a p-value cannot be below 2 / DRAWS, and Holm's multiplies it."""


class TablePlace(NamedTuple):
    """Where a number stands."""

    table: str
    row: str
    cell: Cell
    estimand: Estimand

    @property
    def arm(self) -> str:
        """The arm that gives the row."""
        return next(arm.name for arm in ARMS if (self.table, self.row) in arm.rows)

    @property
    def first(self) -> str:
        """The arm of the table's first row that has the cell."""
        rows = PAPER[self.table]
        return self._replace(row=next(row for row in rows if self.cell in rows[row])).arm

    @property
    def key(self) -> tuple[str, str, Cell, Estimand]:
        """What its difference is of: the same in every table that shows it."""
        return self.arm, self.first, self.cell, self.estimand

    @property
    def paper(self) -> float:
        """What the paper prints there."""
        return PAPER[self.table][self.row][self.cell]


Tables = dict[TablePlace, OurCell]


def make_tables(out: Path, *, draws: int = DRAWS) -> Tables:
    """All numbers of the tables from the runs in ``out``.

    ``tables.md`` also says which numbers are missing because no test sequence has the label.
    Raises CheckpointError when there are no runs, or one was written meanwhile.
    """
    ready = judged_runs(out)
    numbers = RunNumbers(draws)
    with one_state(*(run for runs in ready.values() for run in runs)):
        for name, runs in ready.items():
            numbers.read(runs, list(dict.fromkeys(p.cell for p in _places() if p.arm == name)))
        tables, absent = _corrected(_compared(numbers, ready)), _without_labels(numbers, ready)
        checks = checks_of(out)
    write_json(out / "tables.json", as_values(tables))
    write_file(out / "tables.md", markdown(tables, absent, checks))
    return tables


def judged_runs(out: Path) -> dict[str, list[Path]]:
    """Arm of the tables to the runs in ``out`` whose predictions are saved.

    Raises CheckpointError where no arm has any, a control neither.
    """
    ready = {arm.name: runs_of_arm(out, arm) for arm in ARMS}
    if not is_judged(out):
        raise CheckpointError(
            "no judged runs here", place=out, hint="`ccau arms --size tiny SHARDS OUT` makes them"
        )
    return ready


def is_judged(out: Path) -> bool:
    """Whether any run of an arm or a control in ``out`` has its predictions saved."""
    return any(runs_of_arm(out, arm) for arm in (*ARMS, *CONTROL_ARMS))


def runs_of_arm(out: Path, arm: Arm) -> list[Path]:
    """The seeds of an arm whose predictions are saved, in the order of their names."""
    judged = "fewshot.npz" if arm.is_fewshot else "predictions.npz"
    return sorted(run for run in (out / arm.name).glob("seed-*") if (run / judged).is_file())


def checks_of(out: Path) -> list[ManipulationCheck]:
    """Whether each arm that aligns did so, of the arms whose runs have their logs."""
    found = []
    for arm in (*ARMS, *CONTROL_ARMS):
        runs = [run for run in runs_of_arm(out, arm) if (run / "metrics.jsonl").is_file()]
        found += manipulation_checks(arm.name, runs)
    return found


def _places() -> Iterator[TablePlace]:
    """Every number that the paper prints, of sequences and of clips."""
    for table, rows in PAPER.items():
        for row, cells in rows.items():
            for cell in cells:
                for estimand in ESTIMANDS:
                    yield TablePlace(table, row, cell, estimand)


def _compared(numbers: RunNumbers, ready: Mapping[str, Sequence[Path]]) -> Tables:
    tables = {}
    for place in _places():
        against = ready[place.first] if place.first != place.arm else ()
        found = compare(numbers, place.cell, place.estimand, ready[place.arm], against)
        if found is not None:
            tables[place] = found
    return tables


def _corrected(tables: Tables) -> Tables:
    """The same with Holm's p-values over all differences; one that two tables show counts once."""
    tested = {place.key: found.difference for place, found in tables.items()}
    adjusted = dict(zip(tested, with_holm(list(tested.values())), strict=True))
    return {p: replace(found, difference=adjusted[p.key]) for p, found in tables.items()}


def _without_labels(numbers: RunNumbers, ready: Mapping[str, Sequence[Path]]) -> list[str]:
    """The cells that runs answered for and that no label judges, in words."""
    return [
        f"Table {place.table}, {place.row}: {_what(place.cell)}"
        for place in _places()
        if place.estimand == "sequence" and unlabelled(numbers, ready[place.arm], place.cell)
    ]


def _what(cell: Cell) -> str:
    return f"{TITLES.get(cell[1], cell[1])} {cell[0]}"


def as_values(tables: Tables) -> dict[str, Any]:
    """The tables as JSON values: table to row to cell to what it is of."""
    values: dict[str, Any] = {}
    for place, found in tables.items():
        rows = values.setdefault(place.table, {}).setdefault(place.row, {})
        cell = rows.setdefault(" ".join(place.cell), {"paper": place.paper})
        cell[place.estimand] = {
            **asdict(found), "counted": found.counted.model_dump(), "std": found.std
        }  # fmt: skip
    return values


def table_rows(table: str, tables: Tables) -> list[dict[str, str]]:
    """One of the tables as rows of text."""
    return [
        {
            "row": place.row,
            "what": _what(place.cell),
            "of": f"{place.estimand}s",
            **found.counted.cells(),
            "ours": said(found),
            **difference_cells(found.difference, found.not_comparable),
            "paper (real HOMAGE)": f"{place.paper:.1f}",
        }
        for place, found in tables.items()
        if place.table == table
    ]


def markdown(
    tables: Tables, absent: Sequence[str] = (), checks: Sequence[ManipulationCheck] = ()
) -> str:
    """All tables as Markdown, what was aligned, and numbers ``absent`` for want of labels."""
    parts = [f"{NOTE}\n"]
    for table in dict.fromkeys(place.table for place in tables):
        parts.append(f"\n### {TITLE[table]}\n\n{markdown_table(table_rows(table, tables))}")
    if checks:
        parts.append(f"\n### Was anything aligned?\n\n{CHECKED}\n\n")
        parts.append(markdown_table(check_rows(checks)))
    if absent:
        parts.append(
            "\nNot in the tables, since no test sequence of the modality has such a label:\n\n"
        )
        parts += [f"* {each}\n" for each in absent]
    return "".join(parts)
