"""Catalogs and shards of a synthetic release, for the tools that need some."""

from __future__ import annotations

from pathlib import Path

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, pack
from homage_sdk.synth import write_release


def catalog(
    folder: Path,
    *,
    sequences: int = 8,
    activities: int = 8,
    size: tuple[int, int] = (128, 96),
    seconds: tuple[float, float] = (5.0, 7.0),
    clean: bool = False,
) -> Path:
    """The catalog of a release made below ``folder``; a small one if nothing else is said."""
    write_release(
        folder / "release",
        sequences=sequences,
        activities=activities,
        size=size,
        seconds=seconds,
        clean=clean,
    )
    ingest(folder / "release", folder / "catalog")
    return folder / "catalog"


def shards(folder: Path, catalog: Path, options: PackOptions | None = None) -> Path:
    """The shards of a catalog, made below ``folder`` with two processes."""
    pack(Dataset(catalog), folder / "shards", options, workers=2)
    return folder / "shards"
