"""Integer columns: which rows were there before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads neighbours far apart


def repeated(*columns: Ints) -> Bools:
    """Which rows equal an earlier one in all columns; each column is [N].

    >>> repeated(np.array([1, 1, 2, 1]), np.array([5, 6, 5, 5])).tolist()
    [False, False, False, True]
    """
    again = np.zeros(len(columns[0]), dtype=np.bool_)
    key = np.zeros(len(again), dtype=np.uint64)
    for column in columns:
        key ^= key >> np.uint64(29)
        key *= _ODD
        key += column.astype(np.int64, copy=False).view(np.uint64)
    key *= _ODD
    ordered = np.sort(key)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(twice) == 0:
        return again
    # Equal keys may be chance: only equal columns count.
    place = np.minimum(np.searchsorted(twice, key), len(twice) - 1)
    rows = np.flatnonzero(twice[place] == key)
    suspects = [column[rows] for column in columns]
    order = np.lexsort(suspects[::-1])
    same = np.ones(len(rows) - 1, dtype=np.bool_)
    for column in suspects:
        same &= column[order][1:] == column[order][:-1]
    again[rows[order[1:]]] = same
    return again
