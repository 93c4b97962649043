"""Commands that look and ask: show, query, find, export, sync."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homage_sdk.cli.arguments import LOOK, Root
from homage_sdk.cli.print_rows import RowFormat

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.media.sync import ViewOffset
    from homage_sdk.query.patterns import Action

CatalogPath = Annotated[Path, typer.Argument(help="A catalog that `homage ingest` made.")]
Split = Annotated[str | None, typer.Option(help="Only this split.")]
Form = Annotated[RowFormat, typer.Option("--format", help="How the rows are printed.")]
Limit = Annotated[int, typer.Option(min=0, help="Rows of a table on the terminal; 0: all.")]


def register(app: typer.Typer) -> None:
    """Add this stage's commands to ``app``."""
    app.command("show", rich_help_panel=LOOK)(_show)
    app.command("query", rich_help_panel=LOOK)(_query)
    app.command("find", rich_help_panel=LOOK)(_find)
    app.command("export", rich_help_panel=LOOK)(_export)
    app.command("sync", rich_help_panel=LOOK)(_sync)


def _open(catalog: Path, split: str | None, root: Path | None = None) -> Dataset:
    from homage_sdk.dataset.dataset import Dataset

    dataset = Dataset(catalog, root=root)
    return dataset if split is None else dataset.split(split)


def _show(
    catalog: CatalogPath,
    sequence: Annotated[str | None, typer.Argument(help="Such as p0002_r001_a007.")] = None,
    *,
    root: Annotated[Path | None, typer.Option(help="Where the media lie now.")] = None,
    width: Annotated[int | None, typer.Option(min=40, help="Characters a line.")] = None,
) -> None:
    """Show one sequence: views, activity, atomic actions as a timeline, scene graphs.

    Without a sequence: the ids there are, one a line.
    """
    from homage_sdk.cli.console import out
    from homage_sdk.cli.sheet import sheet

    dataset = _open(catalog, None, root)
    if sequence is None:
        for each in dataset.ids:
            out.print(each, markup=False)
        return
    for line in sheet(dataset[sequence], width or min(out.width, 120)):
        out.print(line, markup=False)


def _query(
    catalog: CatalogPath,
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    *,
    split: Split = None,
    form: Form = RowFormat.TABLE,
    limit: Limit = 50,
) -> None:
    """Ask the tables of a catalog in SQL; queries only read.

    Tables: sequences, views, atomic_actions, frames, objects, relationships, sensors, classes,
    problems, pts; and three that are joined for you: actions (atomic actions with names), triples
    (relationships with subject, object, frame and names) and edges (the same by class id).
    """
    from homage_sdk.cli.print_rows import print_rows

    print_rows(_open(catalog, split).sql(sql), form, limit or None)


def _find(
    catalog: CatalogPath,
    action: Annotated[str, typer.Argument(help="Atomic action, such as 'pour*'.")],
    *,
    before: Annotated[str | None, typer.Option(help="It ends before such an action.")] = None,
    after: Annotated[str | None, typer.Option(help="It begins after such an action.")] = None,
    overlapping: Annotated[str | None, typer.Option(help="It shares frames with one.")] = None,
    inside: Annotated[str | None, typer.Option(help="It lies within one.")] = None,
    within: Annotated[
        float | None, typer.Option(min=0, help="Seconds between, at most (--before, --after).")
    ] = None,
    showing: Annotated[
        list[str] | None,
        typer.Option(help="An annotated frame holds 'person,holding,cup'; * for anything."),
    ] = None,
    split: Split = None,
    form: Form = RowFormat.TABLE,
    limit: Limit = 50,
    explain: Annotated[bool, typer.Option(help="Show the SQL instead of running it.")] = False,
) -> None:
    """Find atomic actions by name, by the actions around them and by what frames show.

    homage find CATALOG 'pour*' --before 'drink*' --within 2 --showing person,holding,cup
    """
    from homage_sdk.cli.console import out
    from homage_sdk.cli.print_rows import print_rows

    pattern = _pattern(action, before, after, within)
    if overlapping is not None:
        pattern = pattern.overlapping(overlapping)
    if inside is not None:
        pattern = pattern.inside(inside)
    for triple in showing or ():
        pattern = pattern.showing(*_words(triple))
    found = _open(catalog, split).find(pattern)
    if explain:
        out.print(found.explain(), markup=False)
        return
    print_rows(found.to_named(), form, limit or None)


def _pattern(action: str, before: str | None, after: str | None, within: float | None) -> Action:
    from homage_sdk.errors import UsageError
    from homage_sdk.query.patterns import Action
    from homage_sdk.time import Seconds

    if within is not None and before is None and after is None:
        raise UsageError("--within needs --before or --after")
    gap = None if within is None else Seconds(within)
    pattern = Action(action)
    if before is not None:
        pattern = pattern.before(before, gap)
    return pattern if after is None else pattern.after(after, gap)


def _words(triple: str) -> list[str]:
    from homage_sdk.errors import UsageError

    words = [word.strip() or "*" for word in triple.split(",")]
    if len(words) != 3:
        raise UsageError("--showing takes three names", found=triple, expected="person,holding,cup")
    return words


def _export(
    catalog: CatalogPath,
    out_path: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to make.")],
    *,
    to: Annotated[str, typer.Option(help="coco (a file), action-genome or csv (a folder).")],
    split: Split = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Also cut the annotated frames from the videos into this folder."),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Where the media lie now.")] = None,
) -> None:
    """Write labels in another tool's format, with the pictures they belong to if wanted.

    Exit code 1: some pictures could not be cut; their number and the reason are printed.
    """
    from homage_sdk.cli.console import out, progress
    from homage_sdk.export import export, export_pictures
    from homage_sdk.export.write import check_target

    dataset = _open(catalog, split, root)
    if pictures is not None:
        check_target("pictures", pictures)
    counts = export(dataset, to, out_path)
    out.print(f"wrote {out_path}", markup=False)
    for name, count in counts.items():
        out.print(f"  {name}: {count}", markup=False)
    if pictures is None:
        return
    with progress("pictures") as told:
        counts = export_pictures(dataset, to, pictures, told)
    out.print(f"wrote {pictures}", markup=False)
    for name, count in counts.items():
        out.print(f"  {name}: {count}", markup=False)
    if len(counts) > 1:
        raise typer.Exit(1)


def _sync(
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
