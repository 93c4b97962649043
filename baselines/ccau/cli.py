"""The ``ccau`` command: thin; heavy imports only when a command runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from baselines.ccau.cli_arms import arms, compare, tables
from baselines.ccau.cli_instrument import instrument
from baselines.ccau.cli_options import Device, DryRun, Gpu, Measure, Settings, Shards, Size
from baselines.ccau.cli_output import is_first, say, say_rows
from baselines.ccau.cli_pictures import localise, tsne
from homage_sdk.cli.console import err, progress
from homage_sdk.cli.options import Root, Shown, Version, open_dataset
from homage_sdk.cli.report import write_page

app = typer.Typer(
    name="ccau",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(version: Version = False) -> None:
    """CCAU and the other arms of the HOMAGE paper: train, evaluate, compare."""


@app.command(rich_help_panel="Train and judge")
def train(
    config: Annotated[str, typer.Argument(help="A .toml file, or a name such as demo or ccau.")],
    *,
    shards: Shards,
    run: Annotated[Path, typer.Option("--out", help="Run folder.")],
    settings: Settings = None,
    size: Size = None,
    resume: Annotated[bool, typer.Option("--resume", help="Refuse to begin anew.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop what the folder holds.")] = False,
    dry_run: DryRun = False,
    gpu: Gpu = None,
    measure: Measure = False,
) -> None:
    """Train. The same command again goes on where it was stopped, or does nothing when done."""
    from baselines.ccau.config.config import read_config

    wanted = read_config(config, settings or (), size=size)  # refused before torch is loaded
    if dry_run:
        from baselines.ccau.planning.run_plan import plan_facts, plan_run

        plan = plan_run(wanted, shards, run, gpu=gpu, measure=measure)
        say(*(f"{name:<17} {value}" for name, value in plan_facts(plan)))
        return
    from baselines.ccau.runs.metrics_log import step_note
    from baselines.ccau.training.train import train as train_run

    with progress(f"train {wanted.name}") as bar:
        summary = train_run(
            wanted, shards, run, fresh=fresh, resume=resume,
            progress=bar, watch=lambda row: bar.tell(step_note(row)),
        )  # fmt: skip
    state = summary.state
    say(*summary.notes)
    if summary.already_done:
        say(f"already done: {state.step} steps in {run}")
        return
    best = f", best {state.plateau.best:.4f} at step {state.plateau.best_step}"
    say(
        f"trained {state.step} steps in {summary.train_s:.1f} s (ended by {state.ended})"
        f"{best if state.plateau.best_step else ''}: {run}"
    )


@app.command(rich_help_panel="Train and judge")
def evaluate(
    run: Annotated[Path, typer.Argument(help="A finished run folder.")],
    *,
    shards: Shards,
    device: Device = "auto",
    draws: Annotated[int | None, typer.Option(help="Bootstrap draws.")] = None,
) -> None:
    """Each modality alone on both test splits, beside chance and the paper's numbers."""
    from baselines.ccau.evaluation.evaluate_run import evaluate as evaluate_run
    from baselines.ccau.evaluation.result_rows import notes
    from baselines.ccau.report.result_rows import result_rows

    with progress("evaluate") as update:
        results = evaluate_run(run, shards, device=device, draws=draws, progress=update)
    say_rows(f"{results['name']}: each modality alone", result_rows(results))
    say(*(notes(results) if is_first() else ()))
    if left_out := results["left_out"]:
        say(
            f"left out: {len(left_out)} test sequences that the run learned from, the first "
            f"{left_out[0]} (all in results.json)"
        )
    say(
        "Mean over the test splits (micro: pooled), 95 % interval by bootstrap over sequences; "
        f"{results['selection_note']}.",
        "* the paper's CCAU on real HOMAGE (Table 6): not ours, and comparable only with runs on "
        "that data.",
        f"results: {run / 'results.json'}",
    )


@app.command(rich_help_panel="Train and judge")
def fewshot(
    runs: Annotated[list[Path], typer.Argument(help="Runs trained with data.novel_share.")],
    *,
    shards: Shards,
    ks: Annotated[
        str, typer.Option("--k", help="Examples a class, comma-separated.")
    ] = "1,5,10,20",
    draws: Annotated[int, typer.Option(help="Support sets; at least 20.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the supports, the same for every run.")] = 0,
    device: Device = "auto",
) -> None:
    """Frozen features of each run on the activities it never saw."""
    from baselines.ccau.evaluation.fewshot import fewshot as judge
    from baselines.ccau.evaluation.result_rows import fewshot_notes, fewshot_rows
    from homage_sdk.errors import UsageError

    if not all(k.strip().isdigit() and int(k) > 0 for k in ks.split(",")):
        raise UsageError("not a list of counts", found=repr(ks), expected="such as 1,5,10,20")
    counts = tuple(int(k) for k in ks.split(","))
    for run in runs:
        with progress(f"fewshot {run.name}") as update:
            found = judge(
                run, shards, ks=counts, draws=draws, seed=seed, device=device, progress=update
            )
        say_rows(f"{run}: novel {', '.join(found['split']['novel'])}", fewshot_rows(found))
        say(*fewshot_notes(found), f"split sha256 {found['split']['sha256']}")


