"""Collecting faults while reading: one file's faults of one kind are counted, not endless."""

from __future__ import annotations

from homage_sdk.errors import Place
from homage_sdk.problems import Problem
from homage_sdk.release.codes import READER_CODES, fault

MOST_OF_A_KIND = 1000
"""Faults of one code that are listed for one file; the rest are counted in one last problem."""


class Faults:
    """The faults of one file, each with its place in it."""

    def __init__(self, file: str, sequence: str = "") -> None:
        self.file = file
        self.sequence = sequence
        self._found: list[Problem] = []
        self._counts: dict[str, int] = {}

    def add(
        self,
        code: str,
        message: str = "",
        *,
        pointer: str = "",
        row: int | None = None,
        found: object = "",
        expected: str = "",
        hint: str = "",
    ) -> None:
        """Note a fault at a JSON pointer or a line of this file."""
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count > MOST_OF_A_KIND:
            return
        self._found.append(
            fault(
                code,
                Place(self.file, pointer, row, self.sequence),
                message,
                found=found if isinstance(found, str) else shown(found),
                expected=expected,
                hint=hint,
            )
        )

    @property
    def problems(self) -> list[Problem]:
        """What was found; where a kind had too many, its last entry counts the rest."""
        rest = [
            fault(
                code,
                Place(self.file, sequence=self.sequence),
                f"{READER_CODES[code].title}: {count - MOST_OF_A_KIND} more in this file",
                found=f"{count} in all",
            )
            for code, count in self._counts.items()
            if count > MOST_OF_A_KIND
        ]
        return self._found + rest


def shown(value: object) -> str:
    """A value as a report shows it: JSON-like and short."""
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return repr(text) if isinstance(value, str) else text
