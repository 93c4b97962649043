"""An Arrow table on the terminal or into another program: table, csv, json."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


_CELL = 60
"""Characters of a cell in a table; csv and json have all of them."""


class RowFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def print_rows(table: pa.Table, form: RowFormat, limit: int | None = None) -> None:
    """Print rows to standard output; ``limit`` bounds a table on the terminal, and says so."""
    import sys

    if form is RowFormat.TABLE:
        _print_table(table, limit)
    elif form is RowFormat.JSON:
        import orjson

        for row in table.to_pylist():
            sys.stdout.write(orjson.dumps(row, default=str).decode() + "\n")
    else:
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(row.values() for row in table.to_pylist())


def _print_table(table: pa.Table, limit: int | None) -> None:
    """Columns as wide as what they hold, one line a row, the same in a terminal and a pipe."""
    from homage_sdk.cli.console import err, out

    shown = table if limit is None else table.slice(0, limit)
    columns = []
    for name, column in zip(table.column_names, shown.columns, strict=True):
        cells = [name, *map(_said, column.to_pylist())]
        width = max(map(len, cells))
        numeric = str(column.type).startswith(("int", "uint", "float", "double", "decimal"))
        columns.append([cell.rjust(width) if numeric else cell.ljust(width) for cell in cells])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    out.print(lines[0], style="bold", markup=False)
    for line in lines[1:]:
        out.print(line, markup=False)
    more = table.num_rows - shown.num_rows
    if more:
        err.print(f"{more} more of {table.num_rows} rows: --limit 0 shows all", markup=False)


def _said(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
