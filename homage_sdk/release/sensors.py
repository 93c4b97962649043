"""Sensor files behind a pluggable reader (FORMAT.md, grade C: no format is public).

The reader that comes with the SDK assumes one CSV a (sequence, sensor, position), named
``p0002_r000_a000__acceleration__head.csv``, whose first line names its columns: ``time_s`` (seconds
from the start of the sequence), then the values. Ingest looks at the header, the first and the last
row and counts lines; ``read_sensor`` reads the values when someone asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from homage_sdk.errors import LabelError
from homage_sdk.problems import Code, Place, Severity
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.inventory import UNREADABLE
from homage_sdk.release.files.layouts import NO_ID, file_kind, sensor_of
from homage_sdk.release.files.text import is_stand_in

SENSOR_TYPES = (
    "rgb_camera",
    "infrared",
    "microphone",
    "rgb_light",
    "light",
    "acceleration",
    "gyro",
    "human_presence",
    "magnet",
    "air_pressure",
    "humidity",
    "temperature",
)
"""The twelve sensor types of the paper, as this SDK spells them."""

TIME_COLUMN = "time_s"
_HEAD_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20


UNKNOWN_SENSOR = Code(
    "HOM150",
    "unknown sensor type",
    severity=Severity.WARNING,
    why="The name is none of HOMAGE's twelve sensors. The file is kept under the name it has.",
    hint="see homage_sdk.release.sensors.SENSOR_TYPES for the names",
    example="p0002_r000_a000__geiger_counter__head.csv",
)
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
    why="The first or last row of a sensor file has no time that is a number.",
    hint="correct the row, or copy the file again",
    example="a last line of noon,0.1,0.2,9.8",
)


@dataclass(frozen=True, slots=True)
class SensorHead:
    """What ingest keeps of a sensor file."""

    sequence: str
    sensor: str
    position: str
    columns: tuple[str, ...]
    n_rows: int
    first_s: float | None
    last_s: float | None


@dataclass(frozen=True, slots=True)
class SensorValues:
    """``time_s`` float64 [N] from the start of the sequence, ``values`` float64 [N, C].

    Raises LabelError when times, values and the names of the C columns do not fit each other.
    """

    columns: tuple[str, ...]
    time_s: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        n_rows, n_columns = len(self.time_s), len(self.columns)
        found = f"times {np.shape(self.time_s)}, values {np.shape(self.values)}"
        if np.shape(self.time_s) != (n_rows,) or np.shape(self.values) != (n_rows, n_columns):
            raise LabelError(
                "sensor readings do not fit each other",
                found=found,
                expected=f"times ({n_rows},), values ({n_rows}, {n_columns})",
            )


class SensorReader(Protocol):
    """What reads one kind of sensor file; pass your own to ``read_release(sensor_reader=...)``."""

    def owns(self, name: str) -> bool:
        """Whether a file of this name is a sensor file that this reader reads."""

    def head(self, path: Path, faults: Faults) -> SensorHead | None:
        """Cheap facts for the catalog; None (with the reason in ``faults``) leaves it out."""

    def values(self, path: Path) -> SensorValues:
        """Everything in the file; raises LabelError when it cannot be read."""


class CsvSensorReader:
    """The documented assumption: CSV with a header, time first."""

    def owns(self, name: str) -> bool:
        """``SEQUENCE__SENSOR__POSITION.csv``, with a fault if the id is none."""
        return file_kind(name) == "sensor"

    def head(self, path: Path, faults: Faults) -> SensorHead | None:
        """Header, number of rows, first and last time; the values are not parsed."""
        named = sensor_of(path.name)
        if named is None:
            faults.add(NO_ID, found=path.name, expected="p0002_r000_a000__acceleration__head.csv")
            return None
        try:
            with path.open("rb", buffering=0) as file:
                start = file.read(_HEAD_BYTES)
                lines, tail = start.count(b"\n"), start[-_HEAD_BYTES:]
                while chunk := file.read(_CHUNK_BYTES):
                    lines += chunk.count(b"\n")
                    tail = (tail + chunk)[-_HEAD_BYTES:]
        except OSError as error:
            faults.add(UNREADABLE, found=error.strerror or type(error).__name__)
            return None
        stand_in = is_stand_in(start)
        if stand_in is not None:
            faults.add(stand_in, found=f"{path.stat().st_size} bytes", expected="the file itself")
            return None
        columns = _header(start)
        if columns is None:
            first = start.split(b"\n", 1)[0][:60].decode("utf-8", "replace").strip()
            faults.add(NO_TIME_COLUMN, row=1, found=first, expected="time_s,VALUE,...")
            return None
        if named[1] not in SENSOR_TYPES:
            faults.add(UNKNOWN_SENSOR, found=named[1], expected="one of the twelve types")
        if not tail.endswith(b"\n"):
            lines += 1
        n_rows = max(lines - 1, 0)
        ends = [(2, start.split(b"\n", 2)[1] if n_rows else b"")]
        ends.append((n_rows + 1, tail.rstrip(b"\r\n").rsplit(b"\n", 1)[-1] if n_rows else b""))
        times = [_time(row, line, faults) if n_rows else None for row, line in ends]
        return SensorHead(*named, columns, n_rows, times[0], times[1])

    def values(self, path: Path) -> SensorValues:
        """The whole file; LabelError names the line that is no row of numbers."""
        text = path.read_text("utf-8-sig", errors="replace")
        head, _, body = text.partition("\n")
        columns = _header(head.encode())
        if columns is None:
            raise LabelError("sensor file without a time column", place=Place(str(path), row=1))
        width = len(columns) + 1
        rows = []
        for number, line in enumerate(body.splitlines(), start=2):
            try:
                row = [float(field) for field in line.split(",")]
            except ValueError:
                row = []
            if line.strip() and len(row) != width:
                raise LabelError(
                    "sensor row is not readable",
                    place=Place(str(path), row=number),
                    found=line[:60],
                    expected=f"{width} numbers",
                )
            if row:
                rows.append(row)
        table = np.array(rows, dtype=np.float64).reshape(-1, width)
        return SensorValues(columns, table[:, 0].copy(), table[:, 1:].copy())


def _header(start: bytes) -> tuple[str, ...] | None:
    line = start.split(b"\n", 1)[0].removeprefix(b"\xef\xbb\xbf").strip()
    try:
        names = [name.strip() for name in line.decode("utf-8").split(",")]
    except UnicodeDecodeError:
        return None
    return tuple(names[1:]) if names[0] == TIME_COLUMN and len(names) > 1 else None


def _time(row: int, line: bytes, faults: Faults) -> float | None:
    try:
        time_s = float(line.split(b",", 1)[0])
    except ValueError:
        time_s = float("nan")
    if isfinite(time_s):
        return time_s
    faults.add(
        BAD_ROW, row=row, found=line[:60].decode("utf-8", "replace"), expected="seconds,value,..."
    )
    return None
