"""An Arrow table on the terminal or into another program: table, csv, json."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


_UNBROKEN = 24  # characters: ids and numbers are not broken over lines
_PIPE_WIDTH = 240


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
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from homage_sdk.cli.console import err, out

    shown = table if limit is None else table.slice(0, limit)
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name, column in zip(table.column_names, table.columns, strict=True):
        numeric = str(column.type).startswith(("int", "uint", "float", "double", "decimal"))
        short = max((len(_said(value)) for value in column.to_pylist()), default=0) <= _UNBROKEN
        drawn.add_column(
            Text(name), justify="right" if numeric else "left", overflow="fold", no_wrap=short
        )
    for row in shown.to_pylist():
        drawn.add_row(*(Text(_said(value)) for value in row.values()))
    out.print(drawn, soft_wrap=False, width=None if out.is_terminal else _PIPE_WIDTH)
    more = table.num_rows - shown.num_rows
    if more:
        err.print(f"{more} more of {table.num_rows} rows: --limit 0 shows all", markup=False)


def _said(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
