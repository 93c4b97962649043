"""Which sequences there are and what their lists say: the same for every command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homage_sdk.cli import app
from homage_sdk.ingest import ingest
from homage_sdk.problems import Severity
from homage_sdk.release import read_release
from homage_sdk.release.contents import sequences
from homage_sdk.soundness import Reason, judge
from homage_sdk.validation import validate
from tests.unit.release.tiny import Tiny, whole


def test_a_sequence_known_by_a_sensor_alone_counts_for_every_command(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    tiny.put(tiny.root / "sensors/p0007_r001_a001__gyro__head.csv", "time_s,x\n0,1\n1,2\n")
    names = [str(each) for each in sequences(read_release(tiny.root))]
    assert names == ["p0001_r001_a001", "p0002_r001_a002", "p0007_r001_a001"]
    assert ingest(tiny.root, tmp_path / "c").counts["sequences"] == 3
    for command, number in (("info", r"sequences +(\d+)"), ("validate", r"(\d+) sequences")):
        said = CliRunner().invoke(app, [command, str(tiny.root)]).stdout
        assert re.findall(number, said)[:1] == ["3"], command


@pytest.mark.parametrize("broken", ["clock,x\n0,1\n", ""])
def test_a_sequence_counts_though_its_only_file_cannot_be_read(tmp_path: Path, broken: str) -> None:
    tiny = Tiny(tmp_path)
    tiny.actions("p0001_r001_a001", raw="[")
    tiny.put(tmp_path / "sensors/p0002_r001_a001__gyro__head.csv", broken)
    assert len(sequences(read_release(tmp_path))) == 2


def test_every_line_of_a_list_is_used_or_an_error(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.list("test", "p0001_r001_a001,make_tea", "p0009_r001_a001,make_tea", "p9,make_tea")
    lines = (
        *("p0001_r001_a001,make_tea", "p0001_r001_a001,fold_towel", "p0001_r001_a001,"),
        *("p0003_r001_a001,", "p0003_r001_a001,make_tea", "p0004_r001_a001,_", "no comma"),
    )
    tiny.list("train", *lines)
    release = read_release(tmp_path)
    left_out = judge(release).list_lines
    rows = release["list_entries"].to_pylist()
    paths = release["files"]["path"].to_pylist()
    places = {
        (paths[row["file"]], row["row"]) for row, why in zip(rows, left_out, strict=True) if why
    }
    errors = [p for p in validate(release) if p.severity is Severity.ERROR and p.place.row]
    about_lines = {(p.place.file, p.place.row): p.code for p in errors}
    assert places == {
        place for place, code in about_lines.items() if code not in ("HOM202", "HOM245")
    }
    assert about_lines == {
        ("list_with_activity_labels/test_list.csv", 3): "HOM201",
        ("list_with_activity_labels/train_list.csv", 1): "HOM205",
        ("list_with_activity_labels/train_list.csv", 2): "HOM204",
        ("list_with_activity_labels/train_list.csv", 3): "HOM205",
        ("list_with_activity_labels/train_list.csv", 4): "HOM202",
        ("list_with_activity_labels/train_list.csv", 5): "HOM203",
        ("list_with_activity_labels/train_list.csv", 6): "HOM245",
        ("list_with_activity_labels/train_list.csv", 7): "HOM200",
    }
    assert judge(release).left_out == {
        Reason.LINE_INCOMPLETE.text: 2,
        Reason.LINE_REPEATED.text: 4,
    }
