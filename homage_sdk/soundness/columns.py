"""Raw columns in numpy: integers with a mark for null, texts as numbers of their spellings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homage_sdk.taxonomy import class_key

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

NULL = int(np.iinfo(np.int64).min)
"""Stands for a null integer."""


def integers(column: pa.Array | pa.ChunkedArray, missing: int = NULL) -> Ints:
    """An integer column as int64 with ``missing`` for null."""
    filled = column.cast(pa.int64()).fill_null(missing) if column.null_count else column
    return np.asarray(filled.to_numpy(), dtype=np.int64)


def floats(column: pa.ChunkedArray) -> Floats:
    """A column of numbers as float64; null is NaN."""
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


@dataclass(frozen=True)
class Words:
    """A text column: of each row the position in the list of distinct spellings; -1 is null."""

    codes: Ints
    spellings: tuple[str, ...]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Words:
        """Encode a column of texts."""
        whole = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        encoded = whole.dictionary_encode()
        return cls(integers(encoded.indices, -1), tuple(encoded.dictionary.to_pylist()))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """``class_key`` of every spelling."""
        return tuple(map(class_key, self.spellings))

    @cached_property
    def key_codes(self) -> Ints:
        """Like ``codes``, but equal for all spellings of one class."""
        first = {key: i for i, key in reversed(list(enumerate(self.keys)))}
        return self.mapped({text: first[class_key(text)] for text in self.spellings})

    @cached_property
    def nameless(self) -> Bools:
        """Texts without a letter, such as ``_``: they name no class."""
        return self.among({""})

    def among(self, keys: set[str]) -> Bools:
        """Which rows are one of these classes, in any spelling."""
        return np.array([*(key in keys for key in self.keys), False])[self.codes]

    def mapped(self, values: Mapping[str, int]) -> Ints:
        """Any integer of each row's text; -1 where there is none."""
        table = [*(values.get(text, -1) for text in self.spellings), -1]
        return np.array(table, dtype=np.int64)[self.codes]

    def used(self, rows: Ints) -> list[str]:
        """The spellings that occur in some rows."""
        counts = np.bincount(self.codes[rows], minlength=len(self.spellings))
        return [text for text, count in zip(self.spellings, counts, strict=True) if count]

    def __getitem__(self, row: int) -> str:
        code = int(self.codes[row])
        return self.spellings[code] if code >= 0 else ""


def repeated(*columns: Ints) -> Bools:
    """Which rows equal an earlier one in all columns, each [N], none spanning 2**32 or more.

    >>> repeated(np.array([1, 1, 2, 1]), np.array([5, 6, 5, 5])).tolist()
    [False, False, False, True]
    """
    again = np.zeros(len(columns[0]), dtype=np.bool_)
    key, size = np.zeros(len(again), dtype=np.int64), 1
    for column in columns if len(again) else ():
        low = column.min()
        span = int(column.max() - low) + 1
        if size * span >= 2**63:
            key = np.unique(key, return_inverse=True)[1]
            size = int(key.max()) + 1
        key, size = key * span + (column - low), size * span
    order = np.argsort(key, kind="stable")
    again[order[1:]] = key[order[1:]] == key[order[:-1]]
    return again
