"""Bringing a catalog of an older schema to this one, without the release it came from.

Each step takes the tables and the ``catalog.json`` of one version to the next. ``STEPS`` holds the
step *from* each older version; a release of the SDK that changes the schema adds one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from homage_sdk.catalog.info import AGAIN, Options, Source, read_version
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.catalog.tables import Catalog
from homage_sdk.catalog.write import write_catalog
from homage_sdk.errors import CatalogError
from homage_sdk.storage.commit import reading
from homage_sdk.storage.system_errors import advice, require_enough


@dataclass(frozen=True)
class Old:
    """A catalog of some version: tables by name, and the content of ``catalog.json``."""

    tables: Mapping[str, pa.Table]
    document: Mapping[str, Any]


Step = Callable[[Old], Old]


def _one_word_each(old: Old) -> Old:
    """To version 2: a class has a ``name``, and ``frame`` is an annotation frame everywhere."""
    tables = dict(old.tables)
    for table, before, now in (("classes", "raw", "name"), ("pts", "frame", "position")):
        if table in tables:
            columns = [now if name == before else name for name in tables[table].column_names]
            tables[table] = tables[table].rename_columns(columns)
    return Old(tables, old.document)


STEPS: dict[int, Step] = {1: _one_word_each}
"""From version N to N + 1."""


def migrate(catalog: Path, *, steps: Mapping[int, Step] | None = None) -> tuple[int, int]:
    """Rewrite ``catalog`` in this SDK's schema; (version before, version after).

    The old catalog stands until the new one is whole; other files in its folder stay. Raises
    CatalogError when the catalog is newer, damaged, or so old that no steps lead here, and when
    another one came in its place meanwhile.
    """
    catalog = Path(catalog)
    before, document = read_version(catalog)
    if before >= SCHEMA_VERSION:
        Catalog(catalog)  # refuses what is newer or damaged
        return before, before
    _write(catalog, upgraded(catalog, steps), document)
    return before, SCHEMA_VERSION


def upgraded(
    catalog: Path, steps: Mapping[int, Step] | None = None, *, only: Collection[str] | None = None
) -> Old:
    """The tables of an older catalog (or those named) in this SDK's schema; nothing is written.

    Raises CatalogError when the catalog is damaged, or so old that no steps lead here.
    """
    before, document = read_version(catalog)
    steps = STEPS if steps is None else steps
    old = Old(_tables(catalog, document, only), document)
    for version in range(before, SCHEMA_VERSION):
        if version not in steps:
            raise CatalogError(
                f"no migration from schema version {version} to {version + 1}",
                place=catalog,
                hint=AGAIN,
            )
        try:
            old = steps[version](old)
        except (KeyError, pa.ArrowException) as error:
            raise CatalogError(
                f"this is no catalog of schema version {version}",
                place=catalog,
                found=f"{type(error).__name__}: {str(error)[:120]}",
                hint=AGAIN,
            ) from error
    return old


def _tables(
    catalog: Path, document: Mapping[str, Any], only: Collection[str] | None
) -> dict[str, pa.Table]:
    """Every table that ``catalog.json`` lists (or those named), checked against its SHA-256."""
    tables = {}
    files = document.get("files")
    if not isinstance(files, dict):
        raise CatalogError("catalog.json lists no files", place=catalog / "catalog.json")
    for name, stated in files.items():
        if only is not None and name not in only:
            continue
        file = catalog / f"{name}.parquet"
        try:
            data = reading(catalog, file.name, Path.read_bytes)
            intact = hashlib.sha256(data).hexdigest() == stated["sha256"]
            tables[name] = pq.read_table(pa.BufferReader(data))
        except (OSError, KeyError, TypeError, pa.ArrowException) as error:
            require_enough(error, file)
            raise CatalogError(
                "a table cannot be read",
                place=file,
                found=str(error) or type(error).__name__,
                hint=advice(error) or AGAIN,
            ) from error
        if not intact:
            raise CatalogError("a table was changed after ingest", place=file)
    return tables


def _write(catalog: Path, old: Old, read: Mapping[str, Any]) -> None:
    """Replace the catalog whose ``catalog.json`` was ``read``, and no other."""

    def check(folder: Path) -> None:
        if read_version(folder)[1] != read:
            raise CatalogError(
                "another catalog came here meanwhile; it stands",
                place=catalog,
                hint="run the same command again",
            )

    document = old.document
    try:
        tables = {
            name: old.tables[name].select(schema.names).cast(schema)
            for name, schema in TABLES.items()
        }
        source = Source.model_validate(document["source"])
        options = Options.model_validate(document["options"])
        versions, dropped = dict(document["versions"]), dict(document["dropped"])
    except (KeyError, ValueError, ValidationError, pa.ArrowException) as error:
        raise CatalogError(
            "the steps did not lead to this schema",
            place=catalog,
            found=f"{type(error).__name__}: {str(error)[:120]}",
            hint=AGAIN,
        ) from error
    write_catalog(
        catalog,
        tables,
        source=source,
        options=options,
        versions=versions,
        dropped=dropped,
        check=check,
    )
