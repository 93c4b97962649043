"""A moved release is found again under the folder that ingest would take."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.cli import app, run
from homage_sdk.errors import MediaError, UsageError
from homage_sdk.ingest import ingest
from tests.unit.release.tiny import Tiny, whole

VIEW = "p0001_r001_v000_a001"
SENSOR = "sensors/p0001_r001_a001__acceleration__head.csv"


def moved(tmp_path: Path) -> tuple[Path, Path]:
    """A catalog of a release one folder down, and where the download lies now."""
    tiny = whole(tmp_path / "download" / "HOMAGE")
    tiny.video(VIEW)
    tiny.put(tiny.root / SENSOR, "time_s,x\n0,1\n")
    ingest(tmp_path / "download", tmp_path / "c", media=False)
    (tmp_path / "download").rename(tmp_path / "disk")
    return tmp_path / "c", tmp_path / "disk"


@pytest.mark.parametrize("below", ["", "HOMAGE"])
def test_the_root_is_the_folder_that_ingest_takes(tmp_path: Path, below: str) -> None:
    catalog, disk = moved(tmp_path)
    dataset = Dataset(catalog, root=disk / below)
    assert dataset.root == disk / "HOMAGE"
    sequence = dataset["p0001_r001_a001"]
    assert sequence.views[0].file().name == f"{VIEW}.mkv"
    assert len(sequence.sensors[0].values().time_s) == 1
    assert not Dataset(catalog)["p0001_r001_a001"].views[0].is_available


def test_videos_alone_are_found_where_the_recorded_paths_lead(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    extra = Tiny(tiny.root / "extra")
    extra.video(VIEW)
    ingest(tiny.root, tmp_path / "c", media=False)
    (tmp_path / "media").mkdir()
    extra.root.rename(tmp_path / "media" / "extra")  # which looks like a release of its own
    dataset = Dataset(tmp_path / "c", root=tmp_path / "media")
    assert dataset["p0001_r001_a001"].views[0].is_available


def test_every_place_that_was_tried_is_named(tmp_path: Path) -> None:
    catalog, disk = moved(tmp_path)
    file = next(disk.rglob("*.mkv"))
    file.unlink()
    with pytest.raises(MediaError) as caught:
        Dataset(catalog, root=disk)["p0001_r001_a001"].views[0].file()
    recorded = file.relative_to(disk / "HOMAGE")
    assert str(disk / "HOMAGE" / recorded) in str(caught.value)
    assert str(disk / recorded) in str(caught.value)


@pytest.mark.parametrize("wrong", ["nowhere", "file"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, wrong: str) -> None:
    catalog, _ = moved(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=wrong):
        Dataset(catalog, root=tmp_path / wrong)
    assert run(app, ["sync", str(catalog), "--root", str(tmp_path / wrong)]) == 2


@pytest.mark.parametrize("root", [["--root=~/disk"], ["--root", "~/disk"]])
def test_a_home_folder_that_the_shell_left_alone_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: list[str]
) -> None:
    moved(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(app, ["export", "~/c", "~/tables", "--to=csv", *root]) == 0
    assert list((tmp_path / "tables").iterdir())
    assert not list((tmp_path / "elsewhere").iterdir())
