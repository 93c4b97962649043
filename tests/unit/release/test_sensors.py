"""Sensor files: the documented CSV behind a reader that can be replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from homage_sdk.errors import LabelError
from homage_sdk.release import read_release
from homage_sdk.release.faults import Faults
from homage_sdk.release.sensor_csv import CsvSensorReader
from homage_sdk.release.sensors import (
    SENSOR_TYPES,
    SensorHead,
    SensorReader,
    SensorValues,
)
from tests.unit.release.tiny import Tiny

NAME = "p0001_r001_a001__acceleration__head.csv"


def test_all_twelve_types_are_known() -> None:
    assert len(SENSOR_TYPES) == 12


def test_ingest_keeps_header_rows_and_both_ends(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    body = "".join(f"{i / 50},{i},2,3\n" for i in range(10_000))
    tiny.put(tmp_path / "sensors/p0001" / NAME, "time_s,x,y,z\n" + body)
    tiny.list("train", "p0001_r001_a001,make_tea")
    release = read_release(tmp_path)
    assert not release.problems
    (row,) = release["sensors"].to_pylist()
    assert (row["sequence"], row["sensor"], row["position"]) == (
        "p0001_r001_a001",
        "acceleration",
        "head",
    )
    assert (row["columns"], row["n_rows"]) == (["x", "y", "z"], 10_000)
    assert (row["first_s"], row["last_s"]) == (0.0, 9_999 / 50)


@pytest.mark.parametrize(
    ("name", "text", "code", "kept"),
    [
        (NAME, "t,x\n0,1\n", "HOM151", False),
        (NAME, "", "HOM103", False),
        (NAME, "<html>\n", "HOM101", False),
        (NAME, "time_s,x\n0,1\nnoon,2\n", "HOM152", True),
        ("p0001_r001_a001__sonar__head.csv", "time_s,x\n0,1\n", "HOM150", True),
        ("p1_r1__light__head.csv", "time_s,x\n0,1\n", "HOM130", False),
    ],
)
def test_a_sensor_file_that_is_not_as_documented_is_told(
    tmp_path: Path, name: str, text: str, code: str, kept: bool
) -> None:
    tiny = Tiny(tmp_path)
    tiny.list("train", "p0001_r001_a001,make_tea")
    tiny.put(tmp_path / "sensors" / name, text)
    release = read_release(tmp_path)
    assert [p.code for p in release.problems] == [code]
    assert release["sensors"].num_rows == kept


ROWS = [f"{k / 10},{k},0,9.8" for k in range(60)]
HEAD = "time_s,x,y,z"


def text_of(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize(
    ("data", "told", "kept"),
    [
        (text_of(HEAD, *ROWS), [], ROWS),
        (text_of(HEAD, *ROWS).replace("\n", "\r\n"), [], ROWS),
        (text_of(HEAD, *ROWS).replace("\n", "\r"), [], ROWS),
        (text_of(HEAD, *ROWS).replace("\n", ",\n"), [], ROWS),
        (text_of('"time_s","x","y","z"', *ROWS), [], ROWS),
        (text_of(HEAD, *(f" {row} " for row in ROWS), ""), [], ROWS),
        (text_of(HEAD, *ROWS).encode("utf-16"), [("HOM105", None)], ROWS),
        (text_of(HEAD, *ROWS[:10], "nan,1,2,9.8", *ROWS[11:]), [("HOM152", 12)], None),
        (text_of(HEAD, *ROWS[:10], "1.0,10", *ROWS[11:]), [("HOM152", 12)], None),
        (text_of(HEAD, *ROWS[:10], "1.0,10,0,9.8,7", *ROWS[11:]), [("HOM152", 12)], None),
        (text_of(HEAD, *ROWS[:10], "1.0,low,0,9.8", *ROWS[11:]), [("HOM152", 12)], None),
        (text_of(HEAD, *ROWS[:10], HEAD, *ROWS[10:]), [("HOM152", 12)], ROWS),
        (text_of(HEAD, *ROWS)[:-5], [("HOM152", 61)], ROWS[:-1]),
        (text_of(HEAD, *ROWS)[:-1], [("HOM155", 61)], ROWS),
        (text_of(HEAD, *ROWS[:10], "1.0,,0,9.8", *ROWS[11:]), [("HOM154", 12)], None),
        (text_of(HEAD, *ROWS[1:30], *ROWS), [("HOM153", 31)], ROWS),
        (text_of(HEAD, *ROWS[:10], "36000.0,1,2,9.8", *ROWS[10:]), [("HOM153", 13)], ROWS),
        (text_of(HEAD, ROWS[0], ROWS[0], *ROWS[1:]), [], [ROWS[0], *ROWS]),
        (text_of(HEAD, '"' + "9" * 200_000, *ROWS), [("HOM152", 2)], ROWS),
    ],
)
def test_what_a_sensor_file_may_hold_is_used_or_told_at_its_line(
    tmp_path: Path, data: str | bytes, told: list[tuple[str, int | None]], kept: list[str] | None
) -> None:
    """What ingest counts is what ``values`` gives; None: all but the tenth row, or its x."""
    tiny = Tiny(tmp_path)
    tiny.list("train", "p0001_r001_a001,make_tea")
    path = tiny.put(tmp_path / "sensors" / NAME, data)
    release = read_release(tmp_path)
    assert [(p.code, p.place.row) for p in release.problems] == told
    (row,) = release["sensors"].to_pylist()
    values = CsvSensorReader().values(path)
    table = np.column_stack([values.time_s, values.values])
    assert (row["n_rows"], row["first_s"], row["last_s"]) == (
        len(table),
        values.time_s[0],
        values.time_s[-1],
    )
    if kept is None:
        kept = [*ROWS[:10], "1.0,nan,0,9.8", *ROWS[11:]]
        kept = kept if told[0][0] == "HOM154" else [*ROWS[:10], *ROWS[11:]]
    expected = np.array([[float(field) for field in line.split(",")] for line in kept])
    np.testing.assert_array_equal(table, expected)


def test_values_are_read_when_asked_for(tmp_path: Path) -> None:
    file = tmp_path / NAME
    file.write_text("time_s,x,y\n0.0,1,2\n0.5,3,4.5\n")
    values = CsvSensorReader().values(file)
    assert values.columns == ("x", "y")
    assert values.time_s.tolist() == [0.0, 0.5]
    assert values.values.tolist() == [[1, 2], [3, 4.5]]
    file.write_text("clock,x,y\n0.0,1,2\n")
    with pytest.raises(LabelError, match=r"head\.csv:1.*found clock,x,y; expected time_s"):
        CsvSensorReader().values(file)


def test_another_reader_can_be_plugged_in(tmp_path: Path) -> None:
    class Mine:
        def owns(self, name: str) -> bool:
            return name.endswith(".imu")

        def head(self, path: Path, faults: Faults) -> SensorHead | None:
            return SensorHead("p0001_r001_a001", "gyro", path.stem[:4], ("a",), 2, 0.0, 1.0)

        def values(self, path: Path) -> SensorValues:
            return SensorValues(("a",), np.zeros(2), np.zeros((2, 1)))

    reader: SensorReader = Mine()
    tiny = Tiny(tmp_path)
    tiny.list("train", "p0001_r001_a001,make_tea")
    tiny.put(tmp_path / "sensors" / "anything.imu", "\x00")
    release = read_release(tmp_path, sensor_reader=reader)
    assert release["sensors"]["sensor"].to_pylist() == ["gyro"]
