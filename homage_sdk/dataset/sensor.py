"""One sensor of a sequence: facts at once, values by time when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from homage_sdk.errors import LabelError, MediaError, UsageError, require_known
from homage_sdk.time import Interval, When, as_seconds_range

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from homage_sdk.release.sensors import SensorReader, SensorValues


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor's file; times are seconds from the start of the sequence.

    Attributes:
        kind: one of the twelve types, e.g. ``acceleration``.
        position: where it was, e.g. ``head`` or ``v001``.
        columns: names of the C value columns.
        n_rows: samples in the file.
        first_s: time of the first sample, None for an empty file.
        last_s: time of the last.
        path: the file; None where the place of the media is not known.

    """

    kind: str
    position: str
    columns: tuple[str, ...]
    n_rows: int
    first_s: float | None
    last_s: float | None
    path: Path | None

    def values(self, reader: SensorReader | None = None) -> SensorValues:
        """Everything: ``time_s`` float64 [N] and ``values`` float64 [N, C].

        ``reader`` reads files of another format than the documented CSV. Raises MediaError where
        the file is not there, LabelError where it cannot be read or has changed since ingest.
        """
        from homage_sdk.release.sensor_csv import CsvSensorReader

        if self.path is None or not self.path.is_file():
            raise MediaError(
                f"the file of sensor {self.kind} ({self.position}) is not there",
                place=None if self.path is None else str(self.path),
                hint="say where the media are now: Dataset(path, root=...)",
            )
        if reader is not None:
            return reader.values(self.path)
        readings = CsvSensorReader().values(self.path)
        if len(readings.time_s) != self.n_rows:
            raise LabelError(
                "the sensor's file is not the one that was ingested",
                place=str(self.path),
                found=f"{len(readings.time_s)} readings",
                expected=f"{self.n_rows}",
                hint="run `homage ingest` again: it names each row that cannot be used",
            )
        return readings

    def window(
        self,
        begin: When | Interval,
        end: When | None = None,
        *,
        reader: SensorReader | None = None,
    ) -> SensorValues:
        """The samples of an interval, or from ``begin`` up to, not including, ``end``.

        A ``Frame`` at the end is included: its samples are those until the next frame begins.
        """
        from homage_sdk.release.sensors import SensorValues

        begin_s, end_s = as_seconds_range(begin, end)
        all_of_it = self.values(reader)
        times = all_of_it.time_s
        inside = (times >= begin_s) & (times < end_s)
        return SensorValues(all_of_it.columns, times[inside], all_of_it.values[inside])

    def resampled(
        self,
        begin: When | Interval,
        end: When | None = None,
        *,
        rate_hz: float,
        how: Literal["linear", "previous"] = "linear",
        reader: SensorReader | None = None,
    ) -> npt.NDArray[np.float64]:
        """Values on an even clock: float64 [S, C] at ``begin + k / rate_hz``; range as ``window``.

        ``linear`` interpolates between neighbours, ``previous`` holds the last sample (for presence
        and other states). Where the sensor had not begun or had ended: NaN.
        """
        import numpy as np

        require_known("value of how", how, ("linear", "previous"))
        if not rate_hz > 0:
            raise UsageError("not a rate", found=f"{rate_hz} Hz", expected="more than 0")
        begin_s, end_s = as_seconds_range(begin, end)
        clock = begin_s + np.arange(max(0, np.ceil((end_s - begin_s) * rate_hz - 1e-9))) / rate_hz
        return self.values(reader).at(clock, how=how)
