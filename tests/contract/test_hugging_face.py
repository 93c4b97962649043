"""``datasets.load_dataset`` opens a catalog and shards as they lie there, without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from homage_sdk import Dataset
from homage_sdk.catalog.schema import TABLES
from homage_sdk.cli import app, run
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, ShardSet, pack, verify
from homage_sdk.storage.dataset_card import CardState, read_card
from tests.unit.release.tiny import whole

os.environ["HF_HUB_OFFLINE"] = "1"  # read when it is imported
datasets = pytest.importorskip("datasets")

CARD = "README.md"
MINE = "# My own words\n\nNothing to load here.\n"

Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_dataset(folder: Path, *names: str, **options: Any) -> Any:
        options["cache_dir"] = str(tmp_path / "cache")
        return datasets.load_dataset(str(folder), *names, **options)

    return load_dataset


def test_every_table_of_a_catalog_is_a_config_with_its_rows(
    small_catalog: Path, load: Load
) -> None:
    names = datasets.get_dataset_config_names(str(small_catalog))
    tables = {name: pq.read_table(small_catalog / f"{name}.parquet") for name in TABLES}
    assert names == [name for name in TABLES if tables[name].num_rows] and len(names) > 8
    for name in names:
        (split,) = load(small_catalog, name).values()
        table = tables[name]
        assert split.num_rows == table.num_rows
        assert split.features == datasets.Features.from_arrow_schema(table.schema)
        assert split.to_list() == table.to_pylist()
    assert list(load(small_catalog)) == ["full"], "no one split, and not called train"
    assert load(small_catalog, split="full").num_rows == tables["sequences"].num_rows
    streamed = load(small_catalog, "frames", split="full", streaming=True)
    assert list(streamed) == tables["frames"].to_pylist()


def test_tables_without_rows_have_no_config_and_hinder_none(tmp_path: Path, load: Load) -> None:
    """``datasets`` refuses what is empty: of labels alone there are no frame times."""
    release = whole(tmp_path / "release")
    ingest(release.root, tmp_path / "catalog", media=False)
    counts = Dataset(tmp_path / "catalog").info.counts
    empty = {name for name in TABLES if not counts[name]}
    assert "pts" in empty
    names = datasets.get_dataset_config_names(str(tmp_path / "catalog"))
    assert set(names) == TABLES.keys() - empty
    for name in names:
        assert load(tmp_path / "catalog", name, split="full").num_rows == counts[name]
    assert "pts (empty: no config)" in (tmp_path / "catalog" / CARD).read_text()


def test_every_sample_of_shards_is_a_row_with_its_members(small_shards: Path, load: Load) -> None:
    shards = ShardSet.open(small_shards)
    loaded = load(small_shards)
    assert {name: split.num_rows for name, split in loaded.items()} == {
        split: sum(s.shard.startswith(f"{split}-") for s in shards.samples) for split in loaded
    }
    rows = {row["__key__"]: row for split in loaded.values() for row in split}
    assert rows.keys() == {sample.key for sample in shards.samples}
    for key, row in rows.items():
        there = {field for field, value in row.items() if value is not None}
        assert there - {"__key__", "__url__"} == set(shards.members(key))
        assert row["ann.json"] == shards.annotations(key).model_dump(mode="json", by_alias=True)
        assert row["meta.json"]["sample"]["sequence"] == shards[key].sequence
        for field in there:
            data = None if field.startswith("__") else shards.read(key, field)
            if field.endswith(".flac"):
                assert row[field] == data
            elif field.endswith(".mp4"):
                assert row[field]["bytes"] == data
        if "sensors.npy" in there:
            readings = shards.sensors(key).values()
            flat = [np.column_stack([each.time_s, each.values]).ravel() for each in readings]
            np.testing.assert_array_equal(row["sensors.npy"], np.concatenate(flat))


def test_shards_stream_the_same_rows(small_shards: Path, load: Load) -> None:
    shards = ShardSet.open(small_shards)
    streamed = load(small_shards, streaming=True)
    keys = [row["__key__"] for split in streamed.values() for row in split]
    assert sorted(keys) == [sample.key for sample in shards.samples]
    whole = load(small_shards)
    for name, split in streamed.items():
        assert next(iter(split)) == whole[name][0]


def test_shards_of_other_members_are_other_types(
    small_catalog: Path, tmp_path: Path, load: Load
) -> None:
    """Of windows, without sound and sensors; some have no view."""
    ds = Dataset(small_catalog)[:3]
    options = PackOptions(unit="clip", clip_s=2.0, short_side=32, audio=False, sensors=False)
    pack(ds, tmp_path / "shards", options, workers=1)
    loaded = load(tmp_path / "shards")
    n_samples = len(ShardSet.open(tmp_path / "shards").samples)
    assert sum(split.num_rows for split in loaded.values()) == n_samples > 3
    for split in loaded.values():
        assert not [name for name in split.features if name.endswith((".flac", ".npy"))]


@pytest.fixture
def folders(small_release: Path, small_catalog: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A catalog and shards of one's own, with their cards."""
    shutil.copytree(small_catalog, tmp_path / "catalog")
    pack(Dataset(small_catalog)[:2], tmp_path / "shards", TINY, workers=1)
    return tmp_path / "catalog", tmp_path / "shards"


