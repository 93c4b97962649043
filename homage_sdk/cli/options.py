"""Options that several commands share, and the dataset that they choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homage_sdk.version import __version__

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset

CatalogPath = Annotated[Path, typer.Argument(help="A catalog that `homage ingest` made.")]
ShardsPath = Annotated[Path, typer.Argument(help="A folder that `homage pack` wrote.")]
Split = Annotated[str | None, typer.Option(help="Only this split: train, val, test.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")]
Shown = Annotated[
    str | None,
    typer.Option("--sequence", help="Which sequence to show; the fullest by default."),
]
Root = Annotated[
    Path | None,
    typer.Option(help="Where the videos lie now, if not where they were ingested."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"homage_sdk {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
]


def open_dataset(catalog: Path, *, split: str | None = None, root: Path | None = None) -> Dataset:
    """The sequences of a catalog, or of one split of it."""
    from homage_sdk.dataset.dataset import Dataset

    dataset = Dataset(catalog, root=root)
    return dataset if split is None else dataset.split(split)
