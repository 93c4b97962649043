"""``sensors.npy``: the sensor readings of a sample in one plain array, described by ``meta.json``.

The array is float64 [V]: for each sensor of ``meta["sensors"]``, in that order, its table [N, 1+C]
row by row, the time first (seconds on the clock of the sequence), then the C named values. Nothing
but numbers is in it, and its size in memory is its size in the shard.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format
from pydantic import Field, ValidationError

from homage_sdk.errors import LabelError, ShardError
from homage_sdk.release.sensors import SENSOR_TYPES, SensorValues
from homage_sdk.shards.format.strict_json import StrictModel

if TYPE_CHECKING:
    from homage_sdk.shards.format.shard_set import ShardSet

SENSORS = "sensors.npy"

LONGEST_GAP = 5.0
"""Two readings further apart than this many of a sensor's usual intervals have nothing between
them: it was not recorded. Usual is the median, without those of 0: readings that came together."""
_MAX_COLUMNS = 4096


class SensorTable(StrictModel):
    """What ``meta.json`` says of one sensor."""

    kind: Annotated[str, Field(max_length=80, description="One of the twelve types")]
    position: Annotated[str, Field(max_length=80)]
    columns: Annotated[tuple[str, ...], Field(max_length=_MAX_COLUMNS)]
    n_rows: Annotated[int, Field(ge=0, le=2**40)]

    @property
    def n_values(self) -> int:
        """Numbers in its table, times included."""
        return self.n_rows * (1 + len(self.columns))

    @property
    def channels(self) -> tuple[str, ...]:
        """Its columns, each as ``kind/position/column``."""
        return channels_of(self.kind, self.position, self.columns)


def table_of(kind: str, position: str, readings: SensorValues) -> SensorTable:
    """The description of one sensor's readings; LabelError when it has no place in a shard."""
    n_rows = len(readings.time_s)
    try:
        columns = tuple(readings.columns)
        return SensorTable(kind=kind, position=position, columns=columns, n_rows=n_rows)
    except ValidationError as error:
        first = error.errors()[0]
        raise LabelError(
            f"the {first['loc'][0]} of a sensor cannot be packed",
            found=repr(first["input"])[:60],
            expected=first["msg"],
        ) from error


def array_bytes(readings: Iterable[SensorValues]) -> bytes:
    """The member: the tables of these sensors, one after the other."""
    tables = [np.column_stack([each.time_s, each.values]).ravel() for each in readings]
    buffer = io.BytesIO()
    whole = np.concatenate([np.zeros(0), *tables]).astype("<f8")
    npy_format.write_array(buffer, whole, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def numbers(data: bytes, place: str) -> npt.NDArray[np.float64]:
    """The whole array of a member, float64 [V], not copied; ShardError when it is anything else."""
    file = io.BytesIO(data)
    try:
        if npy_format.read_magic(file) != (1, 0):
            raise ValueError("another version of the format")
        shape, _, dtype = npy_format.read_array_header_1_0(file)
    except (ValueError, TypeError, SyntaxError, EOFError) as error:
        found = (str(error).splitlines() or ["no header"])[0][:80]
        raise ShardError("no array of sensors", place=place, found=found) from error
    offset = file.tell()
    if dtype != np.dtype("<f8") or shape != ((len(data) - offset) / 8,):
        raise ShardError(
            "an array of sensors that is not what it says",
            place=place,
            found=f"{dtype.str} {shape}, {len(data) - offset:,} bytes",
            expected="<f8 (V,) and 8 V bytes",
        )
    return np.frombuffer(data, "<f8", offset=offset)


def split(
    data: bytes, tables: Sequence[SensorTable], place: str
) -> dict[tuple[str, str], SensorValues]:
    """The readings of each sensor by (kind, position); raises ShardError when they do not fit."""
    array = numbers(data, place)
    wanted = sum(table.n_values for table in tables)
    if len(array) != wanted:
        raise ShardError(
            "the array of sensors is not what meta.json describes",
            place=place,
            found=f"{len(array):,} numbers",
            expected=f"{wanted:,}",
        )
    found: dict[tuple[str, str], SensorValues] = {}
    at = 0
    for table in tables:
        rows = array[at : at + table.n_values].reshape(table.n_rows, 1 + len(table.columns))
        found[table.kind, table.position] = SensorValues(table.columns, rows[:, 0], rows[:, 1:])
        at += table.n_values
    return found


def channels_of(kind: str, position: str, columns: Iterable[str]) -> tuple[str, ...]:
    """Names of a sensor's columns among those of all sensors.

    >>> channels_of("gyro", "head", ("x", "y"))
    ('gyro/head/x', 'gyro/head/y')
    """
    return tuple(f"{kind}/{position}/{column}" for column in columns)


def channels_in(shards: ShardSet) -> tuple[str, ...]:
    """Every channel of any sample, in the order of the twelve kinds, then of positions.

    Reads the ``meta.json`` of each sample that has sensors; ShardError when one is damaged.
    """
    tables = [
        t for sample in shards.samples if sample.sensors for t in shards.meta(sample.key).sensors
    ]
    rank = {kind: place for place, kind in enumerate(SENSOR_TYPES)}
    tables.sort(key=lambda t: (rank.get(t.kind, len(rank)), t.kind, t.position))
    return tuple(dict.fromkeys(channel for table in tables for channel in table.channels))


def on_clock(
    readings: Mapping[tuple[str, str], SensorValues],
    channels: Sequence[str],
    clock: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """All ``channels`` at the times of ``clock`` (seconds, [S]): float32 [S, channels].

    In the units of the files. Readings are interpolated, and not between two that lie far apart
    (``LONGEST_GAP``); those of ``human_presence``, which may report changes alone, are held until
    the next one. NaN where a channel is not there or was not recorded.
    """
    out = np.full((len(clock), len(channels)), np.nan, dtype=np.float32)
    place = {channel: column for column, channel in enumerate(channels)}
    for (kind, position), each in readings.items():
        own = channels_of(kind, position, each.columns)
        wanted = [n for n, channel in enumerate(own) if channel in place]
        if not wanted:
            continue
        intervals = np.diff(np.sort(each.time_s))
        intervals = intervals[intervals > 0]
        how: Literal["linear", "previous"] = "previous" if kind == "human_presence" else "linear"
        is_held = how == "previous" or not len(intervals)
        longest = np.inf if is_held else LONGEST_GAP * float(np.median(intervals))
        values = each.at(clock, how=how, longest_gap_s=longest)
        out[:, [place[own[n]] for n in wanted]] = values[:, wanted]
    return out
