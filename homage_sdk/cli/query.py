"""Commands of the query stage: show, query, find, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homage_sdk.cli.console import err, fail, out, progress
from homage_sdk.cli.options import CatalogPath, Root, Split, open_dataset
from homage_sdk.cli.print_rows import RowFormat, print_counts, print_rows
from homage_sdk.cli.sheet import sheet

if TYPE_CHECKING:
    from homage_sdk.errors import MediaError
    from homage_sdk.query.patterns import Action

Form = Annotated[RowFormat, typer.Option("--format", help="How the rows are printed.")]
Limit = Annotated[int, typer.Option(min=0, help="Rows of a table on the terminal; 0: all.")]


def show(
    catalog: CatalogPath,
    sequence: Annotated[str | None, typer.Argument(help="Such as p0002_r001_a007.")] = None,
    *,
    root: Root = None,
    width: Annotated[int | None, typer.Option(min=40, help="Characters a line.")] = None,
) -> None:
    """Show one sequence: views, activity, atomic actions as a timeline, scene graphs.

    Without a sequence: the ids there are, one a line.
    """
    dataset = open_dataset(catalog, root=root)
    if sequence is None:
        for each in dataset.ids:
            out.print(each)
        return
    for line in sheet(dataset[sequence], width or min(out.width, 120)):
        out.print(line)


def query(
    catalog: CatalogPath,
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    *,
    split: Split = None,
    form: Form = "table",
    limit: Limit = 50,
) -> None:
    """Ask the tables of a catalog in SQL; queries only read.

    Tables: sequences, views, atomic_actions, frames, objects, relationships, sensors, classes,
    problems, pts, with names of classes beside their ids; triples (relationships with subject,
    object, frame and names) and edges (the same by class id).
    """
    print_rows(open_dataset(catalog, split=split).sql(sql), form, limit or None)


def find(
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
    form: Form = "table",
    limit: Limit = 50,
    explain: Annotated[bool, typer.Option(help="Show the SQL instead of running it.")] = False,
) -> None:
    """Find atomic actions by name, by the actions around them and by what frames show.

    homage find CATALOG 'pour*' --before 'drink*' --within 2 --showing person,holding,cup
    """
    pattern = _pattern(action, before, after, within)
    if overlapping is not None:
        pattern = pattern.overlapping(overlapping)
    if inside is not None:
        pattern = pattern.inside(inside)
    for triple in showing or ():
        pattern = pattern.showing(*_words(triple))
    found = open_dataset(catalog, split=split).find(pattern)
    if explain:
        out.print(found.explain())
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


def export(
    catalog: CatalogPath,
    out_path: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to make.")],
    *,
    to: Annotated[str, typer.Option(help="coco (a file), action-genome or csv (a folder).")],
    split: Split = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Also cut the annotated frames from the videos into this folder."),
    ] = None,
    unsure: Annotated[
        bool, typer.Option("--unsure", help="Action Genome: label objects without attention so.")
    ] = False,
    root: Root = None,
) -> None:
    """Write labels in another tool's format, with the pictures they belong to if wanted.

    What has no place in the format is counted as left out, and what its readers are known to skip
    or take otherwise under beware. Exit code 1: there is nothing to export, or some pictures could
    not be cut; their number and the reason are printed.
    """
    from homage_sdk.export import NothingToExportError, export_pictures
    from homage_sdk.export import export as write_export
    from homage_sdk.export.write import check_target

    dataset = open_dataset(catalog, split=split, root=root)
    if pictures is not None:
        check_target("pictures", pictures)
    try:
        counts = write_export(dataset, to, out_path, unsure=unsure)
    except NothingToExportError as error:
        fail(error)
        raise typer.Exit(1) from None
    print_counts(f"wrote {out_path}", counts)
    if pictures is None:
        return
    missing: list[MediaError] = []
    with progress("pictures") as told:
        counts = export_pictures(dataset, to, pictures, told, missing.append)
    print_counts(f"wrote {pictures}", counts)
    for first in missing:
        err.print(f"such as {first}")
    if len(counts) > 1:
        raise typer.Exit(1)
