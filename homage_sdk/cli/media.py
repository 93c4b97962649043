"""Commands of the media stage: `homage sync`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homage_sdk.cli.arguments import Root

if TYPE_CHECKING:
    from homage_sdk.media.sync import ViewOffset


def sync(
    catalog: Annotated[Path, typer.Argument(help="A catalog that `homage ingest` wrote.")],
    *,
    max_offset: Annotated[
        float, typer.Option(min=0.1, max=60.0, help="The largest offset looked for, seconds.")
    ] = 2.5,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    root: Root = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say how far the views of each sequence are apart, by their clocks and their sound.

    Nothing is corrected. Exit code 1: a view is more than one frame off.
    """
    from dataclasses import asdict

    import orjson

    from homage_sdk import Dataset
    from homage_sdk.cli.console import out, progress
    from homage_sdk.media.sync import ViewSource, sync_views
    from homage_sdk.time import NOMINAL_FPS

    dataset = Dataset(catalog, root=root)
    chosen = dataset if split is None else dataset.split(split)
    frame_s = float(1 / NOMINAL_FPS)
    pairs = late = unknown = 0
    with progress("listening") as step:
        for done, sequence in enumerate(chosen):
            step(done, len(chosen))
            sources = [
                ViewSource(view.number, view.path, view.start_time_s, view.audio_start_s)
                for view in sequence.views
                if view.path is not None
            ]
            for offset in sync_views(sources, max_s=max_offset):  # said at once: it takes long
                apart = offset.sound_s is not None and abs(offset.sound_s) > frame_s
                pairs, late = pairs + 1, late + apart
                unknown += offset.sound_s is None
                if json:
                    line = {"sequence": str(sequence.id), **asdict(offset)}
                    typer.echo(orjson.dumps(line).decode())
                elif apart or offset.sound_s is None:
                    out.print(f"{sequence.id} {_said(offset)}", markup=False)
        step(len(chosen), len(chosen))
    if not json:
        out.print(
            f"{pairs} pairs of views: {pairs - late - unknown} within one frame, {late} apart, "
            f"{unknown} unknown",
            markup=False,
        )
    if late:
        raise typer.Exit(1)


def _said(offset: ViewOffset) -> str:
    said = (
        f"unknown ({offset.reason})"
        if offset.sound_s is None
        else f"{offset.sound_s:+.3f} s (confidence {offset.confidence:.2f})"
    )
    return f"v{offset.view:03d} against v{offset.reference:03d}: {said}"


def register(app: typer.Typer) -> None:
    """Add this stage's commands to ``app``."""
    app.command()(sync)
