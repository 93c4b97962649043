"""What packing says beforehand is near to what it then makes; how long it takes shows later."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from homage_sdk import Dataset
from homage_sdk.cli import app, run
from homage_sdk.cli.console import progress
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, ShardSet, pack
from homage_sdk.shards.packing.plan import expected_bytes, make_plan
from tests.integration.footage import make_release


def expected(dataset: Dataset, options: PackOptions) -> int:
    return expected_bytes(dataset, make_plan(dataset, options).shards, options)


@pytest.mark.slow
def test_the_size_of_camera_footage_is_foretold_within_a_factor_of_two(tmp_path: Path) -> None:
    make_release(tmp_path / "release")
    ingest(tmp_path / "release", tmp_path / "catalog", workers=1)
    dataset = Dataset(tmp_path / "catalog").split("train")
    for number, options in enumerate(
        (
            PackOptions(),
            PackOptions(stride=1, views="third", audio=False),
            PackOptions(unit="action", stride=10, crf=26, short_side=96),
        )
    ):
        made = pack(dataset, tmp_path / str(number), options, workers=1)
        assert 0.5 < expected(dataset, options) / made.bytes < 2


def test_it_grows_with_pixels_frames_and_quality(small_catalog: Path) -> None:
    dataset = Dataset(small_catalog)
    sizes = [
        expected(dataset, PackOptions(**options))
        for options in (
            {"crf": 26, "views": "ego", "audio": False},
            {"crf": 26, "views": "ego"},
            {"crf": 26},
            {},
            {"stride": 1},
            {"stride": 1, "crf": 14},
        )
    ]
    assert sizes == sorted(set(sizes))


def test_windows_that_cover_a_sequence_take_what_it_takes(small_catalog: Path) -> None:
    dataset = Dataset(small_catalog)
    whole = expected(dataset, PackOptions())
    assert expected(dataset, PackOptions(unit="clip", clip_s=1.0)) == pytest.approx(whole, rel=0.01)


def test_less_to_do_is_less(small_catalog: Path) -> None:
    dataset = Dataset(small_catalog)
    plan = make_plan(dataset, PackOptions())
    sizes = [expected_bytes(dataset, [shard], plan.options) for shard in plan.shards]
    assert min(sizes) > 0
    assert sum(sizes) == pytest.approx(expected_bytes(dataset, plan.shards, plan.options), abs=9)


def test_it_needs_no_video(
    small_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for root in ((), ("--root", str(tmp_path))):
        command = ["pack", str(small_catalog), str(tmp_path / "out"), "--plan", *root]
        assert run(app, command) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] and " MB" in said[0]


def test_a_disk_too_small_for_it_is_said_before_the_work(
    small_catalog: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["pack", str(small_catalog), str(tmp_path / "a" / "b"), "--plan"]
    assert run(app, command) == 0
    enough = capsys.readouterr().out
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**17))
    assert run(app, command) == 0
    scarce = capsys.readouterr().out
    assert scarce.startswith(enough.rstrip()) and "free" in scarce.removeprefix(enough.rstrip())
    assert not (tmp_path / "a").exists()


def test_the_estimate_is_made_only_where_work_follows(
    small_shards: Path, small_catalog: Path, tmp_path: Path
) -> None:
    told: list[int] = []
    dataset = Dataset(small_catalog)
    pack(dataset, small_shards, starting=lambda found: told.append(len(found.todo)))
    assert told == []
    one = dataset.split("val")
    pack(one, tmp_path / "out", workers=1, starting=lambda found: told.append(len(found.todo)))
    assert told == [len(list((tmp_path / "out").glob("*.tar")))]


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["clip", "action"])
def test_a_video_that_was_broken_at_ingest_is_listed_not_fatal(
    barcode_catalog: Path, tmp_path: Path, unit: str
) -> None:
    root = Dataset(barcode_catalog).root
    assert root is not None
    shutil.copytree(root, tmp_path / "release")
    (broken,) = (tmp_path / "release").rglob("p0001_r000_v002_a000.mkv")
    broken.write_bytes(broken.read_bytes()[:300])
    ingest(tmp_path / "release", tmp_path / "catalog", workers=1)
    command = ["pack", str(tmp_path / "catalog"), str(tmp_path / "out"), "--unit", unit]
    assert run(app, [*command, "--clip-seconds", "4", "--workers", "1"]) == 1  # all but one
    (listed,) = ShardSet.open(tmp_path / "out").manifest.quarantine
    assert listed.path == broken.name


@pytest.mark.parametrize("begun", [0, 40])
def test_a_log_says_the_time_to_go_after_the_first_sample(
    begun: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a job that is taken up again: what was done before took no time now."""
    clock = [100.0]
    monkeypatch.setattr("homage_sdk.cli.console.time.monotonic", lambda: clock[0])
    with progress("packing") as step:
        step(begun, 100)
        clock[0] += 60
        step(begun + 1, 100)
        for done in range(begun + 2, 101):
            clock[0] += 60
            step(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert f"{99 - begun} min" in lines[0] and "to go" not in lines[-1]
