"""``ccau instrument``: worlds in which it is known whether cooperation helps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homage_sdk.cli.console import out, progress


def instrument(
    folder: Annotated[
        Path, typer.Option("--out", help="Results, one file a training; what is there is kept.")
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
    from baselines.ccau.instrument.checks import exact_checks
    from baselines.ccau.instrument.claims import claims, must_be_caught, mutants_caught
    from baselines.ccau.instrument.protocol import PROTOCOL, read_protocol
    from baselines.ccau.instrument.run_all import run_all
    from baselines.ccau.report.instrument_page import write_page

    chosen = read_protocol(protocol or PROTOCOL)
    wanted = chosen.seeds.confirmatory[:seeds]
    with progress("instrument") as bar:
        results = run_all(chosen, folder, wanted, processes=processes, progress=bar)
    level = chosen.tests.level
    failed = [f.claim for f in claims(results, chosen) if not f.holds(level)]
    failed += [
        f"unnoticed: {f.claim}"
        for f in mutants_caught(results, chosen)
        if must_be_caught(f) and not f.holds(level)
    ]
    failed += [
        f"unnoticed: {check.mutant}"
        for check in exact_checks(chosen, wanted[0])
        if not (check.passes and check.caught)
    ]
    target = page or folder / "ccau_instrument.md"
    write_page(results, chosen, target)
    for line in failed:
        out.print(f"failed: {line}")
    out.print(f"{len(wanted)} seeds, {len(failed)} failed: {target}")
    if failed:
        raise typer.Exit(1)
