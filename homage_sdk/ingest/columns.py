"""Columns of the catalog: encoded texts, integers with a mark for null, repeated rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homage_sdk.catalog.schema import TABLES
from homage_sdk.taxonomy import Taxonomy

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NULL = int(np.iinfo(np.int64).min)
"""Stands for a null integer."""

_DENSE_CELLS = 1 << 26


@dataclass(frozen=True)
class Words:
    """A text column as codes into its distinct spellings; -1 is null."""

    codes: Ints
    spellings: tuple[str, ...]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Words:
        """Encode a column of strings."""
        encoded = one_array(column).dictionary_encode()
        return cls(integers(encoded.indices, -1), tuple(encoded.dictionary.to_pylist()))

    def used(self, rows: Ints) -> list[str]:
        """The spellings that occur in some rows."""
        counts = np.bincount(self.codes[rows], minlength=len(self.spellings))
        return [text for text, count in zip(self.spellings, counts, strict=True) if count]

    def class_ids(self, taxonomy: Taxonomy) -> Ints:
        """Class id of each row; -1 where the taxonomy has none."""
        found = [taxonomy.get_name(text) for text in self.spellings]
        return np.array([*(c.id if c else -1 for c in found), -1], dtype=np.int64)[self.codes]

    def mapped(self, values: Mapping[str, int]) -> Ints:
        """Any integer of each row's text; -1 where there is none."""
        table = [*(values.get(text, -1) for text in self.spellings), -1]
        return np.array(table, dtype=np.int64)[self.codes]


def integers(column: pa.Array | pa.ChunkedArray, missing: int = NULL) -> Ints:
    """An integer column as int64 with ``missing`` for null."""
    if column.null_count:
        column = (
            column.fill_null(missing)
            if pa.types.is_int64(column.type)
            else column.cast(pa.int64()).fill_null(missing)
        )
    return np.asarray(column.to_numpy(), dtype=np.int64)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def in_order(rows: Ints, graph: Ints) -> Ints:
    """Rows by their scene graph's new id, otherwise as they were."""
    owner = graph[rows]
    if len(owner) == 0 or bool((owner[1:] >= owner[:-1]).all()):
        return rows
    return rows[np.argsort(owner, kind="stable")]


class Present:
    """Which (scene graph, object id) pairs exist."""

    def __init__(self, graph: Ints, ids: Ints) -> None:
        self._low = int(ids.min()) if len(ids) else 0
        self._span = int(ids.max()) - self._low + 1 if len(ids) else 1
        self._graphs = int(graph.max()) + 1 if len(graph) else 0
        key = graph * self._span + (ids - self._low)
        cells = self._graphs * self._span
        self._dense: Bools | None = None
        if cells <= _DENSE_CELLS:
            self._dense = np.zeros(cells + 1, dtype=np.bool_)
            self._dense[key] = True
        else:
            self._sorted = np.sort(key)

    def has(self, graph: Ints, ids: Ints) -> Bools:
        """Row by row."""
        inside = (ids >= self._low) & (ids < self._low + self._span) & (graph < self._graphs)
        key = np.where(inside, graph * self._span + (ids - self._low), -1)
        if self._dense is not None:
            return np.asarray(self._dense[key])  # the last cell is never set
        place = np.minimum(np.searchsorted(self._sorted, key), len(self._sorted) - 1)
        return np.asarray(inside & (self._sorted[place] == key))


def columns_table(name: str, *columns: pa.Array | NDArray[np.generic]) -> pa.Table:
    """A table of the catalog from its columns, numpy or Arrow."""
    schema = TABLES[name]
    arrays = [
        pa.array(column.astype(kind.type.to_pandas_dtype(), copy=False), kind.type)
        if isinstance(column, np.ndarray)
        else column
        for column, kind in zip(columns, schema, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def rows_table(name: str, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    """A small table of the catalog from its rows."""
    schema = TABLES[name]
    columns: list[tuple[object, ...]] = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)
