"""A sensor as a few lines over time, thinned so that every peak stays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from homage_sdk.dataset.sensor import Sensor
from homage_sdk.errors import LabelError, MediaError
from homage_sdk.explore.document import SensorStrip, StripColumn
from homage_sdk.media.header.opening import unreadable
from homage_sdk.time import Interval

_POINTS = 1_000


def sensor_strip(sensor: Sensor, n_frames: int) -> SensorStrip:
    """The readings of a sensor in the ``n_frames`` of a sequence, or a word why there are none."""
    try:
        readings = sensor.window(Interval(1, n_frames))
    except (MediaError, LabelError) as error:
        return SensorStrip(sensor.kind, sensor.position, missing=str(error))
    except OSError as error:
        return SensorStrip(sensor.kind, sensor.position, str(unreadable(sensor.path, error)))
    columns = tuple(
        strip_column(name, readings.time_s, readings.values[:, k])
        for k, name in enumerate(readings.columns)
    )
    missing = "" if any(column.points for column in columns) else "no reading in the sequence"
    return SensorStrip(sensor.kind, sensor.position, missing, columns)


def strip_column(
    name: str, time_s: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> StripColumn:
    """One column from times [N] and values [N]: at most about 1,000 points.

    Of each stretch of readings the lowest and the highest stay, in their order. Values that are
    not numbers are left out.

    >>> strip_column("x", np.arange(4.0), np.array([0.0, 2.0, np.nan, 1.0])).points
    ((0.0, 0.0), (1.0, 2.0), (3.0, 1.0))
    """
    known = np.isfinite(values) & np.isfinite(time_s)
    times, levels = time_s[known], values[known]
    if not len(levels):
        return StripColumn(name, None, None, ())
    kept = np.arange(len(levels))
    if len(levels) > _POINTS:
        edges = np.linspace(0, len(levels), _POINTS // 2 + 1).astype(int)
        pairs = [
            (low + int(part.argmin()), low + int(part.argmax()))
            for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
            if len(part := levels[low:high])
        ]
        kept = np.unique(np.array([0, len(levels) - 1, *np.array(pairs).ravel()]))
    points = zip(np.round(times[kept], 4).tolist(), _short(levels[kept]), strict=True)
    return StripColumn(name, float(levels.min()), float(levels.max()), tuple(points))


def _short(levels: npt.NDArray[np.float64]) -> list[float]:
    """Five digits: a strip is a few dozen pixels high."""
    return [float(f"{level:.5g}") for level in levels.tolist()]
