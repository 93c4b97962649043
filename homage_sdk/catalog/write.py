"""Tables to a catalog folder: written whole or not at all, the same bytes for the same input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from homage_sdk.catalog.info import CatalogInfo, Options, Source, TableFile
from homage_sdk.catalog.parquet_table import describe
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.errors import StorageError
from homage_sdk.folders import CATALOG_FILE, look
from homage_sdk.storage import explained, new_folder, write_file
from homage_sdk.taxonomy import KINDS

_ROWS_A_GROUP = 1 << 14
"""Small, so that the labels of one sequence cost two milliseconds to read, not ten."""


def write_catalog(
    target: Path,
    tables: Mapping[str, pa.Table],
    *,
    source: Source,
    options: Options,
    versions: Mapping[str, str],
    dropped: Mapping[str, int],
) -> CatalogInfo:
    """Write every table and ``catalog.json``; what stood at ``target`` is replaced at the end.

    Raises StorageError when ``target`` is something other than a catalog, when another process
    writes it, or when the disk refuses.
    """
    check_target(target)
    with new_folder(target) as folder:
        files = {}
        for name in TABLES:
            files[name] = _write_table(folder / f"{name}.parquet", tables[name])
        info = CatalogInfo(
            schema_version=SCHEMA_VERSION,
            source=source,
            options=options,
            versions=dict(versions),
            counts=_counts(tables),
            problems=dict(sorted(Counter(tables["problems"]["code"].to_pylist()).items())),
            severities=dict(sorted(Counter(tables["problems"]["severity"].to_pylist()).items())),
            dropped=dict(sorted(dropped.items())),
            files=files,
        ).sealed()
        write_file(folder / CATALOG_FILE, info.to_json())
    return info


def check_target(target: Path) -> None:
    """Refuse to replace anything that is not a catalog, or nothing at all."""
    if not target.exists() or (target / CATALOG_FILE).is_file():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    raise StorageError(
        "this is no catalog, and will not be replaced by one",
        place=target,
        found=look(target).found,
        expected="a new path, or a catalog to replace",
        hint="choose another path for the catalog",
    )


def _write_table(file: Path, table: pa.Table) -> TableFile:
    with explained(file):
        pq.write_table(
            table, file, compression="zstd", row_group_size=_ROWS_A_GROUP, write_statistics=True
        )
    return describe(file)


def _counts(tables: Mapping[str, pa.Table]) -> dict[str, int]:
    kinds = Counter(tables["classes"]["kind"].to_pylist())
    return {name: tables[name].num_rows for name in TABLES} | {
        f"classes_{kind}": kinds[kind] for kind in KINDS
    }
