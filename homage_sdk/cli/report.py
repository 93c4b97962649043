"""Commands that show a dataset as a whole: stats and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homage_sdk.cli.arguments import LOOK, Root


def register(app: typer.Typer) -> None:
    """Add this stage's commands to ``app``."""
    app.command("stats", rich_help_panel=LOOK)(stats)
    app.command("report", rich_help_panel=LOOK)(report)


def stats(
    catalog: Annotated[Path, typer.Argument(help="A catalog, made by `homage ingest`.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of on the terminal.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split: train, val, test.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Names in each list of the most common.")] = 10,
) -> None:
    """Count what the paper's section 3 counts, beside the paper's figures."""
    from homage_sdk import Dataset
    from homage_sdk.cli.console import out
    from homage_sdk.report.statistics import statistics
    from homage_sdk.report.statistics_table import statistics_json, statistics_table
    from homage_sdk.storage import write_file
    from homage_sdk.validation.reports.table import render

    dataset = Dataset(catalog)
    if split is not None:
        dataset = dataset.split(split)
    figures = statistics(dataset, top=top)
    label = str(catalog) if split is None else f"{catalog}, split {split}"
    if json:
        text = statistics_json(figures, path=label)
    elif output is not None:
        text = render(statistics_table(figures, path=label))
    else:
        out.print(statistics_table(figures, path=label), soft_wrap=False)
        return
    if output is not None:
        write_file(output, text)
    else:
        typer.echo(text, nl=False)


def report(
    catalog: Annotated[Path, typer.Argument(help="A catalog, made by `homage ingest`.")],
    out: Annotated[Path, typer.Argument(help="The HTML file to write.")],
    sequence: Annotated[
        str | None, typer.Option(help="Which sequence to show; the fullest by default.")
    ] = None,
    root: Root = None,
) -> None:
    """Write one self-contained page: what is in the dataset, its problems, a sequence."""
    from homage_sdk import Dataset
    from homage_sdk.cli.console import out as console
    from homage_sdk.report.dataset_page import dataset_sections
    from homage_sdk.report.html import render_page
    from homage_sdk.storage import write_file

    dataset = Dataset(catalog, root=root)
    chosen = dataset[sequence] if sequence else None
    write_file(
        out,
        render_page("Home Action Genome", str(catalog), dataset_sections(dataset, sequence=chosen)),
    )
    console.print(f"page: {out}")