TINY = PackOptions(short_side=16, stride=30, audio=False, min_shards=1)


def again(release: Path, catalog: Path, shards: Path, **options: Any) -> tuple[CardState, ...]:
    """What a second ingest and a second pack say of the cards."""
    first = ingest(release, catalog, media=True, **options)
    return first.card, pack(Dataset(catalog)[:2], shards, TINY, workers=1).card


@pytest.mark.parametrize(
    ("own", "force"),
    [("a file", True), ("an edited card", True), ("a link", False), ("a folder", False)],
)
def test_a_readme_that_is_not_ours_stays_and_is_said(
    folders: tuple[Path, Path],
    small_release: Path,
    capsys: pytest.CaptureFixture[str],
    own: str,
    force: bool,
) -> None:
    for folder in folders:
        card = folder / CARD
        text = card.read_text()
        card.unlink()
        if own == "a file":
            card.write_text(MINE)
        elif own == "an edited card":
            card.write_text(text + MINE)
        elif own == "a link":
            (folder.parent / "mine.md").write_text(text)
            card.symlink_to(folder.parent / "mine.md")
        else:
            card.mkdir()
    before = [_state(folder / CARD) for folder in folders]
    expected = CardState.CHANGED if own == "an edited card" else CardState.FOREIGN
    assert again(small_release, *folders, force=force) == (expected, expected)
    assert [_state(folder / CARD) for folder in folders] == before
    catalog, _ = folders
    run(app, ["ingest", str(small_release), str(catalog)])
    assert f"README.md is {expected.value}" in capsys.readouterr().err


def _state(path: Path) -> tuple[object, ...]:
    return path.is_symlink(), path.is_dir(), path.is_file() and path.read_bytes()


def test_a_card_of_ours_is_written_anew_where_it_is_gone_or_another(
    folders: tuple[Path, Path], small_release: Path
) -> None:
    good = [(folder / CARD).read_bytes() for folder in folders]
    tables = {path.name: path.read_bytes() for path in folders[0].glob("*.parquet")}
    for damage in ("gone", "exchanged"):
        for folder, other in zip(folders, reversed(good), strict=True):
            (folder / CARD).unlink()
            if damage == "exchanged":
                (folder / CARD).write_bytes(other)
        if damage == "exchanged":
            assert [p.code for p in verify(folders[1])] == ["HOM915"]
        assert again(small_release, *folders) == (CardState.OURS, CardState.OURS)
        assert [(folder / CARD).read_bytes() for folder in folders] == good
    assert {path.name: path.read_bytes() for path in folders[0].glob("*.parquet")} == tables
    assert verify(folders[1]) == []


def test_packing_other_samples_brings_the_card_up_to_date(
    small_catalog: Path, tmp_path: Path, load: Load
) -> None:
    ds = Dataset(small_catalog)
    for n in (2, len(ds)):
        pack(ds[:n], tmp_path / "shards", TINY, workers=1)
        assert sum(split.num_rows for split in load(tmp_path / "shards").values()) == n
    pack(ds, tmp_path / "fresh", TINY, workers=2)
    assert (tmp_path / "fresh" / CARD).read_bytes() == (tmp_path / "shards" / CARD).read_bytes()


def test_verify_says_of_a_card_only_what_is_wrong(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in folders:
        card = folder / CARD
        assert run(app, ["verify", str(folder)]) == 0 and "whole" in capsys.readouterr().out
        data = card.read_bytes()
        card.write_bytes(data[: len(data) // 2])
        assert read_card(folder)[0] is CardState.CHANGED
        run(app, ["verify", str(folder)])
        assert "HOM915" in capsys.readouterr().out
        card.write_text(MINE)
        run(app, ["verify", str(folder)])
        assert "whole" in capsys.readouterr().out
        card.unlink()
        run(app, ["verify", str(folder)])
        assert "whole" in capsys.readouterr().out
