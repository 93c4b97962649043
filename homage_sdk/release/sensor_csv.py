"""The CSV that we assume for a sensor: read as a whole, what cannot be used named at its line.

One file a (sequence, sensor, position), named ``p0002_r000_a000__acceleration__head.csv``. Its
first line names its columns: ``time_s`` (seconds from the start of the sequence), then the values.
Ingest and every later reader keep the same readings.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Sequence
from math import isfinite, isnan, nan
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from homage_sdk.errors import LabelError
from homage_sdk.problems import Code, Severity
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.inventory import UNREADABLE
from homage_sdk.release.files.layouts import NO_ID, file_kind, sensor_of
from homage_sdk.release.files.text import TOO_LARGE, to_text
from homage_sdk.release.sensors import SENSOR_TYPES, UNKNOWN_SENSOR, SensorHead, SensorValues
from homage_sdk.storage.system_errors import require_enough

MAX_SENSOR_BYTES = 64 << 20
"""A file above this is not read: it is a hundred times an hour of any of HOMAGE's sensors."""
_TIME = "time_s"

NO_TIME_COLUMN = Code(
    "HOM151",
    "sensor file without a time column",
    why="A sensor file's first line names its columns, the first of which is time_s (seconds "
    "from the start of the sequence). The file is left out.",
    hint="name the time column time_s, or plug in a reader of your own",
    example="a first line of clock,x,y,z",
)
BAD_ROW = Code(
    "HOM152",
    "sensor row not readable",
    why="A row has no time that is a number, other fields than the header names, or text where a "
    "number belongs: a cut copy, or two files in one. The row is left out.",
    hint="correct the row, or copy the file again",
    example="a last line of 5.9,59,0 under time_s,x,y,z",
)
TIME_GOES_BACK = Code(
    "HOM153",
    "sensor time goes back",
    why="A row lies before one above it: the sensor's clock began again, or a row is misplaced. "
    "The longest part in which time does not go back is kept, other rows are left out.",
    hint="split the recordings, or correct the times: seconds from the start of the sequence",
    example="a row of 0.0 s below one of 2.9 s",
)
NO_VALUE = Code(
    "HOM154",
    "sensor value missing",
    severity=Severity.INFO,
    why="A field is empty or nan: the sensor gave nothing. The value is NaN, the row is kept.",
    hint="nothing, if the sensor gave nothing; use np.nanmean and the like",
    example="a row of 1.0,,0.1,9.8",
)
NO_LINE_END = Code(
    "HOM155",
    "last sensor row without a line end",
    severity=Severity.INFO,
    why="Programs that write CSV end each line. Where the last has no end, the copy may have been "
    "cut inside a number, which cannot be seen: 9. for 9.81.",
    hint="compare its size with the original, or copy it again",
    example="a last line of 5.9,59,0,9. without a line feed",
)


class CsvSensorReader:
    """The documented assumption: CSV with a header, time first."""

    def owns(self, name: str) -> bool:
        """``SEQUENCE__SENSOR__POSITION.csv``, with a fault if the id is none."""
        return file_kind(name) == "sensor"

    def head(self, path: Path, faults: Faults) -> SensorHead | None:
        """Columns, number of readings, first and last time; None where the file is left out."""
        named = sensor_of(path.name)
        if named is None:
            faults.add(NO_ID, found=path.name, expected="p0002_r000_a000__acceleration__head.csv")
            return None
        try:
            readings = _read(path, faults)
        except OSError as error:
            require_enough(error, path)
            faults.add(UNREADABLE, found=error.strerror or type(error).__name__)
            return None
        if readings is None:
            return None
        if named[1] not in SENSOR_TYPES:
            faults.add(UNKNOWN_SENSOR, found=named[1], expected="one of the twelve types")
        ends = readings.time_s[[0, -1]].tolist() if len(readings.time_s) else [None, None]
        return SensorHead(*named, readings.columns, len(readings.time_s), *ends)

    def values(self, path: Path) -> SensorValues:
        """Every reading that can be used, as ingest counted them.

        Raises LabelError for a file that ingest leaves out, OSError for one that cannot be read.
        """
        faults = Faults(str(path))
        readings = _read(path, faults)
        if readings is None:
            fault = faults.problems[-1]
            raise LabelError(
                fault.message, place=fault.place, found=fault.found, expected=fault.expected
            )
        return readings


