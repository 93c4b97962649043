"""Commands to look at a catalog: stats, sync, report, and one sequence that plays: view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homage_sdk.cli.console import err, out, progress
from homage_sdk.cli.options import CatalogPath, Root, Shown, Split, open_dataset
from homage_sdk.cli.print_rows import print_rows, row_lines

if TYPE_CHECKING:
    from homage_sdk.media.sync import ViewOffset
    from homage_sdk.report.html import Section


def stats(
    catalog: CatalogPath,
    *,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of on the terminal.")
    ] = None,
    split: Split = None,
    top: Annotated[int, typer.Option(min=1, help="Names in each list of the most common.")] = 10,
) -> None:
    """Dataset statistics, next to the paper's."""
    from homage_sdk.report.statistics import statistics
    from homage_sdk.report.statistics_table import (
        statistics_json,
        statistics_notes,
        statistics_rows,
    )
    from homage_sdk.storage import write_file

    figures = statistics(open_dataset(catalog, split=split), top=top)
    label = str(catalog) if split is None else f"{catalog}, split {split}"
    rows, notes = statistics_rows(figures), statistics_notes(figures)
    if json:
        text = statistics_json(figures, path=label)
    else:
        text = "\n".join([label, *row_lines(rows), *notes, ""])
    if output is not None:
        write_file(output, text)
    elif json:
        typer.echo(text, nl=False)
    else:
        out.print(label, style="bold")
        print_rows(rows)
        for note in notes:
            out.print(note)


def sync(
    catalog: CatalogPath,
    *,
    max_offset: Annotated[
        float, typer.Option(min=0.1, max=60.0, help="The largest offset looked for, seconds.")
    ] = 2.5,
    split: Split = None,
    root: Root = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Measure the time offset between views (timestamps, audio).

    Nothing is corrected. Exit code 1: a view is more than one frame off or cannot be read, or no
    two views could be compared.
    """
    from dataclasses import asdict

    import orjson

    from homage_sdk.media.sync import ViewSource, sync_views
    from homage_sdk.progress import Meter
    from homage_sdk.time import NOMINAL_FPS

    chosen = open_dataset(catalog, split=split, root=root)
    frame_s = float(1 / NOMINAL_FPS)
    pairs = late = unknown = 0
    broken: list[str] = []
    with progress("listening") as told:
        meter = Meter(told, len(chosen))
        for sequence in chosen:
            sources = [
                ViewSource(
                    view.number,
                    view.path,
                    view.start_time_s,
                    has_audio=view.has_audio or view.n_frames is None,  # then unknown
                )
                for view in sequence.views
                if view.path is not None
            ]
            offsets = sync_views(
                sources, max_s=max_offset, unreadable=lambda _, error: broken.append(str(error))
            )
            for offset in offsets:  # said at once: it takes long
                apart = offset.sound_s is not None and abs(offset.sound_s) > frame_s
                pairs, late = pairs + 1, late + apart
                unknown += offset.sound_s is None
                if json:
                    line = {"sequence": str(sequence.id), **asdict(offset)}
                    typer.echo(orjson.dumps(line).decode())
                elif apart or offset.sound_s is None:
                    out.print(f"{sequence.id} {_said(offset)}")
            meter.advance()
    for fault in broken:
        err.print(f"cannot be read: {fault}")
    if not json:
        out.print(
            f"{pairs} pairs of views: {pairs - late - unknown} within one frame, {late} apart, "
            f"{unknown} unknown"
        )
    if pairs == unknown:
        n_videos = sum(view.path is not None for sequence in chosen for view in sequence.views)
        why = "no sequence has two videos here" if not pairs else "no sound to compare by"
        err.print(f"nothing compared: {why} ({len(chosen)} sequences, {n_videos} videos)")
    if late or broken or pairs == unknown:
        raise typer.Exit(1)


def _said(offset: ViewOffset) -> str:
    said = (
        f"unknown ({offset.reason})"
        if offset.sound_s is None
        else f"{offset.sound_s:+.3f} s (confidence {offset.confidence:.2f})"
    )
    return f"v{offset.view:03d} against v{offset.reference:03d}: {said}"


def report(
    catalog: CatalogPath,
    page: Annotated[Path, typer.Argument(metavar="OUT", help="The HTML file to write.")],
    sequence: Shown = None,
    root: Root = None,
) -> None:
    """Write one self-contained page: what is in the dataset, its problems, a sequence.

    What cannot be shown is named. Exit code 1: the sequence has videos and none can be shown.
    """
    from homage_sdk.report.dataset_page import dataset_sections

    dataset = open_dataset(catalog, root=root)
    sections = dataset_sections(dataset, dataset[sequence] if sequence else None)
    write_page(page, "Home Action Genome", str(catalog), sections)


def view(
    catalog: CatalogPath,
    sequence: Annotated[str, typer.Argument(help="The id of a sequence.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The HTML file to write; default: SEQUENCE.html."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="An evaluated run: what its modalities say, beside the truth."),
    ] = None,
    root: Root = None,
) -> None:
    """Write one self-contained page in which a sequence plays: all views, labels, sensors.

    What cannot be shown is named. Exit code 1: it has videos or sound, and none can be shown.
    """
    from homage_sdk.explore.page import view_page
    from homage_sdk.explore.run_tracks import run_tracks
    from homage_sdk.storage import write_file

    dataset = open_dataset(catalog, root=root)
    chosen = dataset[sequence]
    runs = () if run is None else run_tracks(run, dataset, chosen)
    with progress("encoding views") as told:
        made = view_page(dataset, chosen, runs, progress=told)
    page = output or Path(f"{chosen.id}.html")
    write_file(page, made.html)
    _say_page(page, made.missing, shows_media=made.shows_media)


def write_page(page: Path, title: str, about: str, sections: Sequence[Section]) -> None:
    """Write a page and say where it is, and what is missing on it; exit code 1 as ``report``."""
    from homage_sdk.report.html import render_page
    from homage_sdk.storage import write_file

    write_file(page, render_page(title, about, sections))
    missing = [line for section in sections for line in section.missing]
    _say_page(page, missing, shows_media=all(section.shows_media for section in sections))


def _say_page(page: Path, missing: Iterable[str], *, shows_media: bool) -> None:
    out.print(f"page: {page}")
    for line in missing:
        err.print(f"missing on it: {line}")
    if not shows_media:
        err.print("no picture and no sound could be shown: see the reasons above")
        raise typer.Exit(1)
