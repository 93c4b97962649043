"""Commands of the synth stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homage_sdk.cli.console import out as console
from homage_sdk.cli.console import progress


def _size(text: str) -> tuple[int, int]:
    from homage_sdk.errors import UsageError

    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isdecimal() for p in parts):
        raise UsageError("not a size", found=repr(text), expected="WIDTHxHEIGHT, like 1024x768")
    return int(parts[0]), int(parts[1])


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to write; it appears when all is there.")],
    layout: Annotated[str, typer.Option(help="hacgen or videoshift.")] = "hacgen",
    sequences: Annotated[int, typer.Option(help="How many sequences.")] = 24,
    seed: Annotated[int, typer.Option(help="Same seed and options, same bytes.")] = 0,
    size: Annotated[str, typer.Option(help="Video size, WIDTHxHEIGHT.")] = "1024x768",
    activities: Annotated[int, typer.Option(help="How many activity classes, up to 24.")] = 8,
    seconds: Annotated[tuple[float, float], typer.Option(help="Shortest and longest sequence.")] = (
        8.0,
        16.0,
    ),
    world: Annotated[
        str, typer.Option(help="What the videos show: home, or gratings: shared, apart.")
    ] = "home",
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores.")] = None,
    clean: Annotated[bool, typer.Option("--clean", help="None of a real release's mess.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace another synthetic release at OUT.")
    ] = False,
    labels_only: Annotated[
        bool, typer.Option("--labels-only", help="Label files at full size, no video.")
    ] = False,
    scale: Annotated[str, typer.Option(help="Of --labels-only: homage or tiny.")] = "homage",
    placeholders: Annotated[
        bool, typer.Option(help="Of --labels-only: an empty file for every video name.")
    ] = True,
) -> None:
    """Write a synthetic release in a published layout: video, sound, labels, sensors.

    It needs no licence and no download; everything in it is drawn, and the same options give the
    same bytes. OUT is left alone when it already holds this very release.
    """
    shape = _size(size)
    with progress("writing sequences") as report:
        if labels_only:
            from homage_sdk.testing import write_labels

            summary = write_labels(
                out,
                layout=layout,
                seed=seed,
                scale=scale,
                placeholders=placeholders,
                progress=report,
                force=force,
            )
        else:
            from homage_sdk.synth import write_release

            summary = write_release(
                out,
                layout=layout,
                sequences=sequences,
                seed=seed,
                size=shape,
                activities=activities,
                seconds=seconds,
                clean=clean,
                world=world,  # type: ignore[arg-type]  # write_release refuses others by name
                workers=workers,
                progress=report,
                force=force,
            )
    said = "already there" if summary.already_there else "written"
    console.print(f"{summary.path}: {said}")
    console.print(
        f"  {summary.layout}: {summary.sequences:,} sequences, {summary.videos:,} videos, "
        f"{summary.actions:,} atomic actions, {summary.boxes:,} boxes, "
        f"{summary.relationships:,} relationships",
    )
