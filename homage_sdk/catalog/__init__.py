"""The catalog: a folder of versioned Parquet tables, written whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homage_sdk.catalog.info import CatalogInfo
from homage_sdk.catalog.read import Catalog, read_catalog

if TYPE_CHECKING:
    from homage_sdk.catalog.ingestion import IngestSummary, ingest

__all__ = ["Catalog", "CatalogInfo", "IngestSummary", "ingest", "read_catalog"]


def __getattr__(name: str) -> Any:
    """``ingest`` brings readers and rules with it: loaded when asked for."""
    if name in ("ingest", "IngestSummary"):
        from homage_sdk.catalog import ingestion

        return getattr(ingestion, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
