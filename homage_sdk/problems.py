"""A fault as it is reported: its code, where it is, what was found, what to do.

A ``Code`` is one kind of fault. It is declared once, as a constant beside the code that raises it
(a rule is a code that looks for itself, an error class carries its own); ``homage_sdk.codes``
collects all of them, for ``homage explain`` and docs/rules.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import ModuleType
from typing import Any


class Severity(StrEnum):
    """How much a fault matters.

    ``error``: the label or file cannot be used as it stands. ``warning``: it is used, by a stated
    policy. ``info``: worth knowing, nothing is wrong.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault is.

    ``file`` is a path as the user knows it (relative to the release, catalog or shard folder where
    there is one), ``pointer`` a JSON pointer (RFC 6901), ``row`` a 1-based line of a text file,
    ``sequence`` the id of the sequence that it touches.

    >>> str(Place("train_list.csv", row=3))
    'train_list.csv:3'
    >>> str(Place("p0002_r001_a007__aa.json", pointer="/4/frame_end"))
    'p0002_r001_a007__aa.json#/4/frame_end'
    """

    file: str = ""
    pointer: str = ""
    row: int | None = None
    sequence: str = ""

    def __str__(self) -> str:
        text = self.file
        if self.row is not None:
            text += f":{self.row}"
        if self.pointer:
            text += f"#{self.pointer}"
        return text or self.sequence


FIELDS = (
    *("code", "severity", "file", "row", "pointer"),
    *("sequence", "message", "found", "expected", "hint"),
)
"""The columns of a table of problems: in a catalog, and in every report."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault found in a release, a catalog or shards; made by ``Code.at``.

    As text it is one line: place, severity, code, what is wrong, found, expected.
    """

    code: str
    severity: Severity
    message: str
    place: Place
    found: str = ""
    expected: str = ""
    hint: str = ""

    @property
    def sequence(self) -> str:
        """The sequence that the fault touches, empty where there is none."""
        return self.place.sequence

    @property
    def order(self) -> tuple[str, int, str, str, str, str]:
        """The stable order of a report: file, row, pointer, code, then what was found."""
        place = self.place
        return (place.file, place.row or 0, place.pointer, self.code, self.sequence, self.found)

    def to_row(self) -> dict[str, str | int | None]:
        """A flat record with the keys ``FIELDS``."""
        place = self.place
        values = (
            *(self.code, self.severity.value, place.file, place.row, place.pointer),
            *(place.sequence, self.message, self.found, self.expected, self.hint),
        )
        return dict(zip(FIELDS, values, strict=True))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Problem:
        """What ``to_row`` took apart; it may be an older or newer SDK that wrote it."""
        place = Place(row["file"], row["pointer"], row["row"], row["sequence"])
        said = (row[name] for name in ("found", "expected", "hint"))
        return cls(row["code"], Severity(row["severity"]), row["message"], place, *said)

    def __str__(self) -> str:
        text = f"{self.place}: {self.severity} {self.code} {self.message}"
        text += f"; found {self.found}" if self.found else ""
        text += f"; expected {self.expected}" if self.expected else ""
        return text.replace("\n", " ")


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of fault: what it is called, why it matters, what to do.

    ``code`` is stable, ``HOM`` and three digits. ``deep``: found only by a command's ``--deep``.
    """

    code: str
    title: str
    why: str
    hint: str
    example: str = ""
    severity: Severity = Severity.ERROR
    deep: bool = False

    def at(
        self,
        place: Place,
        message: str = "",
        *,
        sequence: str = "",
        found: str = "",
        expected: str = "",
        hint: str = "",
    ) -> Problem:
        """The fault at a place; title and hint of the code stand in where none are given."""
        if sequence and sequence != place.sequence:
            place = replace(place, sequence=sequence)
        message, hint = message or self.title, hint or self.hint
        return Problem(self.code, self.severity, message, place, found, expected, hint)


def quantity(n: int, noun: str) -> str:
    """How many there are, as a message says it.

    >>> quantity(1, "place"), quantity(2, "place")
    ('1 place', '2 places')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def by_code(codes: Iterable[Code]) -> dict[str, Code]:
    """Codes under their names, in order; ValueError where two declarations share one."""
    known: dict[str, Code] = {}
    for code in codes:
        if known.setdefault(code.code, code) is not code:
            raise ValueError(
                f"{code.code} is declared twice: {known[code.code].title!r}, {code.title!r}"
            )
    return dict(sorted(known.items()))


def declared(*modules: ModuleType) -> dict[str, Code]:
    """The codes that modules hold as constants, as ``by_code``."""
    return by_code(
        value for module in modules for value in vars(module).values() if isinstance(value, Code)
    )
