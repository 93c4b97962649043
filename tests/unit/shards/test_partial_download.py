"""A part of the download packs as the whole does: labels alone, videos of a few sequences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.shards import PackOptions, ShardSet, pack, repair
from homage_sdk.testing import TakeSpec, make_catalog
from tests.unit.shards.barcodes import ACTIONS, write_release
from tests.unit.shards.test_commands import homage
from tests.unit.shards.test_pack import tree


def label_only(folder: Path, n: int) -> Dataset:
    takes = [
        TakeSpec(
            f"p{i // 20 + 1:04d}_r000_a{i % 20:03d}",
            "make tea",
            ("train", "val", "test")[i % 3],
            actions=[("pour tea", 1, 30 + i), ("take cup", 20, 40)],
        )
        for i in range(n)
    ]
    return Dataset(make_catalog(folder, takes))


@pytest.mark.parametrize(
    ("n", "several"), [(60, [2]), pytest.param(500, [2, 4], marks=pytest.mark.slow)]
)
def test_labels_alone_pack_to_the_same_bytes_on_any_number_of_processes(
    tmp_path: Path, n: int, several: list[int]
) -> None:
    dataset = label_only(tmp_path / "catalog", n)
    assert pack(dataset, tmp_path / "1", workers=1).samples == n
    for workers in several:
        out = tmp_path / str(workers)
        summary = pack(dataset, out, workers=workers)
        assert summary.samples == n and not summary.quarantine
        assert tree(out) == tree(tmp_path / "1")


@pytest.mark.slow
def test_videos_of_a_few_sequences_pack_with_the_options_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release, catalog = write_release(tmp_path / "release"), tmp_path / "catalog"
    labels = release / "annotation_files" / "atomic_actions" / "p0007"
    labels.mkdir()
    others = [f"p0007_r000_a{number:03d}" for number in range(60)]
    for sequence in others:
        rows = [{"class": ACTIONS[0], "frame_start": 1, "frame_end": 60, "action_length": 60}]
        (labels / f"{sequence}__aa.json").write_text(json.dumps(rows))
    for split, some in (("train", others[:50]), ("test", others[50:])):
        listed = release / "list_with_activity_labels" / f"{split}_list.csv"
        lines = "".join(f"{sequence},make_tea\n" for sequence in some)
        listed.write_text(listed.read_text() + lines)
    assert homage(capsys, "ingest", release, catalog)[0] == 0
    for workers in (1, 2):
        out = tmp_path / str(workers)
        assert homage(capsys, "pack", catalog, out, "--workers", workers)[0] == 0
    assert homage(capsys, "verify", out)[0] == 0
    assert tree(out) == tree(tmp_path / "1")
    samples = {sample.sequence: sample for sample in ShardSet.open(out).samples}
    assert samples.keys() == {*others, *map(str, Dataset(catalog).ids)}
    assert sum(bool(sample.views) for sample in samples.values()) == 5


@pytest.mark.slow
def test_windows_and_a_view_that_most_sequences_lack(dataset: Dataset, tmp_path: Path) -> None:
    options = PackOptions(short_side=64, views=(5,), unit="clip", clip_s=2.0)
    pack(dataset, tmp_path / "1", options, workers=1)
    pack(dataset, tmp_path / "2", options, workers=2)
    assert tree(tmp_path / "2") == tree(tmp_path / "1")
    packed = tree(tmp_path / "2")
    shard = sorted((tmp_path / "2").glob("*.tar"))[0]
    shard.write_bytes(b"")
    assert repair(tmp_path / "2", dataset, workers=2).rebuilt == (shard.name,)
    assert tree(tmp_path / "2") == packed
