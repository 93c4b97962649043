"""Sensor files: the documented CSV behind a reader that can be replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from homage_sdk.errors import LabelError
from homage_sdk.release import read_release
from homage_sdk.release.faults import Faults
from homage_sdk.release.sensors import (
    SENSOR_TYPES,
    CsvSensorReader,
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


def test_values_are_read_when_asked_for(tmp_path: Path) -> None:
    file = tmp_path / NAME
    file.write_text("time_s,x,y\n0.0,1,2\n0.5,3,4.5\n")
    values = CsvSensorReader().values(file)
    assert values.columns == ("x", "y")
    assert values.time_s.tolist() == [0.0, 0.5]
    assert values.values.tolist() == [[1, 2], [3, 4.5]]
    file.write_text("time_s,x,y\n0.0,1,2\n0.5,3\n")
    with pytest.raises(LabelError, match=r"head\.csv:3.*found 0\.5,3; expected 3 numbers"):
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
