"""Commands of the catalog stage: ingest, info, migrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homage_sdk.cli.arguments import DOWNLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homage_sdk.catalog.info import CatalogInfo
    from homage_sdk.ingest.ingestion import IngestSummary

_SHOWN_CODES = 12


def register(app: typer.Typer) -> None:
    """Add this stage's commands to ``app``."""
    app.command("ingest", rich_help_panel=DOWNLOAD)(_ingest)
    app.command("info", rich_help_panel=DOWNLOAD)(_info)
    app.command("migrate", rich_help_panel=DOWNLOAD)(_migrate)


def _ingest(
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
) -> None:
    """Read a release, validate it and write the Parquet catalog.

    Exit code 0: done, perhaps with warnings. 1: done, and the release has errors, which are listed.
    2: could not run.
    """
    from homage_sdk.catalog.info import stamp
    from homage_sdk.cli.console import Stopped, out, progress

    before = stamp(catalog)
    try:
        from homage_sdk.ingest import ingest

        with progress("reading") as told:
            summary = ingest(
                release,
                catalog,
                scene_graph_map=scene_graph_map,
                media=media,
                hash_media=hash_media,
                workers=workers,
                progress=told,
                force=force,
                strict=strict,
            )
    except KeyboardInterrupt:
        if stamp(catalog) == before:
            raise Stopped("stopped; nothing was written, the catalog is as before") from None
        raise Stopped("stopped; the new catalog is written") from None
    if summary.unchanged:
        out.print(f"{catalog} is up to date: the release was not touched since", markup=False)
    else:
        out.print(f"wrote {catalog}", markup=False)
    _show(summary.info)
    if summary.problems:
        _first_problems(summary)
    if summary.errors:
        raise typer.Exit(1)


def _info(
    path: Annotated[Path, typer.Argument(help="A release, a catalog, shards or a run.")],
) -> None:
    """Say what a folder is and what it holds."""
    from homage_sdk.cli.console import out
    from homage_sdk.errors import UsageError
    from homage_sdk.folders import Kind, look

    folder = look(path)
    if folder.kind is None:
        _release_info(path)
    elif not folder.is_whole:
        raise UsageError(folder.found, place=path, hint=folder.hint)
    elif folder.kind is Kind.CATALOG:
        from homage_sdk.catalog import Catalog

        info = Catalog(path).info
        out.print(f"{path}: a catalog of schema version {info.schema_version}", markup=False)
        _show(info)
    elif folder.kind is Kind.SHARDS:
        from homage_sdk.shards import ShardSet

        manifest = ShardSet.open(path).manifest
        out.print(f"{path}: shards", markup=False)
        _table("holds", {"samples": len(manifest.samples), "shards": len(manifest.shards)})
    else:
        out.print(f"{path}: {folder.found}; {folder.hint_for()}", markup=False)


def _release_info(path: Path) -> None:
    from collections import Counter

    from homage_sdk.cli.console import out, progress
    from homage_sdk.release import read_release
    from homage_sdk.release.contents import files_by_kind, sequences

    with progress("reading") as told:
        release = read_release(path, progress=told)
    out.print(f"{release.root}: a release, layout {release.layout}", markup=False)
    kinds = files_by_kind(release)
    counts = {"sequences": len(sequences(release))}
    counts |= {f"files: {kind.replace('_', ' ')}": count for kind, count in sorted(kinds.items())}
    names = ("actions", "frames", "objects", "relationships")
    counts |= {name: release[name].num_rows for name in names}
    _table("holds", counts)
    found = Counter(problem.code for problem in release.problems)
    if found:
        _table("problems met while reading (`homage validate` finds more)", dict(found))


def _migrate(
    catalog: Annotated[Path, typer.Argument(help="Folder of the catalog.")],
) -> None:
    """Bring a catalog of an older homage_sdk to this one's schema, without the release."""
    from homage_sdk.catalog.migrate import migrate
    from homage_sdk.cli.console import out

    before, after = migrate(catalog)
    if before == after:
        out.print(f"{catalog} is of schema version {after} already", markup=False)
    else:
        out.print(f"{catalog}: schema version {before} became {after}", markup=False)


def _show(info: CatalogInfo) -> None:
    from homage_sdk.cli.console import out

    out.print(f"source  {info.source.root} (layout {info.source.layout})", markup=False)
    _table("holds", info.counts)
    if info.dropped:
        _table("left out by policy", info.dropped)
    if info.problems:
        shown = dict(sorted(info.problems.items(), key=lambda item: -item[1])[:_SHOWN_CODES])
        by = ", ".join(f"{count} {name}" for name, count in sorted(info.severities.items()))
        _table(f"problems ({by}); `homage explain CODE` says more", shown)


def _table(title: str, counts: Mapping[str, int]) -> None:
    from homage_sdk.cli.console import out

    out.print(title, markup=False)
    width = max(map(len, counts), default=0)
    for name, count in counts.items():
        out.print(f"  {name:<{width}}  {count:>10,}", markup=False)


def _first_problems(summary: IngestSummary) -> None:
    from homage_sdk.cli.console import err
    from homage_sdk.problems import Severity

    errors = [p for p in summary.problems if p.severity is Severity.ERROR]
    for problem in errors[:5]:
        err.print(str(problem), markup=False)
    if len(errors) > 5:
        err.print(f"and {len(errors) - 5} more errors: `homage validate` lists them", markup=False)
