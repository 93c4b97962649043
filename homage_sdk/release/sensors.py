"""What a sensor's file gives, and the protocol of its readers (``sensor_csv`` holds ours).

No format of HOMAGE's sensor files is public (FORMAT.md, grade C).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from homage_sdk.errors import LabelError
from homage_sdk.problems import Code, Severity
from homage_sdk.release.faults import Faults

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

UNKNOWN_SENSOR = Code(
    "HOM150",
    "unknown sensor type",
    severity=Severity.WARNING,
    why="The name is none of HOMAGE's twelve sensors. The file is kept under the name it has.",
    hint="see homage_sdk.release.sensors.SENSOR_TYPES for the names",
    example="p0002_r000_a000__geiger_counter__head.csv",
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

    def at(
        self,
        clock: NDArray[np.float64],
        *,
        how: Literal["linear", "previous"] = "linear",
        longest_gap_s: float = math.inf,
    ) -> NDArray[np.float64]:
        """Values at the times of ``clock`` (seconds, [S]): float64 [S, C], NaN where there is none.

        ``linear`` interpolates between neighbours, ``previous`` holds the last reading (for
        presence and other states). There is none before the first reading, after the last, and
        between two that lie more than ``longest_gap_s`` apart.
        """
        order = np.argsort(self.time_s, kind="stable")
        times, values = self.time_s[order], self.values[order]
        out = np.full((len(clock), values.shape[1]), np.nan)
        if not len(times):
            return out
        before = np.searchsorted(times, clock, side="right") - 1
        after = np.searchsorted(times, clock, side="left")
        inside = (before >= 0) & (after < len(times))
        gaps = times[np.minimum(after, len(times) - 1)] - times[np.maximum(before, 0)]
        inside &= gaps <= longest_gap_s
        if how == "previous":
            out[inside] = values[before[inside]]
        else:
            for column in range(values.shape[1]):
                out[inside, column] = np.interp(clock[inside], times, values[:, column])
        return out


class SensorReader(Protocol):
    """What reads one kind of sensor file; pass your own to ``read_release(sensor_reader=...)``."""

    def owns(self, name: str) -> bool:
        """Whether a file of this name is a sensor file that this reader reads."""

    def head(self, path: Path, faults: Faults) -> SensorHead | None:
        """Facts for the catalog; None (with the reason in ``faults``) leaves the file out."""

    def values(self, path: Path) -> SensorValues:
        """Every reading that can be used; raises LabelError when the file cannot be read."""
