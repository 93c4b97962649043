"""What packing says beforehand is near to what it then makes, and says what it rests on."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from homage_sdk import Dataset
from homage_sdk.cli import app, run
from homage_sdk.shards import PackOptions, pack
from homage_sdk.shards.forecast import forecast
from homage_sdk.shards.plan import make_plan


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
