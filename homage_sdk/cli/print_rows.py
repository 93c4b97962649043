"""Rows on the terminal or into another program: table, csv, json."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from homage_sdk.cli.console import err, out

if TYPE_CHECKING:
    import pyarrow as pa

RowFormat = Literal["table", "csv", "json"]
_CELL = 60
"""Characters of a cell in a table; csv and json have all of them."""
_BEYOND_64_BITS = 1 << 63
_NUMBER = re.compile(r"-?[\d,.]+(e[+-]\d+)?( %)?")


def print_rows(
    rows: pa.Table | Sequence[Mapping[str, Any]],
    form: RowFormat = "table",
    limit: int | None = None,
) -> None:
    """Print rows to standard output; ``limit`` bounds a table on the terminal, and says so."""
    names, columns = _columns(rows)
    if not names:
        return
    if form == "json":
        import orjson

        for row in zip(*columns, strict=True):
            document = dict(zip(names, row, strict=True))
            sys.stdout.write(orjson.dumps(document, default=_in_json).decode() + "\n")
    elif form == "csv":
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))
    else:
        head, *lines = _lines(names, [column[:limit] for column in columns])
        out.print(head, style="bold")
        for line in lines:
            out.print(line)
        if len(lines) < len(rows):
            more = len(rows) - len(lines)
            err.print(f"{more} more of {len(rows)} rows: --limit 0 shows all")


def print_counts(title: str, counts: Mapping[str, int]) -> None:
    """Print how many there are of what, as rows below a title; every name in full."""
    out.print(title, style="bold")
    names = [_printable(name) for name in counts]
    numbers = [f"{count:,}" for count in counts.values()]
    name_width, number_width = (max(map(len, each), default=0) for each in (names, numbers))
    for name, number in zip(names, numbers, strict=True):
        out.print(f"  {name.ljust(name_width)}  {number.rjust(number_width)}")


def _columns(
    rows: pa.Table | Sequence[Mapping[str, Any]],
) -> tuple[list[str], list[list[Any]]]:
    if isinstance(rows, Sequence):
        names = list(rows[0]) if rows else []
        return names, [[row.get(name) for row in rows] for name in names]
    return rows.column_names, [column.to_pylist() for column in rows.columns]


def row_lines(rows: pa.Table | Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of a table, its head first, as ``print_rows`` prints them."""
    return _lines(*_columns(rows))


def _lines(names: Iterable[str], columns: Iterable[Sequence[Any]]) -> list[str]:
    """Columns as wide as what they hold, one line a row, the same in a terminal and a pipe."""
    padded = []
    for name, column in zip(names, columns, strict=True):
        cells = [name, *map(_said, column)]
        width = max(map(len, cells))
        first = next(filter(None, cells[1:]), "")
        number = _NUMBER.fullmatch(first)
        padded.append([cell.rjust(width) if number else cell.ljust(width) for cell in cells])
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]


def _said(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = _printable(text)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _in_json(value: object) -> object:
    """What JSON has no type for; the decimals of an SQL sum are numbers there too."""
    if not isinstance(value, Decimal):
        return str(value)
    if value == value.to_integral_value():
        return int(value) if abs(value) < _BEYOND_64_BITS else str(value)
    return float(value)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
