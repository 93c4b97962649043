"""Which catalog shards were packed from, and whether it is still that one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from homage_sdk.dataset.dataset import Dataset
from homage_sdk.errors import CatalogError
from homage_sdk.folders import Kind, look
from homage_sdk.shards.format.manifest import Manifest
from homage_sdk.shards.packing.plan import fingerprint


@dataclass(frozen=True, slots=True)
class Origin:
    """A catalog, held against shards. ``str`` says how that came out."""

    shards: Path
    catalog: Path | None
    fits: bool
    n_sequences: int = 0
    """Of the catalog."""

    def __str__(self) -> str:
        if self.catalog is None:
            return "none that fits lies beside the shards; name one with --catalog"
        if self.fits:
            return f"{self.catalog} ({self.n_sequences:,} sequences): they fit each other"
        return (
            f"{self.catalog} is another one, or has changed: `homage pack {self.catalog} "
            f"{self.shards} --plan` says what would be made again"
        )


def origin(folder: Path, manifest: Manifest, catalog: Path | None = None) -> Origin:
    """Hold shards in ``folder`` against a catalog, or against those that lie beside them.

    Raises CatalogError where the given one cannot be opened.
    """
    if catalog is not None:
        return _compared(folder, manifest, catalog)
    for beside in sorted(folder.absolute().parent.iterdir()):
        if look(beside).kind is Kind.CATALOG:
            try:
                found = _compared(folder, manifest, beside)
            except CatalogError:  # half-written, or of another version: not this one
                continue
            if found.fits:
                return found
    return Origin(folder, None, fits=False)


def _compared(folder: Path, manifest: Manifest, catalog: Path) -> Origin:
    dataset = Dataset(catalog)
    sequences = {sample.sequence for sample in manifest.samples}
    fits = fingerprint(dataset, sequences) == manifest.dataset
    return Origin(folder, catalog, fits, len(dataset))
