"""One Parquet file of a catalog: whole, or the rows of some keys, by the row groups with them."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from homage_sdk.catalog.info import AGAIN, TableFile
from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import CatalogError
from homage_sdk.storage import sha256_file
from homage_sdk.storage.commit import reading
from homage_sdk.storage.system_errors import advice, require_enough

_MAX_FOOTER_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_CACHED_ROW_GROUPS = 64
"""Kept decoded, about 0.4 MB each: all boxes of HOMAGE are 31, all relationships 36."""

_READING = Lock()
"""Held while rows are read. A fork waits for it, so that no child finds it held for ever."""

os.register_at_fork(
    before=_READING.acquire, after_in_parent=_READING.release, after_in_child=_READING.release
)


class _RowGroup(NamedTuple):
    rows: pa.Table
    codes: npt.NDArray[np.int32]
    """Of the key column, a row each."""
    code_of: dict[str, int]
    """Of its words; empty where the key is a number itself."""


class ParquetTable:
    """A table of a catalog, open. Raises CatalogError when it is not the file that ingest wrote."""

    def __init__(self, folder: Path, name: str, stated: TableFile | None) -> None:
        self._path, self._schema = folder / f"{name}.parquet", TABLES[name]
        source = open_checked(self._path, stated)
        with _explained(self._path):
            self._file = pq.ParquetFile(source)
        missing = set(self._schema.names).difference(self._file.schema_arrow.names)
        if missing:
            raise CatalogError(f"column {min(missing)!r} is missing", place=self._path, hint=AGAIN)
        self._bounds: dict[str, list[tuple[Any, Any] | None]] = {}
        self._groups: OrderedDict[int, _RowGroup] = OrderedDict()

    def whole(self) -> pa.Table:
        """All rows."""
        with _READING, _explained(self._path):
            return self._file.read(columns=self._schema.names, use_threads=False)

    def rows(self, key: str, values: list[Any]) -> pa.Table:
        """The rows whose column ``key`` is one of ``values`` (ascending), in the file's order.

        A table is always asked by the same ``key``.
        """
        parts = []
        numbers = None if values and isinstance(values[0], str) else np.array(values, np.int32)
        for group in self._admitting(key, values):
            rows, codes, code_of = self._group(group, key)
            if numbers is None:
                wanted = np.array(sorted(code_of[v] for v in values if v in code_of), np.int32)
            else:
                wanted = numbers
            hits = _among(codes, wanted) if len(wanted) else wanted
            if not len(hits):
                continue
            first, count = int(hits[0]), len(hits)
            together = int(hits[-1]) - first + 1 == count
            parts.append(rows.slice(first, count) if together else rows.take(pa.array(hits)))
        return pa.concat_tables(parts) if parts else self._schema.empty_table()

    def _admitting(self, key: str, values: list[Any]) -> list[int]:
        """The row groups that may hold one of ``values``, by their statistics."""
        if key not in self._bounds:
            meta = self._file.metadata
            column = self._file.schema_arrow.names.index(key)
            groups = (meta.row_group(i).column(column) for i in range(meta.num_row_groups))
            self._bounds[key] = [
                (s.min, s.max) if (s := g.statistics) is not None and s.has_min_max else None
                for g in groups
            ]
        return [
            group
            for group, bound in enumerate(self._bounds[key])
            if values and (bound is None or (bound[0] <= values[-1] and values[0] <= bound[1]))
        ]

    def _group(self, group: int, key: str) -> _RowGroup:
        with _READING:
            if group in self._groups:
                self._groups.move_to_end(group)
                return self._groups[group]
            with _explained(self._path):
                rows = self._file.read_row_group(
                    group, columns=self._schema.names, use_threads=False
                )
            keys, code_of = rows[key].combine_chunks(), {}
            if pa.types.is_string(keys.type):
                encoded = keys.dictionary_encode()
                keys = encoded.indices
                code_of = {word: i for i, word in enumerate(encoded.dictionary.to_pylist())}
            # By the buffer: ``to_numpy`` imports pandas, which costs more than all the rest.
            codes = np.frombuffer(keys.buffers()[1] or b"", np.int32)[keys.offset :][: len(keys)]
            self._groups[group] = made = _RowGroup(rows, codes, code_of)
            if len(self._groups) > _CACHED_ROW_GROUPS:
                self._groups.popitem(last=False)
        return made


def _among(codes: npt.NDArray[np.int32], wanted: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Where ``codes`` is one of ``wanted`` (ascending)."""
    hits = np.flatnonzero((codes >= wanted[0]) & (codes <= wanted[-1]))
    if len(wanted) <= wanted[-1] - wanted[0]:  # there are others between them
        hits = hits[np.isin(codes[hits], wanted)]
    return hits


def open_checked(
    path: Path, stated: TableFile | None, *, every_byte: bool = False
) -> pa.NativeFile:
    """A Parquet file open for reading; CatalogError unless size and footer are the stated ones."""
    if stated is None:
        raise CatalogError(
            f"catalog.json lacks the table {path.stem}", place=path.parent, hint=AGAIN
        )
    try:
        file = reading(path.parent, path.name, lambda it: pa.OSFile(str(it)))
    except FileNotFoundError:
        raise CatalogError(
            "a table is missing: half-copied", place=path, expected="a Parquet file", hint=AGAIN
        ) from None
    except OSError as error:
        require_enough(error, path)
        raise CatalogError(
            f"cannot be read: {error.strerror or error}", place=path, hint=advice(error)
        ) from error
    if file.size() != stated.bytes:
        raise CatalogError(
            "a table is cut or was changed",
            place=path,
            found=f"{file.size()} bytes",
            expected=f"{stated.bytes} bytes",
            hint=AGAIN,
        )
    if _footer_sha256(file) != stated.footer_sha256 or (
        every_byte and _sha256(file) != stated.sha256
    ):
        raise CatalogError(
            "a table was changed after ingest",
            place=path,
            found="another SHA-256",
            expected=f"{stated.sha256[:12]}...",
            hint=AGAIN,
        )
    return file


def describe(path: Path) -> TableFile:
    """What ``catalog.json`` says of a Parquet file."""
    with pa.OSFile(str(path)) as file:
        return TableFile(
            rows=pq.read_metadata(path).num_rows,
            bytes=file.size(),
            sha256=sha256_file(path),
            footer_sha256=_footer_sha256(file),
        )


def _sha256(file: pa.NativeFile) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _footer_sha256(file: pa.NativeFile) -> str:
    """Of the part that names every column chunk's place and statistics."""
    size = file.size()
    file.seek(max(size - 8, 0))
    length = min(int.from_bytes(file.read(8)[:4], "little"), size, _MAX_FOOTER_BYTES)
    file.seek(max(size - 8 - length, 0))
    return hashlib.sha256(file.read(length + 8)).hexdigest()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """A file that turns out damaged while it is read: one line that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        require_enough(error, path)
        raise CatalogError(
            "the table is damaged",
            place=path,
            found=str(error).splitlines()[0][:200],
            hint=AGAIN,
        ) from error
