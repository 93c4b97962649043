"""``ccau instrument``: worlds in which it is known whether cooperation helps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homage_sdk.cli.console import out, progress


def instrument(
    folder: Annotated[
        Path,
        typer.Option(
            "--out", help="Results, one file a training; kept while the code is the same."
        ),
    ] = Path("instrument"),
    *,
    page: Annotated[
        Path | None, typer.Option(help="The page to write (.md); default: in --out.")
    ] = None,
    protocol: Annotated[
        Path | None, typer.Option(help="Another protocol (TOML) than the committed one.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Only the first so many seeds of the protocol.", min=1)
    ] = None,
    processes: Annotated[int, typer.Option(help="Trainings at a time.", min=1)] = 1,
) -> None:
    """Is cooperation found where it must exist, and only there? Four made worlds answer.

    Exit code 1: a claim does not hold, or a fault went unnoticed.
    """
    from baselines.ccau.instrument.protocol import PROTOCOL, read_protocol
    from baselines.ccau.instrument.run_all import run_all
    from baselines.ccau.report.figures import figure_of
    from baselines.ccau.report.instrument_page import write_page

    target = page or folder / "ccau_instrument.md"
    figure_of(target)  # a page that cannot be written is refused before anything is trained
    chosen = read_protocol(protocol or PROTOCOL)
    wanted = chosen.seeds.confirmatory[:seeds]
    with progress("instrument") as bar:
        results = run_all(chosen, folder, wanted, processes=processes, progress=bar)
    failures = write_page(results, chosen, target).failures
    for line in failures:
        out.print(f"failed: {line}")
    out.print(f"{len(wanted)} seeds, {len(failures)} failed: {target}")
    if failures:
        raise typer.Exit(1)
