"""Which sequences a selection keeps, and the error for one that is not in it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from homage_sdk.catalog.tables import Catalog, SequenceRow
from homage_sdk.errors import UnknownIdError, UsageError, require_known, unknown

Wanted = Callable[[SequenceRow], bool]
"""Whether a sequence is kept."""


def with_views(catalog: Catalog, views: Collection[str | int] | str | int) -> Wanted:
    """Sequences with each of these: ``"ego"``, ``"third"`` or view numbers; else UsageError."""
    wanted: set[str | int] = {views} if isinstance(views, str | int) else set(views)
    numbers = {each for each in wanted if isinstance(each, int)}
    kinds = wanted - numbers
    for kind in sorted(map(str, kinds)):
        require_known("kind of view", kind, ("ego", "third"))
    views_of = catalog.values_of("views", "view") if numbers else {}

    def there(row: SequenceRow) -> bool:
        third = row.n_views - row.has_ego > 0
        if ("ego" in kinds and not row.has_ego) or ("third" in kinds and not third):
            return False
        return numbers <= views_of.get(row.sequence, set())

    return there


def with_sensors(catalog: Catalog, sensors: Collection[str]) -> Wanted:
    """Sequences with each of these types of sensor; UsageError, with the nearest, for no type."""
    from homage_sdk.release.sensors import SENSOR_TYPES

    wanted = {sensors} if isinstance(sensors, str) else set(sensors)
    found = catalog.values_of("sensors", "sensor")
    there = set(SENSOR_TYPES).union(*found.values())
    for sensor in sorted(wanted):
        require_known("type of sensor", sensor, sorted(there))
    return lambda row: wanted <= found.get(row.sequence, set())


def unknown_sequence(catalog: Catalog, selected: Collection[str], key: str) -> UnknownIdError:
    """The error for a sequence that is not among the selected; it suggests the nearest."""
    if any(row.sequence == key for row in catalog.rows):
        return UnknownIdError(
            f"sequence {key} is in the catalog but not in this selection",
            hint=f"open it unfiltered: Dataset({str(catalog.path)!r})",
        )
    return unknown("sequence", key, selected, place=catalog.path)


def root_folder(root: str | Path | None) -> Path | None:
    """Where the caller says that the media lie; UsageError unless it is a folder."""
    if root is None:
        return None
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(
            "the root of the media is no folder",
            place=folder,
            found="a file" if folder.exists() else "no such folder",
            expected="the folder of the release, or one above it, as for `homage ingest`",
        )
    return folder
