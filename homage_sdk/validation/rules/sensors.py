"""Rules about sensor files (layout of FORMAT.md, grade C)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from homage_sdk.time import NOMINAL_FPS
from homage_sdk.validation.data import Data
from homage_sdk.validation.rule import Finding, error, warning

_VIEW = re.compile(r"v(\d{3,9})", re.ASCII)


@warning(
    "HOM500",
    "sensor file without a sample",
    why="The file has a header and no data: the sensor was off, or its export failed.",
    example="p0002_r000_a000__light__v001.csv with its first line only",
    hint="export the file again, or remove it",
)
def empty(data: Data) -> Iterator[Finding]:
    """No row after the header."""
    for row in data.sensors:
        if row["n_rows"] == 0 and not data.is_faulty(row["file"]):
            yield _at_sensor(data, row, "0 rows", "at least one")


@error(
    "HOM501",
    "sensor time does not increase",
    why="The last sample lies before or on the first: the column is not time. No window of the "
    "file can be cut.",
    example="time_s of 0 in every row",
    hint="check the time column: seconds from the start of the sequence",
)
def backwards(data: Data) -> Iterator[Finding]:
    """First and last sample in the wrong order, more than one row."""
    for row in data.sensors:
        first, last = row["first_s"], row["last_s"]
        if row["n_rows"] and row["n_rows"] > 1 and None not in (first, last) and last <= first:
            yield _at_sensor(data, row, f"{first:g} s to {last:g} s", "increasing seconds")


@warning(
    "HOM502",
    "sensor time is not from the start of the sequence",
    why="Times are seconds from the start of the sequence. A first sample long before it, or "
    "after any recording has ended, is a clock of another kind (often seconds since 1970).",
    example="time_s beginning at 1612345678.2",
    hint="subtract the time at which the sequence starts",
)
def other_clock(data: Data) -> Iterator[Finding]:
    """First sample more than a minute before 0 or more than an hour after."""
    for row in data.sensors:
        first, last = row["first_s"], row["last_s"]
        if first is not None and not -60 <= first <= 3600 and (last is None or last > first):
            yield _at_sensor(data, row, f"first at {first:g} s", "about 0 s")


@warning(
    "HOM503",
    "sensor of an unknown sequence",
    why="No list, no labels and no video belong to the sequence of this sensor file.",
    example="p0002_r000_a099__light__v001.csv, and p0002_r000_a099 nowhere else",
    hint="check the id in the file's name",
)
def alone(data: Data) -> Iterator[Finding]:
    """A sequence of which there are only sensors, in a release that has more."""
    known = data.named("atomic_actions", "video", "scene_graphs")
    for row in data.sensors if known else ():
        if row["sequence"] and row["sequence"] not in known:
            yield _at_sensor(data, row, "only sensors")


@warning(
    "HOM504",
    "sensor at a camera that does not exist",
    why="The position names a view of which there is no video, while the sequence has other "
    "views: the position or the view is misnamed.",
    example="p0002_r000_a000__light__v007.csv in a sequence with v000 and v001",
    hint="check the position in the file's name",
)
def unknown_position(data: Data) -> Iterator[Finding]:
    """A position such as v007 that is no view of the sequence."""
    views: dict[str, set[int]] = {}
    for sequence, view in zip(data.videos["sequence"], data.videos["view"], strict=True):
        views.setdefault(sequence, set()).add(int(view))
    for row in data.sensors:
        match = _VIEW.fullmatch(row["position"] or "")
        there = views.get(row["sequence"])
        if match and there and int(match.group(1)) not in there:
            expected = f"one of the views {', '.join(map(str, sorted(there)))}"
            yield _at_sensor(data, row, row["position"], expected)


@warning(
    "HOM505",
    "sensor ends long before the others",
    why="The sensors of a sequence are synchronized from its start to its end. One that ends "
    "before half of it was cut; windows after its end are empty.",
    example="samples from 0 to 3 s where the other sensors go on to 16 s",
    hint="copy the file again",
)
def cut_short(data: Data) -> Iterator[Finding]:
    """Last sample before half of what the longest sensor of the sequence covers."""
    rows = [row for row in data.sensors if _timed(row) and not _goes_on(data, row)]
    ends: dict[str, float] = {}
    for row in rows:
        ends[row["sequence"]] = max(ends.get(row["sequence"], 0.0), row["last_s"])
    for row in rows:
        end = ends[row["sequence"]]
        if row["last_s"] < end / 2:
            yield _at_sensor(data, row, f"ends at {row['last_s']:g} s", f"about {end:g} s")


@warning(
    "HOM506",
    "sensor goes on long after the sequence",
    why="Its last time is more than ten times, and a minute, beyond what videos and labels of the "
    "sequence hold: times in milliseconds, or of several recordings.",
    example="samples from 0 to 5900 s in a sequence whose labels end at 6 s",
    hint="divide the times by 1000 if they are milliseconds",
)
def other_unit(data: Data) -> Iterator[Finding]:
    """Last sample beyond ten times the end of the sequence's videos and actions."""
    for row in data.sensors:
        if _goes_on(data, row):
            found, expected = f"ends at {row['last_s']:g} s", f"about {_end_s(data, row):g} s"
            yield _at_sensor(data, row, found, expected)


def _goes_on(data: Data, row: dict[str, Any]) -> bool:
    end_s = _end_s(data, row)
    return _timed(row) and end_s > 0 and max(10 * end_s, end_s + 60) < row["last_s"]


def _end_s(data: Data, row: dict[str, Any]) -> float:
    """Where videos and labels of its sequence end; 0 where nothing tells."""
    last = data.ends.get(row["sequence"], 0)
    return float(last / NOMINAL_FPS)


def _at_sensor(data: Data, row: dict[str, Any], found: str, expected: str = "") -> Finding:
    return data.at_file(row["file"], found, expected, sequence=row["sequence"])


def _timed(row: dict[str, Any]) -> bool:
    """Whether the file's times can be believed."""
    first, last = row["first_s"], row["last_s"]
    if None in (first, last) or row["sequence"] is None:
        return False
    return bool(last > first and -60 <= first <= 3600)
