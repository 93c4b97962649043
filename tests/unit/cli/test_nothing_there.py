"""Where there is nothing to work on, a command says why and does not pass for done."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.cli import app, run
from homage_sdk.testing import TakeSpec, make_catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Two sequences without videos and without scene graphs."""
    takes = [TakeSpec(f"p0001_r001_a00{number}") for number in (1, 2)]
    return make_catalog(tmp_path / "catalog", takes)


@pytest.mark.parametrize("to", ["coco", "action-genome"])
def test_an_export_of_no_frame_writes_nothing(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], to: str
) -> None:
    assert run(app, ["export", str(catalog), str(tmp_path / "out"), "--to", to]) != 0
    assert "2 sequences without scene graphs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_views_that_cannot_be_compared_are_not_in_step(
    catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, ["sync", str(catalog)]) == 1
    assert "no sequence has two videos here" in capsys.readouterr().err
