"""``homage synth`` says what it wrote, does nothing twice, and refuses in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.cli import app, run

SMALL = ["--sequences", "1", "--size", "96x72", "--seconds", "4", "4", "--workers", "1"]


def test_the_command_writes_once_and_then_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "release")
    assert run(app, ["synth", out, *SMALL]) == 0
    assert "written" in capsys.readouterr().out
    assert run(app, ["synth", out, *SMALL]) == 0
    said = capsys.readouterr().out
    assert "already there" in said
    assert "1 sequences" in said


def test_labels_only_at_a_small_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "labels"
    assert run(app, ["synth", str(out), "--labels-only", "--scale", "tiny"]) == 0
    assert "102 sequences, 330 videos, 1,475 atomic actions" in capsys.readouterr().out
    assert {p.stat().st_size for p in out.rglob("*.mkv")} == {0}


@pytest.mark.parametrize(
    "wrong", [["--size", "big"], ["--layout", "x"], ["--labels-only", "--scale", "huge"]]
)
def test_a_wrong_option_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert run(app, ["synth", str(tmp_path / "out"), *wrong]) == 2
    said = capsys.readouterr().err
    assert "expected" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
