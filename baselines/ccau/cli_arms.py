"""``ccau arms``, ``tables`` and ``compare``: the paper's rows, and any two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baselines.ccau.cli_options import DryRun, Gpu, Measure, Settings
from baselines.ccau.cli_output import is_first, say, say_rows

Page = Annotated[
    Path | None,
    typer.Option(help="Also write the page of the small arms (.md), a figure of curves beside it."),
]


def arms(
    shards: Annotated[Path, typer.Argument(help="Folder that `homage pack` wrote.")],
    folder: Annotated[Path, typer.Argument(help="Where the runs and tables go.")],
    *,
    size: Annotated[str, typer.Option("--size", help="tiny (CPU, minutes) or paper (GPU).")],
    seeds: Annotated[int, typer.Option(help="Seeds an arm, from 0.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help="Just these arms; repeatable.")] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(help="Just the arms of this table (2 to 7, controls); repeatable."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Begin no further run after so many.", min=0)
    ] = None,
    page: Page = None,
    settings: Settings = None,
    dry_run: DryRun = False,
    gpu: Gpu = None,
    measure: Measure = False,
) -> None:
    """Every arm of Tables 2 to 7, one after another; the same command again goes on."""
    these, tabled, changed = only or (), table or (), settings or ()
    if dry_run:
        from baselines.ccau.planning.arms_plan import arm_rows, arms_notes, plan_arms

        plans = plan_arms(
            shards, folder, size=size, seeds=seeds, only=these, tables=tabled, settings=changed,
            gpu=gpu, measure=measure,
        )  # fmt: skip
        say_rows(f"{len(plans)} runs, {seeds} seeds an arm", arm_rows(plans))
        say(*arms_notes(plans))
        return
    from baselines.ccau.paper.arms import ARMS, choose, run_arms
    from baselines.ccau.report.figures import figure_of
    from baselines.ccau.report.paper_tables import is_judged
    from baselines.ccau.report.result_rows import result_rows
    from baselines.ccau.runs.json_files import read_json

    if page is not None:
        figure_of(page)  # a page that cannot be written is refused before anything is trained
    runs = run_arms(
        shards, folder, size=size, seeds=seeds, only=these, tables=tabled, settings=changed,
        minutes=minutes, note=say,
    )  # fmt: skip
    if is_judged(folder) and any(arm.rows for arm in choose(these, tabled)):
        tables(folder, page=page)
    in_tables = {arm.name for arm in ARMS}
    for run in runs if is_first() else ():
        if run.parent.name not in in_tables:  # a control, or a modality that no table has
            say_rows(f"{run}: each modality alone", result_rows(read_json(run, "results.json")))


def tables(
    folder: Annotated[Path, typer.Argument(help="What `ccau arms` wrote.")],
    *,
    page: Page = None,
) -> None:
    """Tables 2 to 7: ours with intervals and p-values, the paper's beside them."""
    from baselines.ccau.report.paper_tables import TITLE, checks_of, make_tables, table_rows
    from baselines.ccau.report.small_arms_page import write_small_arms
    from baselines.ccau.report.table_text import check_rows

    if is_first():
        found = make_tables(folder)
        for name in dict.fromkeys(place.table for place in found):
            say_rows(TITLE[name], table_rows(name, found))
        if checks := checks_of(folder):
            say_rows("Was anything aligned?", check_rows(checks))
        say(f"tables: {folder / 'tables.md'}")
        if page is not None:
            write_small_arms(folder, found, page)
            say(f"page: {page}")


def compare(
    first: Annotated[Path, typer.Argument(help="A prediction file, a run, or an arm of seeds.")],
    second: Annotated[Path, typer.Argument(help="What it is compared with; the same kinds.")],
    *,
    draws: Annotated[int, typer.Option(help="Resamples of sequences.", min=1)] = 10_000,
) -> None:
    """The first minus the second, sequence by sequence, from saved predictions alone."""
    from baselines.ccau.comparison.compare_predictions import compare_predictions
    from baselines.ccau.report.table_text import COMPARED, compared_rows

    if is_first():
        found = compare_predictions(first, second, draws=draws)
        say_rows(f"{first} - {second}", compared_rows(found))
        say(COMPARED)
