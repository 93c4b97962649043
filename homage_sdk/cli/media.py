"""Commands of the media stage: `homage sync`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sync(
    catalog: Annotated[Path, typer.Argument(help="A catalog that `homage ingest` wrote.")],
    *,
    max_offset: Annotated[
        float, typer.Option(min=0.1, max=60.0, help="The largest offset looked for, seconds.")
    ] = 2.5,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="Where the videos lie now, if they were moved.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say how far the views of each sequence are apart, by their clocks and their sound.

    Nothing is corrected. Exit code 1: a view is more than one frame off.
    """
    from dataclasses import asdict

    import orjson

    from homage_sdk import Dataset
    from homage_sdk.cli.console import out, progress
    from homage_sdk.media.sync import ViewOffset, ViewSource, sync_views
    from homage_sdk.time import NOMINAL_FPS

    dataset = Dataset(catalog, root=root)
    chosen = dataset if split is None else dataset.split(split)
    found: list[tuple[str, ViewOffset]] = []
    with progress("listening") as step:
        for done, sequence in enumerate(chosen):
            step(done, len(chosen))
            sources = [
                ViewSource(view.number, view.path, view.start_time_s, view.audio_start_s)
                for view in sequence.views
                if view.path is not None
            ]
            found += [(str(sequence.id), o) for o in sync_views(sources, max_s=max_offset)]
        step(len(chosen), len(chosen))
    frame_s = float(1 / NOMINAL_FPS)
    late = [o for _, o in found if o.sound_s is not None and abs(o.sound_s) > frame_s]
    unknown = [o for _, o in found if o.sound_s is None]
    for name, offset in found:
        if json:
            typer.echo(orjson.dumps({"sequence": name, **asdict(offset)}).decode())
            continue
        if offset.sound_s is not None and abs(offset.sound_s) <= frame_s:
            continue
        said = (
            f"unknown ({offset.reason})"
            if offset.sound_s is None
            else f"{offset.sound_s:+.3f} s (confidence {offset.confidence:.2f})"
        )
        out.print(
            f"{name} v{offset.view:03d} against v{offset.reference:03d}: {said}", markup=False
        )
    if not json:
        out.print(
            f"{len(found)} pairs of views: {len(found) - len(late) - len(unknown)} within one "
            f"frame, {len(late)} apart, {len(unknown)} unknown",
            markup=False,
        )
    if late:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add this stage's commands to ``app``."""
    app.command()(sync)
