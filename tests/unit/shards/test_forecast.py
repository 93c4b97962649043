"""What packing says beforehand is near to what it then makes, and says what it rests on."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace

import pytest

from homage_sdk import Dataset
from homage_sdk.catalog import Catalog
from homage_sdk.cli import app, run
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, ShardSet, pack
from homage_sdk.shards.packing import forecast as forecasting
from homage_sdk.shards.packing.forecast import forecast
from homage_sdk.shards.packing.plan import make_plan


@pytest.mark.parametrize(
    "options",
    [
        PackOptions(),
        PackOptions(unit="clip", views="ego", sensors=False, crf=28, short_side=96),
    ],
    ids=["default", "windows"],
)
def test_the_size_is_foretold_within_a_quarter(
    small_catalog: Path, small_shards: Path, tmp_path: Path, options: PackOptions
) -> None:
    dataset = Dataset(small_catalog)
    plan = make_plan(dataset, options)
    start = time.monotonic()
    expected = forecast(dataset, plan.shards, plan.options)
    assert time.monotonic() - start < 8  # less than one on a free machine
    assert expected.videos >= 4 and expected.cpu_s > 0
    out = small_shards if options == PackOptions() else tmp_path / "out"
    made = pack(dataset, out, options, workers=1)
    assert 0.75 <= expected.bytes / made.bytes <= 1.25


def test_less_to_do_is_less_to_wait_for(small_catalog: Path) -> None:
    dataset = Dataset(small_catalog)
    plan = make_plan(dataset, PackOptions())
    whole = forecast(dataset, plan.shards, plan.options, budget_s=0.3)
    part = forecast(dataset, plan.shards[:2], plan.options, budget_s=0.3)
    assert part.bytes < whole.bytes and part.cpu_s < whole.cpu_s


def test_without_videos_it_rests_on_typical_ones_and_says_so(
    small_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = Dataset(small_catalog, root=tmp_path)
    plan = make_plan(dataset, PackOptions())
    expected = forecast(dataset, plan.shards, plan.options)
    assert expected.videos == 0 and expected.bytes > 0 and expected.cpu_s > 0
    command = ["pack", str(small_catalog), str(tmp_path / "out"), "--root", str(tmp_path)]
    assert run(app, [*command, "--plan"]) == 0
    assert "estimated from typical videos, as none" in " ".join(capsys.readouterr().out.split())


def test_a_disk_too_small_for_it_is_said_before_the_work(
    small_catalog: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["pack", str(small_catalog), str(tmp_path / "a" / "b"), "--plan"]
    assert run(app, command) == 0 and "free there" not in capsys.readouterr().out
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**17))
    assert run(app, command) == 0
    assert "only 0 MB are free there" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "a").exists()


def test_the_estimate_is_made_only_where_work_follows(
    small_shards: Path, small_catalog: Path, tmp_path: Path
) -> None:
    told: list[int] = []
    dataset = Dataset(small_catalog)
    pack(dataset, small_shards, starting=lambda plan, todo: told.append(len(todo)))
    assert told == []
    one = dataset.split("val")
    pack(one, tmp_path / "out", workers=1, starting=lambda plan, todo: told.append(len(todo)))
    assert told == [len(list((tmp_path / "out").glob("*.tar")))]


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


def test_labels_are_read_once_a_sequence_however_many_windows(
    small_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[tuple[str, str]] = Counter()
    real = Catalog.table

    def table(self: Catalog, name: str, sequences: Collection[str] | None = None) -> object:
        for sequence in sequences or ():
            reads[name, sequence] += name != "pts"
        return real(self, name, sequences)

    monkeypatch.setattr(Catalog, "table", table)
    counts = []
    for options in (PackOptions(), PackOptions(unit="clip", clip_s=0.5)):
        dataset = Dataset(small_catalog)
        plan = make_plan(dataset, options)
        reads.clear()
        assert forecast(dataset, plan.shards, plan.options, budget_s=0.1).videos
        counts.append(reads.copy())
    assert counts[0] == counts[1] and counts[0]["frames", Dataset(small_catalog).ids[0]]


def test_windows_share_the_scene_graphs_of_their_sequence(
    small_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(thread_time=lambda: 0.0, monotonic=lambda: 0.0)
    monkeypatch.setattr(forecasting, "time", clock)  # the same videos are tried each time
    dataset = Dataset(small_catalog)
    of_graphs = []
    for unit in ("sequence", "clip"):
        sizes = []
        for scene_graphs in (True, False):
            options = PackOptions(unit=unit, clip_s=1.0, scene_graphs=scene_graphs, views="ego")
            plan = make_plan(dataset, options)
            sizes.append(forecast(dataset, plan.shards, plan.options).bytes)
        of_graphs.append(sizes[0] - sizes[1])
    assert of_graphs[0] > 1000
    assert of_graphs[1] == pytest.approx(of_graphs[0], rel=0.02)
