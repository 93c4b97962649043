"""The ``ccau`` command: thin; heavy imports only when a command runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from homage_sdk.cli.console import err, out, progress

app = typer.Typer(
    name="ccau",
    help="CCAU and the other arms of the HOMAGE paper: train, evaluate, compare.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Shards = Annotated[Path, typer.Option("--shards", help="Folder that `homage pack` wrote.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="section.key=value, over the configuration; repeatable."),
]
Size = Annotated[
    str | None, typer.Option("--size", help="tiny (CPU, minutes) or paper (GPU), under the file.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


def _is_first() -> bool:
    """Whether this process speaks (torchrun starts several)."""
    return os.environ.get("RANK", "0") == "0"


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A .toml file, or a name such as demo or ccau.")],
    *,
    shards: Shards,
    run: Annotated[Path, typer.Option("--out", help="Run folder.")],
    settings: Settings = None,
    size: Size = None,
    resume: Annotated[bool, typer.Option("--resume", help="Refuse to begin anew.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop what the folder holds.")] = False,
) -> None:
    """Train. The same command again goes on where it was stopped, or does nothing when done."""
    from baselines.ccau.config import read_config
    from baselines.ccau.train import train as train_run

    wanted = read_config(config, settings or (), size=size)
    with progress(f"train {wanted.name}") as update:
        summary = train_run(wanted, shards, run, fresh=fresh, resume=resume, progress=update)
    if not _is_first():
        return
    if summary.already_done:
        out.print(f"already done: {summary.steps} steps in {run}", markup=False)
        return
    best = f", best {summary.best_score:.4f} at step {summary.best_step}"
    out.print(
        f"trained {summary.steps} steps in {summary.train_s:.1f} s (ended by {summary.ended})"
        f"{best if summary.best_step else ''}: {run}",
        markup=False,
    )


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A finished run folder.")],
    *,
    shards: Shards,
    device: Device = "auto",
    draws: Annotated[int | None, typer.Option(help="Bootstrap draws.")] = None,
) -> None:
    """Each modality alone on both test splits, beside chance and the paper's numbers."""
    from baselines.ccau.evaluate import evaluate as evaluate_run
    from baselines.ccau.show import results_table

    with progress("evaluate") as update:
        results = evaluate_run(run, shards, device=device, draws=draws, progress=update)
    if _is_first():
        out.print(results_table(results))
        out.print(f"results: {run / 'results.json'}", markup=False)


@app.command()
def report(
    catalog: Annotated[Path, typer.Argument(help="The catalog the shards were packed from.")],
    run: Annotated[Path, typer.Argument(help="A trained and evaluated run folder.")],
    page: Annotated[Path, typer.Argument(help="The HTML file to write.")],
) -> None:
    """Write one self-contained page: dataset, a sequence, loss curves, results beside chance."""
    from baselines.ccau.page import run_sections
    from homage_sdk import Dataset
    from homage_sdk.report.dataset import dataset_sections
    from homage_sdk.report.page import render_page
    from homage_sdk.storage import write_file

    dataset = Dataset(catalog)
    sections = [*dataset_sections(dataset), *run_sections(run)]
    about = f"{len(dataset):,} sequences of {dataset.root or catalog}"
    write_file(page, render_page("Home Action Genome and CCAU", about, sections))
    out.print(f"page: {page}", markup=False)


def main() -> None:
    """Entry point of ``ccau``."""
    from homage_sdk.cli import run

    code = run(app)
    if code and not _is_first():
        err.print(f"rank {os.environ['RANK']} stopped", markup=False)
    sys.exit(code)


if __name__ == "__main__":
    main()
