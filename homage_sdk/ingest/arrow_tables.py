"""Arrow tables of the catalog's schemas, from columns or from rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homage_sdk.catalog.schema import TABLES


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
