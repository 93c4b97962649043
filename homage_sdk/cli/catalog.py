"""Commands of the catalog stage: ingest, info, migrate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homage_sdk.cli.console import Stopped, err, out, progress, tell_card
from homage_sdk.cli.options import CatalogPath
from homage_sdk.cli.print_rows import print_counts
from homage_sdk.folders import MANIFEST_FILE

if TYPE_CHECKING:
    from homage_sdk.catalog.info import CatalogInfo
    from homage_sdk.problems import Problem

_SHOWN_CODES = 12
_SHOWN_PROBLEMS = 5


def ingest(
    release: Annotated[Path, typer.Argument(help="Folder of the download, or one above it.")],
    catalog: Annotated[Path, typer.Argument(help="Folder to make.")],
    *,
    scene_graph_map: Annotated[
        Path | None,
        typer.Option(help="TOML file that says how scene-graph files are shaped."),
    ] = None,
    media: Annotated[
        bool, typer.Option("--media/--no-media", help="Count the packets of every video.")
    ] = True,
    hash_media: Annotated[bool, typer.Option(help="Also note each video's SHA-256.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Videos probed at a time.")] = None,
    strict: Annotated[
        bool, typer.Option(help="Stop at the first error in the data; write nothing.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Read again even if nothing was touched.")] = False,
    renumber: Annotated[
        bool, typer.Option(help="Number the classes anew, not as the catalog that is there.")
    ] = False,
) -> None:
    """Read a release, validate it and write the Parquet catalog.

    Exit code 0: done, perhaps with warnings. 1: done, and the release has errors, which are listed.
    2: could not run.
    """
    from homage_sdk.catalog.info import stamp
    from homage_sdk.folders import PROBES_FILE

    before = stamp(catalog)
    try:
        from homage_sdk.ingest import ingest as run_ingest

        with progress("reading") as told:
            summary = run_ingest(
                release,
                catalog,
                scene_graph_map=scene_graph_map,
                media=media,
                hash_media=hash_media,
                workers=workers,
                progress=told,
                force=force,
                strict=strict,
                renumber=renumber,
            )
    except KeyboardInterrupt:
        if stamp(catalog) != before:
            raise Stopped("Interrupted. The new catalog is written.") from None
        learnt = "; videos that were read are not read again" * (catalog / PROBES_FILE).exists()
        raise Stopped(f"Interrupted. The catalog is as before{learnt}.") from None
    if summary.unchanged:
        out.print(f"{catalog} is up to date: the release was not touched since")
    else:
        out.print(f"wrote {catalog}")
    _show(summary.info)
    tell_card(catalog, summary.card)
    errors = [problem for problem in summary.problems if problem.severity == "error"]
    _first(summary.class_changes, "classes that differ from the older catalog")
    _first(errors, f"errors: `homage validate {catalog}` lists them")
    if summary.errors:
        raise typer.Exit(1)


def info(
    path: Annotated[Path, typer.Argument(help="A release, a catalog, shards or a run.")],
    *,
    catalog: Annotated[
        Path | None,
        typer.Option(help="Hold shards against this catalog; default: those beside them."),
    ] = None,
) -> None:
    """Say what a folder is, what it holds, and of shards from which catalog they are."""
    from homage_sdk.errors import UsageError
    from homage_sdk.folders import Kind, look

    folder = look(path)
    if catalog is not None and folder.kind is not Kind.SHARDS:
        raise UsageError("--catalog is for shards", place=path, found=folder.found)
    if folder.kind is None:
        _release_info(path)
    elif not folder.is_whole:
        raise UsageError(folder.found, place=path, hint=folder.hint)
    elif folder.kind is Kind.CATALOG:
        from homage_sdk.catalog import Catalog

        about = Catalog(path).info
        out.print(f"{path}: a catalog of schema version {about.schema_version}")
        _show(about)
    elif folder.kind is Kind.SHARDS:
        _shards_info(path, catalog)
    else:
        out.print(f"{path}: {folder.found}; `ccau info {path}` says more")


def _shards_info(path: Path, catalog: Path | None) -> None:
    from datetime import datetime

    from homage_sdk.shards import ShardSet
    from homage_sdk.shards.verifying.origin import origin

    manifest = ShardSet.open(path).manifest
    written = datetime.fromtimestamp((path / MANIFEST_FILE).stat().st_mtime).astimezone()
    out.print(f"{path}: shards, written {written:%Y-%m-%d %H:%M %Z}")
    out.print(f"by      {', '.join(f'{name} {it}' for name, it in manifest.made_by.items())}")
    out.print(f"from    {origin(path, manifest, catalog)}")
    out.print(f"options {', '.join(f'{name} {it}' for name, it in manifest.options.items())}")
    counts = {"samples": len(manifest.samples), "shards": len(manifest.shards)}
    counts |= {"sequences": len({sample.sequence for sample in manifest.samples})}
    counts |= {"bytes": sum(file.bytes for file in manifest.files)}
    print_counts("holds", counts)
    out.print(f"left out {len(manifest.quarantine)} videos and sensor files")
    for fault in manifest.quarantine:
        out.print(f"  {fault}")


def _release_info(path: Path) -> None:
    from collections import Counter

    from homage_sdk.release import read_release
    from homage_sdk.release.contents import files_by_kind, sequences

    with progress("reading") as told:
        release = read_release(path, progress=told)
    out.print(f"{release.root}: a release, layout {release.layout}")
    kinds = files_by_kind(release)
    counts = {"sequences": len(sequences(release))}
    counts |= {f"files: {kind.replace('_', ' ')}": count for kind, count in sorted(kinds.items())}
    names = ("actions", "frames", "objects", "relationships")
    counts |= {name: release[name].num_rows for name in names}
    print_counts("holds", counts)
    found = Counter(problem.code for problem in release.problems)
    if found:
        print_counts("problems met while reading (`homage validate` finds more)", dict(found))


def migrate(
    catalog: CatalogPath,
) -> None:
    """Upgrade a catalog to the current schema; the release is not needed."""
    from homage_sdk.catalog.migrate import migrate as run_migrate

    before, after = run_migrate(catalog)
    if before == after:
        out.print(f"{catalog} is of schema version {after} already")
    else:
        out.print(f"{catalog}: schema version {before} became {after}")


def _show(info: CatalogInfo) -> None:

    out.print(f"source  {info.source.root} (layout {info.source.layout})")
    print_counts("holds", info.counts)
    if info.dropped:
        print_counts("left out by policy", info.dropped)
    if info.problems:
        shown = dict(sorted(info.problems.items(), key=lambda item: -item[1])[:_SHOWN_CODES])
        by = ", ".join(f"{count} {name}" for name, count in sorted(info.severities.items()))
        print_counts(f"problems ({by}); `homage explain CODE` says more", shown)


def _first(problems: Sequence[Problem], more: str) -> None:
    for problem in problems[:_SHOWN_PROBLEMS]:
        err.print(str(problem))
    if len(problems) > _SHOWN_PROBLEMS:
        err.print(f"and {len(problems) - _SHOWN_PROBLEMS} more {more}")
