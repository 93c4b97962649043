"""Single values out of a record that failed the quick check: typed, or null with the reason."""

from __future__ import annotations

from typing import Any

from homage_sdk.problems import Code
from homage_sdk.release.faults import Faults, shown
from homage_sdk.release.labels.json_text import NonFinite, escape
from homage_sdk.release.records import LARGEST

WRONG_DOCUMENT = Code(
    "HOM115",
    "document of the wrong kind",
    why="The file's outermost value is not what this kind of label file holds.",
    hint="see docs/scene_graph_maps.md if your files are shaped differently",
    example='{"actions": [...]} where a list [...] belongs',
)
NOT_AN_OBJECT = Code(
    "HOM116",
    "record is not an object",
    why="An entry that should be {...} is something else. It is left out.",
    hint="correct or remove the entry",
    example='[{"class": "take cup", ...}, 7]',
)
KEY_MISSING = Code(
    "HOM117",
    "key missing",
    why="A record lacks a key that it needs. The value is taken as missing.",
    hint="add or rename the key; in scene graphs, map its name in a --scene-graph-map file",
    example='{"class": "take cup", "frame_start": 151}, no frame_end',
)
WRONG_TYPE = Code(
    "HOM118",
    "value of the wrong type",
    why="A number is a string, a name is a number, an integer has a fraction. The value is "
    "taken as missing.",
    hint="write the value in the expected type",
    example='"frame_start": "151"',
)
OUT_OF_RANGE = Code(
    "HOM119",
    "number out of range",
    why="A number larger than any frame, pixel or id can be. The value is taken as missing.",
    hint="correct the number",
    example='"frame_end": 1e300',
)
NOT_A_BOX = Code(
    "HOM120",
    "box is not four numbers",
    why="A box must be a list of four finite numbers. The value is taken as missing.",
    hint="correct the box",
    example='"bbox": [412, 90, 655]',
)


class Record:
    """One JSON object of a label file, with the pointer to it."""

    def __init__(self, value: dict[str, Any], pointer: str, faults: Faults) -> None:
        self._value = value
        self._pointer = pointer
        self._faults = faults

    def _get(self, key: str, required: bool, expected: str) -> tuple[Any, str]:
        pointer = f"{self._pointer}/{escape(key)}"
        if key not in self._value:
            if required:
                found = f"only {keys_of(self._value)}" if self._value else "nothing"
                self._faults.add(KEY_MISSING, pointer=pointer, found=found, expected=expected)
            return None, pointer
        value = self._value[key]
        if value is None and required:
            self._faults.add(WRONG_TYPE, pointer=pointer, found=value, expected=expected)
        return value, pointer

    def note(self, code: Code, key: str, *, found: object, expected: str) -> None:
        """Note a fault at one key of this record."""
        self._faults.add(
            code, pointer=f"{self._pointer}/{escape(key)}", found=found, expected=expected
        )

    def integer(self, key: str, *, required: bool = True) -> int | None:
        """An integer; ``151.0`` counts as one, ``"151"`` and ``true`` do not."""
        value, pointer = self._get(key, required, "an integer")
        return None if value is None else to_integer(value, pointer, self._faults)

    def number(self, key: str, *, required: bool = True) -> float | None:
        """A finite number."""
        value, pointer = self._get(key, required, "a number")
        return None if value is None else to_number(value, pointer, self._faults)

    def text(self, key: str, *, required: bool = True) -> str | None:
        """A string that is not blank."""
        value, pointer = self._get(key, required, "a string")
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            if not isinstance(value, NonFinite):
                found = "an empty string" if value == "" else shown(value)
                self._faults.add(WRONG_TYPE, pointer=pointer, found=found, expected="a string")
            return None
        return value.encode("utf-8", "replace").decode()

    def records(self, key: str, *, required: bool = True) -> list[tuple[int, Record]]:
        """The objects of a list, each with its position; what is no object is noted."""
        value, pointer = self._get(key, required, "a list")
        if value is None or isinstance(value, NonFinite):
            return []
        return records(value, pointer, self._faults)

    def box(self, key: str) -> list[float | None]:
        """Four numbers, or four nulls."""
        value, pointer = self._get(key, True, "four numbers")
        nothing: list[float | None] = [None] * 4
        if value is None:
            return nothing
        if not isinstance(value, list) or len(value) != 4:
            self._faults.add(NOT_A_BOX, pointer=pointer, found=value, expected="four numbers")
            return nothing
        numbers = [
            to_number(item, f"{pointer}/{i}", self._faults) if item is not None else None
            for i, item in enumerate(value)
        ]
        if None in value:
            self._faults.add(NOT_A_BOX, pointer=pointer, found="null", expected="four numbers")
        return numbers if None not in numbers else nothing


def keys_of(value: dict[str, Any]) -> str:
    """The first keys of an object, for a report."""
    shown_keys = [str(key)[:30] for key in list(value)[:6]]
    return ", ".join(shown_keys) + (", ..." if len(value) > 6 else "")


def records(value: Any, pointer: str, faults: Faults) -> list[tuple[int, Record]]:
    """The objects of a list as records; a value that is no list is noted and gives none."""
    if not isinstance(value, list):
        faults.add(WRONG_TYPE, pointer=pointer, found=value, expected="a list")
        return []
    found = []
    for position, item in enumerate(value):
        if isinstance(item, dict):
            found.append((position, Record(item, f"{pointer}/{position}", faults)))
        elif not isinstance(item, NonFinite):
            faults.add(
                NOT_AN_OBJECT,
                pointer=f"{pointer}/{position}",
                found=item,
                expected="an object {...}",
            )
    return found


def to_integer(value: Any, pointer: str, faults: Faults) -> int | None:
    """An integer that fits, or None with the reason noted."""
    number = to_number(value, pointer, faults, expected="an integer")
    if number is None:
        return None
    if number != int(number):
        faults.add(WRONG_TYPE, pointer=pointer, found=value, expected="an integer")
        return None
    return int(number)


def to_number(
    value: Any, pointer: str, faults: Faults, *, expected: str = "a number"
) -> float | None:
    """A finite number of a sane size, or None with the reason noted."""
    if isinstance(value, NonFinite):
        return None  # noted where the document was parsed
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(WRONG_TYPE, pointer=pointer, found=value, expected=expected)
        return None
    if not abs(value) <= LARGEST:  # also when it is not finite
        up_to = f"{expected} up to {LARGEST}"
        faults.add(OUT_OF_RANGE, pointer=pointer, found=_large(value), expected=up_to)
        return None
    return value


def _large(value: float) -> str:
    if isinstance(value, int) and value.bit_length() > 63:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)
