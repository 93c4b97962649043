"""The catalog: a folder of versioned Parquet tables, written whole or not at all."""

from homage_sdk.catalog.info import CatalogInfo
from homage_sdk.catalog.tables import Catalog

__all__ = ["Catalog", "CatalogInfo"]
