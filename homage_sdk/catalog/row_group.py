"""A decoded row group of a Parquet file, indexed by its key column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class RowGroup:
    """A decoded row group, and where the rows of each value of its key column stand in it."""

    def __init__(self, table: pa.Table, column: str) -> None:
        import numpy as np

        self._table = table
        keys = table[column].combine_chunks()
        self._code: dict[str, int] | None = None
        if str(keys.type) == "string":
            encoded = keys.dictionary_encode()
            self._code = {name: i for i, name in enumerate(encoded.dictionary.to_pylist())}
            keys = encoded.indices
        # By the buffer: ``to_numpy`` imports pandas, which costs more than all the rest.
        codes = np.frombuffer(keys.buffers()[1] or b"", np.int32)[keys.offset :][: len(keys)]
        changes = np.flatnonzero(codes[1:] != codes[:-1]) + 1
        starts = np.concatenate([[0], changes]) if len(codes) else changes
        order = np.argsort(codes[starts], kind="stable")
        self._key = codes[starts][order]
        self._start = starts[order]
        self._end = np.append(starts[1:], len(codes))[order]

    def rows(self, values: list[Any]) -> list[pa.Table]:
        """The rows of these values, as slices in the order of the table."""
        codes = values if self._code is None else [self._code.get(v, -1) for v in values]
        runs = []
        lows = self._key.searchsorted(codes, "left").tolist()
        highs = self._key.searchsorted(codes, "right").tolist()
        for low, high in zip(lows, highs, strict=True):
            runs += [(int(self._start[at]), int(self._end[at])) for at in range(low, high)]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(runs):
            if merged and merged[-1][1] == start:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        return [self._table.slice(start, end - start) for start, end in merged]
