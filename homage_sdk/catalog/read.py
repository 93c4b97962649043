"""Opening a catalog: cheap, lazy, and refused with its reason when it is not whole."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from homage_sdk.catalog.info import FILE_NAME, FORMAT, CatalogInfo, TableFile, seal_of
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.errors import CatalogError, UnknownIdError
from homage_sdk.storage import sha256_file

_AGAIN = "make it again with `homage ingest`"
_MAX_FOOTER_BYTES = 64 << 20


class Catalog:
    """The tables of one catalog, each read from its Parquet file when first asked for.

    Made by ``read_catalog``. Holds no open file; pickles as its path.
    """

    def __init__(self, path: Path, info: CatalogInfo) -> None:
        self.path = path
        self.info = info
        self._tables: dict[str, pa.Table] = {}

    def __repr__(self) -> str:
        return f"Catalog({str(self.path)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Catalog, (self.path, self.info))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(TABLES)

    @cached_property
    def release_root(self) -> Path:
        """Where the media were at ingest."""
        return Path(self.info.source.root)

    def parquet(self, name: str) -> Path:
        """The Parquet file of a table."""
        if name not in TABLES:
            raise UnknownIdError(
                f"no table {name!r} in a catalog", expected=f"one of {', '.join(TABLES)}"
            )
        return self.path / f"{name}.parquet"

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A whole table (kept after the first call), or some of its columns (not kept).

        Raises CatalogError when the file cannot be read or is not the table it should be.
        """
        if columns is None and name in self._tables:
            return self._tables[name]
        path = self.parquet(name)
        try:
            table = pq.read_table(path, columns=columns, memory_map=True)
        except (OSError, pa.ArrowException) as error:
            raise CatalogError(
                "table cannot be read", place=path, found=type(error).__name__, hint=_AGAIN
            ) from error
        if columns is None:
            self._tables[name] = table
        return table


def read_catalog(path: Path, *, verify: bool = False) -> Catalog:
    """Open the catalog at ``path``; nothing but ``catalog.json`` and Parquet footers is read.

    Always checked: version, seal, that each table is there with its size and footer. ``verify``
    also compares the SHA-256 of every file. Raises CatalogError with the reason.
    """
    path = Path(path)
    info = read_info(path)
    for name in TABLES:
        _check(path / f"{name}.parquet", name, info.files.get(name), verify)
    return Catalog(path, info)


def read_info(path: Path) -> CatalogInfo:
    """``catalog.json`` of a folder, checked for version and seal."""
    version, document = read_version(path)
    file = path / FILE_NAME
    if version > SCHEMA_VERSION:
        raise CatalogError(
            "this catalog was written by a newer homage_sdk",
            place=path,
            found=f"schema version {version}",
            expected=f"at most {SCHEMA_VERSION}",
            hint="update homage_sdk, or make the catalog again with this one",
        )
    if version < SCHEMA_VERSION:
        raise CatalogError(
            "this catalog was written by an older homage_sdk",
            place=path,
            found=f"schema version {version}",
            expected=str(SCHEMA_VERSION),
            hint=f"run `homage migrate {path}`",
        )
    try:
        info = CatalogInfo.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogError(
            f"catalog.json is wrong: {first['msg']}",
            place=file,
            found="/".join(map(str, first["loc"])),
            hint=_AGAIN,
        ) from error
    if info.seal != seal_of(document):
        raise CatalogError(
            "catalog.json was changed by hand",
            place=file,
            found="a seal that does not fit",
            hint=_AGAIN,
        )
    return info


def read_version(path: Path) -> tuple[int, dict[str, Any]]:
    """Schema version and raw content of ``catalog.json``, of any version."""
    file = path / FILE_NAME
    try:
        document = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise _no_catalog(path) from None
    except NotADirectoryError:
        raise CatalogError("not a folder", place=path, expected="a catalog's folder") from None
    except OSError as error:
        raise CatalogError(f"cannot be read: {error.strerror}", place=file) from error
    except (ValueError, RecursionError) as error:
        raise CatalogError("catalog.json is no JSON", place=file, hint=_AGAIN) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if type(version) is not int or document.get("format") != FORMAT:
        raise CatalogError(
            "catalog.json is not a HOMAGE catalog's",
            place=file,
            expected=f'"format": "{FORMAT}" and a schema_version',
        )
    return version, document


def _no_catalog(path: Path) -> CatalogError:
    if not path.exists():
        found, hint = "no such folder", "make one with `homage ingest RELEASE CATALOG`"
    elif any(path.glob("*.parquet")):
        found, hint = "tables without catalog.json: half-written or half-copied", _AGAIN
    elif (path / "manifest.json").exists():
        found, hint = "shards", "open them with homage_sdk.shards.ShardSet"
    else:
        found, hint = "no catalog.json", "make one with `homage ingest RELEASE CATALOG`"
    return CatalogError("not a catalog", place=path, found=found, hint=hint)


def _check(file: Path, name: str, stated: TableFile | None, verify: bool) -> None:
    if stated is None:
        raise CatalogError(f"catalog.json lacks the table {name}", place=file.parent, hint=_AGAIN)
    try:
        size = file.stat().st_size
        footer = footer_sha256(file, size)
    except FileNotFoundError:
        raise CatalogError(
            "a table is missing: half-copied", place=file, expected="a Parquet file", hint=_AGAIN
        ) from None
    except OSError as error:
        raise CatalogError(f"cannot be read: {error.strerror}", place=file) from error
    if size != stated.bytes:
        raise CatalogError(
            "a table is cut or was changed",
            place=file,
            found=f"{size} bytes",
            expected=f"{stated.bytes} bytes",
            hint=_AGAIN,
        )
    if footer != stated.footer_sha256 or (verify and sha256_file(file) != stated.sha256):
        raise CatalogError(
            "a table was changed after ingest",
            place=file,
            found="another SHA-256",
            expected=f"{stated.sha256[:12]}...",
            hint=_AGAIN,
        )


def footer_sha256(file: Path, size: int | None = None) -> str:
    """SHA-256 of a Parquet file's footer, which names every column chunk's place and statistics."""
    size = file.stat().st_size if size is None else size
    with file.open("rb", buffering=0) as handle:
        handle.seek(max(size - 8, 0))
        length = int.from_bytes(handle.read(8)[:4], "little")
        length = min(length, size, _MAX_FOOTER_BYTES)
        handle.seek(max(size - 8 - length, 0))
        return hashlib.sha256(handle.read(length + 8)).hexdigest()
