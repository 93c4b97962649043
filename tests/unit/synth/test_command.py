"""``homage synth`` writes, does nothing twice, and refuses in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.cli import app, run
from homage_sdk.release import read_release
from homage_sdk.release.contents import sequences

SMALL = ["--sequences", "1", "--size", "96x72", "--seconds", "4", "4", "--workers", "1"]


def test_the_command_writes_once(tmp_path: Path) -> None:
    out = tmp_path / "release"
    assert run(app, ["synth", str(out), *SMALL]) == 0
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert len(sequences(read_release(out))) == 1
    assert run(app, ["synth", str(out), *SMALL]) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == made


def test_labels_only_at_a_small_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "labels"
    assert run(app, ["synth", str(out), "--labels-only", "--scale", "tiny"]) == 0
    release = read_release(out)
    counts = len(sequences(release)), len(release["videos"]), len(release["actions"])
    assert counts == (102, 330, 1475)
    said = capsys.readouterr().out
    assert all(f"{count:,}" in said for count in counts)
    assert {p.stat().st_size for p in out.rglob("*.mkv")} == {0}


@pytest.mark.parametrize(
    "wrong", [["--size", "big"], ["--layout", "x"], ["--labels-only", "--scale", "huge"]]
)
def test_a_wrong_option_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert run(app, ["synth", str(tmp_path / "out"), *wrong]) == 2
    said = capsys.readouterr().err
    assert said.startswith(("error HOM002: ", "error HOM003: ")) and "Traceback" not in said
    assert not (tmp_path / "out").exists()