def _read(path: Path, faults: Faults) -> SensorValues | None:
    with path.open("rb", buffering=0) as file:
        data = file.read(MAX_SENSOR_BYTES + 1)
    if len(data) > MAX_SENSOR_BYTES:
        size = f"{path.stat().st_size:,} bytes"
        faults.add(TOO_LARGE, found=size, expected=f"at most {MAX_SENSOR_BYTES:,}")
        return None
    return read_sensor_csv(data, faults)


def read_sensor_csv(data: bytes, faults: Faults) -> SensorValues | None:
    """The readings in the order of time; None where the file is left out, with the reason."""
    text = to_text(data, faults)
    if text is None:
        return None
    head, _, body = text.replace("\r\n", "\n").replace("\r", "\n").partition("\n")
    names = [name.strip() for name in _fields(head)]
    while names and not names[-1]:
        names.pop()
    if len(names) < 2 or names[0] != _TIME:
        faults.add(NO_TIME_COLUMN, row=1, found=head[:60], expected="time_s,VALUE,...")
        return None
    table = _plain(body, len(names))
    if table is None:
        table = _by_line(body, len(names), faults)
    return SensorValues(tuple(names[1:]), table[:, 0].copy(), table[:, 1:].copy())


def _plain(body: str, width: int) -> NDArray[np.float64] | None:
    """The rows [N, width] where all are in order, else None."""
    if not body.endswith("\n"):
        return None
    names = list(map(str, range(width)))
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(body.encode()),
            pa_csv.ReadOptions(use_threads=False, column_names=names),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.float64()), null_values=[]
            ),
        )
    except pa.ArrowException:
        return None
    rows = np.column_stack([column.to_numpy() for column in table.columns])
    in_order = np.isfinite(rows[:, 0]).all() and (np.diff(rows[:, 0]) >= 0).all()
    return rows if in_order and not np.isnan(rows).any() else None


def _by_line(body: str, width: int, faults: Faults) -> NDArray[np.float64]:
    """The rows [N, width] that can be used; every other is a fault at its line."""
    lines = body.split("\n")
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        fields = _fields(line)
        while len(fields) > width and not fields[-1].strip():
            fields.pop()
        row = [_number(field) for field in fields]
        if len(row) != width or None in row or not isfinite(row[0] or 0.0):
            expected = f"{width} numbers, seconds first"
            faults.add(BAD_ROW, row=number, found=line[:60], expected=expected)
            continue
        rows.append([nan if value is None else value for value in row])
        numbers.append(number)
        if any(map(isnan, rows[-1])):
            faults.add(NO_VALUE, row=number, found=line[:60], expected=f"{width} numbers")
    if lines[-1].strip() and numbers and numbers[-1] == len(lines) + 1:
        faults.add(NO_LINE_END, row=numbers[-1], found=lines[-1][:60], expected="a line feed")
    times = [row[0] for row in rows]
    kept = _in_order(times)
    for number, earlier, time in zip(numbers[1:], times, times[1:], strict=False):
        if time < earlier:
            found = (
                f"{time:g} s after {earlier:g} s; of the file {len(rows) - len(kept)} rows left out"
            )
            faults.add(TIME_GOES_BACK, row=number, found=found, expected="increasing seconds")
    return np.array([rows[at] for at in kept], dtype=np.float64).reshape(-1, width)


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a field without end
        return []


def _number(field: str) -> float | None:
    """A field's number, NaN where it is empty, None where it is none."""
    try:
        return float(field) if field.strip() else nan
    except ValueError:
        return None


def _in_order(times: Sequence[float]) -> list[int]:
    """The positions of the longest part of ``times`` that never goes back."""
    smallest: list[float] = []  # the smallest end of a part of each length
    ends: list[int] = []
    before: list[int] = []
    for at, time in enumerate(times):
        length = bisect_right(smallest, time)
        before.append(ends[length - 1] if length else -1)
        smallest[length : length + 1] = [time]
        ends[length : length + 1] = [at]
    kept = []
    at = ends[-1] if ends else -1
    while at >= 0:
        kept.append(at)
        at = before[at]
    return kept[::-1]
