"""Collecting faults while reading: one file's faults of one kind are counted, not endless."""

from __future__ import annotations

from collections import Counter

from homage_sdk.problems import Code, Place, Problem

MOST_OF_A_KIND = 1000
"""Faults of one code that are listed for one file; the rest are counted in one last problem."""


class Faults:
    """The faults of one file, each with its place in it."""

    def __init__(self, file: str, sequence: str = "") -> None:
        self.file = file
        self.sequence = sequence
        self._found: list[Problem] = []
        self._counts: Counter[Code] = Counter()

    def add(
        self,
        code: Code,
        message: str = "",
        *,
        pointer: str = "",
        row: int | None = None,
        found: object = "",
        expected: str = "",
        hint: str = "",
    ) -> None:
        """Note a fault at a JSON pointer or a line of this file."""
        self._counts[code] += 1
        if self._counts[code] > MOST_OF_A_KIND:
            return
        self._found.append(
            code.at(
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
            code.at(
                Place(self.file, sequence=self.sequence),
                f"{code.title}: {count - MOST_OF_A_KIND} more in this file",
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