@app.command(rich_help_panel="Look")
def info(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    shards: Annotated[
        Path | None, typer.Option(help="Where its shards lie now; default: where they lay.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="Hold the shards against it; default: those beside them.")
    ] = None,
) -> None:
    """Say of a run from which shards and catalog it is, when, and whether they still fit."""
    from baselines.ccau.report.run_facts import run_facts

    for name, value in run_facts(run, shards, catalog):
        say(f"{name:<16} {value}")


@app.command(rich_help_panel="Look")
def doctor(
    config: Annotated[str, typer.Argument(help="The configuration of the run to come.")],
    *,
    shards: Shards,
    settings: Settings = None,
    size: Size = None,
) -> None:
    """Check before a long run: environment, shards, gather, overfitting, throughput, feeding."""
    from baselines.ccau.config.config import read_config
    from baselines.ccau.planning.doctor import FAILED, N_CHECKS, examine

    wanted = read_config(config, settings or (), size=size)
    outcomes = []
    with progress("doctor") as update:
        for check in examine(wanted, shards):
            outcomes.append(check.outcome)
            update(len(outcomes), N_CHECKS)
            say(f"{check.outcome:<9} {check.name}: {check.detail}")
    if FAILED in outcomes:
        raise typer.Exit(1)


@app.command(rich_help_panel="Look")
def report(
    catalog: Annotated[Path, typer.Argument(help="The catalog the shards were packed from.")],
    run: Annotated[Path, typer.Argument(help="A trained and evaluated run folder.")],
    page: Annotated[Path, typer.Argument(help="The HTML file to write.")],
    *,
    sequence: Shown = None,
    root: Root = None,
) -> None:
    """Write one self-contained page: dataset, a sequence, loss curves, results beside chance.

    What cannot be shown is named. Exit code 1: the sequence has videos and none can be shown.
    """
    from baselines.ccau.report.run_page import run_sections
    from homage_sdk.report.dataset_page import dataset_sections

    dataset = open_dataset(catalog, root=root)
    chosen = dataset[sequence] if sequence else None
    sections = [*dataset_sections(dataset, chosen), *run_sections(run)]
    about = f"{len(dataset):,} sequences of {dataset.root or catalog}"
    write_page(page, "Home Action Genome and CCAU", about, sections)


@app.command("import-official", rich_help_panel="The paper")
def import_official(
    files: Annotated[
        list[Path], typer.Argument(help="The authors' .pth.tar files, one a modality.")
    ],
    *,
    folder: Annotated[Path, typer.Option("--out", help="Folder to write; new or empty.")],
    shards: Annotated[
        Path | None, typer.Option("--shards", help="Names the classes: --out is then a run.")
    ] = None,
    settings: Settings = None,
) -> None:
    """The authors' checkpoints, never run as code, as safetensors and JSON."""
    from baselines.ccau.paper.import_official import write_imported

    found = write_imported(files, folder, shards_folder=shards, settings=settings or ())
    for modality, epoch in found.epochs.items():
        n_parameters = sum(p.numel() for p in found.nets[modality].parameters())
        when = "epoch unknown" if epoch is None else f"epoch {epoch}"
        say(f"{modality}: {n_parameters:,} parameters, {when}")
    kind = "checkpoint" if shards is None else "run"
    say(f"{kind}: {folder} ({found.n_activities} activities, {found.n_atomic} atomic classes)")


app.command(rich_help_panel="Train and judge")(compare)
app.command(rich_help_panel="The paper")(arms)
app.command(rich_help_panel="The paper")(tables)
app.command(rich_help_panel="Look")(instrument)
app.command(rich_help_panel="Look")(tsne)
app.command(rich_help_panel="Look")(localise)


def main() -> None:
    """Entry point of ``ccau``."""
    from homage_sdk.cli import run

    code = run(app)
    if code and not is_first():
        err.print(f"rank {os.environ['RANK']} stopped")
    sys.exit(code)
