"""A fault in the data, as it is reported: which rule, where, what was found, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from homage_sdk.errors import Place


class Severity(StrEnum):
    """How much a fault matters.

    ``error``: the label or file cannot be used as it stands. ``warning``: it is used, by a stated
    policy. ``info``: worth knowing, nothing is wrong.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault found in a release, a catalog or shards."""

    code: str
    severity: Severity
    message: str
    place: Place = field(default_factory=Place)
    sequence: str = ""
    found: str = ""
    expected: str = ""
    hint: str = ""

    @property
    def order(self) -> tuple[str, int, str, str, str, str]:
        """The stable order of a report: file, row, pointer, code, then what was found."""
        place = self.place
        return (place.file, place.row or 0, place.pointer, self.code, self.sequence, self.found)
