"""Which sequences a selection keeps, and the error for one that is not in it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from difflib import get_close_matches

from homage_sdk.catalog.labels import Labels
from homage_sdk.catalog.rows import SequenceRow
from homage_sdk.errors import UnknownIdError, UsageError

Wanted = Callable[[SequenceRow], bool]
"""Whether a sequence is kept."""


def with_views(labels: Labels, views: Collection[str | int] | str | int) -> Wanted:
    """Sequences with each of these: ``"ego"``, ``"third"`` or view numbers; else UsageError."""
    wanted: set[str | int] = {views} if isinstance(views, str | int) else set(views)
    numbers = {each for each in wanted if isinstance(each, int)}
    kinds = wanted - numbers
    if not kinds <= {"ego", "third"}:
        raise UsageError(
            f"no kind of view {sorted(map(str, kinds - {'ego', 'third'}))[0]!r}",
            expected="ego, third or a view number",
        )
    views_of = labels.view_numbers() if numbers else {}

    def there(row: SequenceRow) -> bool:
        third = row.n_views - row.has_ego > 0
        if ("ego" in kinds and not row.has_ego) or ("third" in kinds and not third):
            return False
        return numbers <= views_of.get(row.sequence, set())

    return there


def with_sensors(labels: Labels, sensors: Collection[str]) -> Wanted:
    """Sequences with each of these types of sensor; UsageError, with the nearest, for no type."""
    from homage_sdk.release.sensors import SENSOR_TYPES

    wanted = {sensors} if isinstance(sensors, str) else set(sensors)
    table = labels.whole("sensors")
    found: dict[str, set[str]] = {}
    for sequence, sensor in zip(
        table["sequence"].to_pylist(), table["sensor"].to_pylist(), strict=True
    ):
        found.setdefault(sequence, set()).add(sensor)
    there = set(SENSOR_TYPES).union(*found.values())
    for unknown in sorted(wanted - there):
        near = get_close_matches(unknown, sorted(there), n=3)
        raise UsageError(
            f"no type of sensor {unknown!r}",
            hint=f"nearest: {', '.join(near)}" if near else None,
        )
    return lambda row: wanted <= found.get(row.sequence, set())


def unknown_sequence(labels: Labels, selected: Collection[str], key: str) -> UnknownIdError:
    """The error for a sequence that is not among the selected; it suggests the nearest."""
    if key in labels.position:
        return UnknownIdError(
            f"sequence {key} is in the catalog but not in this selection",
            hint=f"open it unfiltered: Dataset({str(labels.path)!r})",
        )
    near = get_close_matches(key, selected, n=3, cutoff=0.5)
    return UnknownIdError(
        f"no sequence {key[:80]!r}",
        place=str(labels.path),
        hint=f"nearest: {', '.join(near)}" if near else None,
    )
