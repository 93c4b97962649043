"""Columns that rules compute on: integers without nulls, words as positions in a list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from homage_sdk.taxonomy import class_key

MISSING = int(np.iinfo(np.int64).min)
"""Stands for a null integer."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Table = Any
"""A pandas DataFrame: its published types make every cell one of twenty things."""


def where(mask: Any) -> list[int]:
    """The positions at which a mask holds."""
    positions: list[int] = np.flatnonzero(mask).tolist()
    return positions


@dataclass(frozen=True)
class Words:
    """A column of texts: positions in the list of its distinct spellings; -1 is null."""

    codes: Ints
    spellings: tuple[str, ...]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """``class_key`` of every spelling."""
        return tuple(class_key(text) for text in self.spellings)

    @cached_property
    def key_codes(self) -> Ints:
        """Like ``codes``, but equal for all spellings of one class."""
        first = {key: i for i, key in reversed(list(enumerate(self.keys)))}
        lookup = np.array([*(first[key] for key in self.keys), -1], dtype=np.int64)
        return np.asarray(lookup[self.codes])

    def among(self, keys: set[str]) -> Bools:
        """Which rows are one of these classes, in any spelling."""
        wanted = [i for i, key in enumerate(self.keys) if key in keys]
        return np.asarray(np.isin(self.codes, wanted))

    def __getitem__(self, row: int) -> str:
        code = int(self.codes[row])
        return self.spellings[code] if code >= 0 else ""


def integers(column: pa.Array | pa.ChunkedArray, missing: int = MISSING) -> Ints:
    """As numpy, with ``missing`` for null."""
    filled = pc.fill_null(column.cast(pa.int64()), missing)
    return np.asarray(filled.to_numpy(), dtype=np.int64)
