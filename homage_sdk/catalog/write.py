"""Tables to a catalog folder: written whole or not at all, the same bytes for the same input."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from homage_sdk.catalog.catalog_card import catalog_card
from homage_sdk.catalog.info import (
    CatalogInfo,
    Options,
    Source,
    TableFile,
    read_version,
)
from homage_sdk.catalog.parquet_table import describe
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.errors import CatalogError, StorageError
from homage_sdk.folders import CATALOG_FILE, PROBES_FILE, look
from homage_sdk.storage import explained, write_file
from homage_sdk.storage.commit import OUR_NAMES, current, real, refuse_in_the_way, replacing
from homage_sdk.storage.dataset_card import CARD, CardState, read_card, stays
from homage_sdk.taxonomy import KINDS

_ROWS_A_GROUP = 1 << 14
"""Small, so that the labels of one sequence cost two milliseconds to read, not ten."""

_CLIMBING = {"pts": ("position", "pts")}
"""Columns, by table, whose values go up step by step: stored as steps they take a tenth."""

_TABLE = re.compile(r"[a-z][a-z0-9_]*")


def write_catalog(
    target: Path,
    tables: Mapping[str, pa.Table],
    *,
    source: Source,
    options: Options,
    versions: Mapping[str, str],
    dropped: Mapping[str, int],
    check: Callable[[Path], None] = lambda target: None,
) -> CatalogInfo:
    """Write every table and ``catalog.json``; those of an older catalog are replaced at once.

    With them goes ``README.md``, unless the one there is not ours. Nothing else in ``target`` is
    touched. ``check`` may refuse what stands there, under
    the lock. Raises StorageError when ``target`` is something other than a catalog, when
    another process writes it, or when the disk refuses.
    """

    def refuse(folder: Path) -> None:
        check_target(folder)
        check(folder)

    with replacing(target, _owned, refuse, first=CATALOG_FILE) as folder:
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
        if not stays(real(target)):
            write_file(folder / CARD, catalog_card(info.counts))
        write_file(folder / CATALOG_FILE, info.to_json())
    return info


def check_target(target: Path) -> None:
    """Refuse to write a catalog beside files of something else, or over a file that is not ours."""
    target = real(target)
    if not os.path.lexists(target):
        return
    ours = (*OUR_NAMES, PROBES_FILE, *_owned_card(target))
    is_free = target.is_dir() and all(path.name in ours for path in target.iterdir())
    if not _owned_tables(target) and not is_free:
        raise StorageError(
            "this is no catalog, and will not be replaced by one",
            place=target,
            found=look(target).found,
            expected="a new path, or a catalog to replace",
            hint="choose another path for the catalog",
        )
    refuse_in_the_way(target, _names(TABLES), _owned(target))


def check_apart(release: Path, target: Path) -> None:
    """Refuse a catalog in the release that it is made of, and a release inside the catalog."""
    source, target = real(release), real(target)
    if target == source or target in source.parents or source in target.parents:
        raise StorageError(
            "the catalog and the release lie in one another",
            place=target,
            found=f"the release is {source}",
            expected="two folders side by side",
            hint="choose another path for the catalog",
        )


def _owned(folder: Path) -> tuple[str, ...]:
    """The files of the catalog in ``folder``, and the card where it is ours."""
    return (*_owned_tables(folder), *_owned_card(folder))


def _owned_card(folder: Path) -> tuple[str, ...]:
    return (CARD,) if read_card(folder)[0] is CardState.OURS else ()


def _owned_tables(folder: Path) -> tuple[str, ...]:
    """``catalog.json`` and its tables; nothing where there is no catalog."""
    if not current(folder, CATALOG_FILE).is_file():
        return ()
    try:
        _, document = read_version(folder)
    except CatalogError:
        # Damaged, or not ours: where all the tables lie beside it, it is a catalog's.
        whole = all(current(folder, name).is_file() for name in _names(TABLES))
        return _names(TABLES) if whole else ()
    files = document.get("files")
    return _names(name for name in files if _TABLE.fullmatch(name)) if files else _names(())


def _names(tables: Iterable[str]) -> tuple[str, ...]:
    return (*(f"{name}.parquet" for name in tables), CATALOG_FILE)


def _write_table(file: Path, table: pa.Table) -> TableFile:
    climbing = _CLIMBING.get(file.stem, ())
    with explained(file):
        pq.write_table(
            table,
            file,
            compression="zstd",
            row_group_size=_ROWS_A_GROUP,
            write_statistics=True,
            use_dictionary=[name for name in table.column_names if name not in climbing],
            column_encoding=dict.fromkeys(climbing, "DELTA_BINARY_PACKED"),
        )
    return describe(file)


def _counts(tables: Mapping[str, pa.Table]) -> dict[str, int]:
    kinds = Counter(tables["classes"]["kind"].to_pylist())
    return {name: tables[name].num_rows for name in TABLES} | {
        f"classes_{kind}": kinds[kind] for kind in KINDS
    }
