"""What every handle shows at a prompt and in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

SHOWN_ROWS = 20
"""Rows of a table in a notebook; of the others their number."""


class Handle:
    """A handle that describes itself: public names in ``dir()``, and an answer to a wrong one."""

    __slots__ = ()
    _instead: ClassVar[Mapping[str, str]] = {}
    """What to use in place of a name that people try."""

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if not name.startswith("_"))

    if not TYPE_CHECKING:  # a type checker refuses unknown names itself

        def __getattr__(self, name: str) -> object:
            if name.startswith("_") or hasattr(type(self), name):
                return object.__getattribute__(self, name)  # raises what it raised before
            near = get_close_matches(name, dir(self), n=3)
            said = self._instead.get(name) or (f"nearest: {', '.join(near)}" if near else "")
            raise AttributeError(
                f"{type(self).__name__} has no {name!r}" + (f"; {said}" if said else ""),
                name=name,
                obj=self,
            )


def html_table(title: str, rows: Iterable[Mapping[str, object]], n_rows: int) -> str:
    """The first rows of a table as HTML, under a title; columns are the keys of the first row."""
    shown = list(islice(rows, SHOWN_ROWS))
    parts = [f"<div><b>{escape(title)}</b></div>"]
    if shown:
        parts += ["<table>", _row("th", shown[0]), *(_row("td", r.values()) for r in shown)]
        parts.append("</table>")
    if n_rows > len(shown):
        parts.append(f"<div>and {n_rows - len(shown):,} more</div>")
    return "".join(parts)


def _row(cell: str, values: Iterable[object]) -> str:
    cells = (f"<{cell}>{escape(_text(value))}</{cell}>" for value in values)
    return f"<tr>{''.join(cells)}</tr>"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)
