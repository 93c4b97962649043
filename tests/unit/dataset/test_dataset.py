"""A Dataset is cheap to open, selects by composition, and travels as (path, selection)."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homage_sdk import Dataset, Sequence, SequenceId
from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import CatalogError, UnknownIdError, UsageError
from homage_sdk.testing.catalogs import seal


def run(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_importing_the_package_imports_no_heavy_library() -> None:
    heavy = "torch webdataset librosa cv2 av duckdb pandas scipy networkx ray sklearn matplotlib"
    code = (
        "from homage_sdk import *; import sys;"
        f" print([m for m in {heavy.split()} if m in sys.modules])"
    )
    assert run(code) == "[]"


def test_opening_a_catalog_loads_no_reader_of_releases(example: Path) -> None:
    code = "import sys; from homage_sdk import Dataset; assert len(Dataset(sys.argv[1]))"
    loaded = run(f"{code}; print(*(m for m in sys.modules if 'homage_sdk.release' in m))", example)
    assert not loaded


def test_opening_and_selecting_reads_the_list_of_sequences_and_nothing_else(
    example: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(example, tmp_path / "catalog")
    others = [n for n in TABLES if n != "sequences" and Dataset(example).table(n).num_rows]
    for name in others:  # rows that nobody can read, below a footer that is whole
        file = copy / f"{name}.parquet"
        data = file.read_bytes()
        end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        file.write_bytes(data[:4] + b"\xff" * (end - 4) + data[end:])
    code = """
import sys
from homage_sdk import Dataset
ds = Dataset(sys.argv[1]).split("train").having(views={"ego"}, audio=True, scene_graphs=True)
assert len(ds) == 1
print([m for m in ("av", "duckdb", "pandas", "torch", "cv2") if m in sys.modules])
"""
    assert run(code, copy) == "[]"
    for name in others:
        with pytest.raises(CatalogError, match=name):
            Dataset(copy).table(name)


def test_sequences_come_in_order_of_id(ds: Dataset) -> None:
    assert list(ds.ids) == sorted(ds.ids)
    assert [str(s.id) for s in ds] == list(ds.ids)
    assert len(ds) == 6


def test_a_sequence_is_found_by_text_by_id_and_by_position(ds: Dataset) -> None:
    by_text = ds["p0002_r001_a001"]
    assert isinstance(by_text, Sequence)
    assert by_text == ds[SequenceId(2, 1, 1)] == ds[2] == ds[-4]
    assert "p0002_r001_a001" in ds and SequenceId(9, 9, 9) not in ds
    assert ds[1:3].ids == ds.ids[1:3]
    assert ds[np.int64(2)] == by_text
    with pytest.raises(IndexError):
        ds[6]


def test_an_unknown_id_suggests_the_nearest(ds: Dataset) -> None:
    with pytest.raises(UnknownIdError, match="expected one of p0001_r001_a001"):
        ds["p0001_r001_a003"]
    with pytest.raises(UnknownIdError, match="not in this selection"):
        ds.split("val")["p0001_r001_a001"]
    with pytest.raises(KeyError):
        ds["nonsense"]


FILTERS: dict[str, tuple[Callable[[Dataset], Dataset], Callable[[Sequence], bool]]] = {
    "train": (lambda d: d.split("train"), lambda s: s.split == "train"),
    "val, test": (lambda d: d.split("val", "test"), lambda s: s.split in ("val", "test")),
    "ego": (lambda d: d.having(views={"ego"}), lambda s: s.ego is not None),
    "ego, third": (
        lambda d: d.having(views={"ego", "third"}),
        lambda s: s.ego is not None and len(s.third) > 0,
    ),
    "view 3": (lambda d: d.having(views={3}), lambda s: 3 in [v.number for v in s.views]),
    "ego, view 4": (
        lambda d: d.having(views={"ego", 4}),
        lambda s: {0, 4} <= {v.number for v in s.views},
    ),
    "audio": (lambda d: d.having(audio=True), lambda s: any(v.has_audio for v in s.views)),
    "mute": (lambda d: d.having(audio=False), lambda s: not any(v.has_audio for v in s.views)),
    "2 views": (lambda d: d.having(min_views=2), lambda s: len(s.views) >= 2),
    "graphs": (lambda d: d.having(scene_graphs=True), lambda s: len(s.scene_graphs) > 0),
    "no graphs": (lambda d: d.having(scene_graphs=False), lambda s: len(s.scene_graphs) == 0),
    "actions": (lambda d: d.having(atomic_actions=True), lambda s: len(s.atomic_actions) > 0),
    "activity": (lambda d: d.having(activity=False), lambda s: s.activity is None),
    "tea": (
        lambda d: d.activity("make_tea"),
        lambda s: s.activity is not None and s.activity.name == "make tea",
    ),
    "people": (lambda d: d.participant(1, 5, 7), lambda s: s.participant in (1, 5, 7)),
    "sensors": (
        lambda d: d.having(sensors={"infrared"}),
        lambda s: "infrared" in s.table("sensors")["sensor"].to_pylist(),
    ),
    "function": (lambda d: d.where(lambda s: s.n_frames > 90), lambda s: s.n_frames > 90),
    "sql": (lambda d: d.where("take % 2 = 0"), lambda s: s.id.take % 2 == 0),
}


@pytest.mark.parametrize("first", FILTERS)
def test_composed_filters_are_the_intersection_of_sets(first: str, crowded: Path) -> None:
    everything = Dataset(crowded)
    select, holds = FILTERS[first]
    expected = {str(s.id) for s in everything if holds(s)}
    assert set(select(everything).ids) == expected
    assert 0 < len(expected) < len(everything)
    for second, (then, also) in FILTERS.items():
        both = {str(s.id) for s in everything if holds(s) and also(s)}
        assert set(then(select(everything)).ids) == both, (first, second)


def test_the_order_of_filters_does_not_matter(crowded: Path) -> None:
    ds = Dataset(crowded)
    for (_, (one, _)), (_, (two, _)) in combinations(list(FILTERS.items())[::3], 2):
        assert one(two(ds)).ids == two(one(ds)).ids


def test_a_filter_leaves_the_dataset_as_it_was(ds: Dataset) -> None:
    before = ds.ids
    ds.split("train").having(audio=True)
    assert ds.ids == before


def test_an_impossible_filter_is_refused(ds: Dataset) -> None:
    with pytest.raises(UnknownIdError, match="split 'trian'; expected one of test, train, val"):
        ds.split("trian")
    with pytest.raises(UnknownIdError, match="expected one of fold clothes, make tea"):
        ds.activity("make te")
    with pytest.raises(UsageError, match=r"unknown type of sensor 'infrarot'.*infrared"):
        ds.having(sensors={"infrarot"})
    with pytest.raises(UsageError, match="unknown kind of view 'side'"):
        ds.having(views={"side"})
    with pytest.raises(UnknownIdError, match="expected one of"):
        ds.select(["p0001_r001_a008"])


def test_a_selection_travels_to_a_worker_as_path_and_ids(example: Path, tmp_path: Path) -> None:
    ds = Dataset(example, root=tmp_path).having(audio=True)
    sent = pickle.dumps(ds)
    assert len(sent) < 1000
    code = """
import pickle, sys
ds = pickle.loads(bytes.fromhex(sys.argv[1]))
print(len(ds), ds.root, ds[0].atomic_actions[1].name, pickle.loads(pickle.dumps(ds[0])) == ds[0])
"""
    assert run(code, sent.hex()) == f"{len(ds)} {tmp_path} pour tea True"
    assert pickle.loads(sent) == ds
    assert pickle.loads(pickle.dumps(ds[0].views[0])) == ds[0].views[0]


def test_a_selection_of_a_replaced_catalog_is_refused(example: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(example, tmp_path / "catalog")
    sent = pickle.dumps(Dataset(copy)[1:])
    table = pq.read_table(copy / "sequences.parquet")
    pq.write_table(table.slice(0, 4), copy / "sequences.parquet")
    with pytest.raises(CatalogError):
        pickle.loads(sent)


def test_tables_hold_the_rows_of_the_selection(ds: Dataset) -> None:
    for name, schema in TABLES.items():
        assert ds.table(name).schema.names == schema.names
    some = ds.select(["p0001_r001_a002", "p0002_r001_a001"])
    assert some.table("sequences")["sequence"].to_pylist() == list(some.ids)
    assert set(some.table("objects")["scene_graph_id"].to_pylist()) == {4}
    assert some.table("classes").num_rows == ds.table("classes").num_rows
    frame = some.table("atomic_actions", as_="pandas")
    assert isinstance(frame, pd.DataFrame) and len(frame) == 4
    assert isinstance(some.table("frames"), pa.Table)
    with pytest.raises(UnknownIdError, match="unknown table 'action'; expected one of sequences"):
        ds.table("action")


def test_a_few_sequences_and_many_give_the_same_rows(crowded: Path) -> None:
    """A few are picked by row group, many out of the whole table: the rows are the same."""
    everything = Dataset(crowded)
    for names in (everything.ids[::7], everything.ids[::2], everything.ids[3:5], ()):
        some = everything.select(names)
        for table in ("views", "atomic_actions", "frames", "sensors", "sequences"):
            rows = everything.table(table).to_pylist()
            expected = [row for row in rows if row["sequence"] in names]
            assert some.table(table).to_pylist() == expected
        graphs = set(some.table("frames")["scene_graph_id"].to_pylist())
        for table in ("objects", "relationships"):
            rows = everything.table(table).to_pylist()
            expected = [row for row in rows if row["scene_graph_id"] in graphs]
            assert some.table(table).to_pylist() == expected


def test_a_sequence_s_tables_are_the_dataset_s_rows(crowded: Path) -> None:
    """Row groups of 64 rows: many sequences straddle two."""
    ds = Dataset(crowded)
    for name in ("views", "atomic_actions", "frames", "objects", "relationships", "sensors"):
        rows = [row for s in ds for row in s.table(name).to_pylist()]
        assert rows == ds.table(name).to_pylist()


def test_taxonomies_are_those_of_the_whole_catalog(ds: Dataset) -> None:
    assert ds.split("val").taxonomy("atomic").names == ds.taxonomy("atomic").names
    with pytest.raises(UsageError, match="unknown taxonomy 'atoms'"):
        ds.taxonomy("atoms")


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "not a catalog"),
    "no manifest": (lambda c: (c / "catalog.json").unlink(), "half-copied"),
    "manifest cut": (lambda c: (c / "catalog.json").write_text('{"sch'), "no JSON"),
    "no version": (lambda c: (c / "catalog.json").write_text("[]"), "not a HOMAGE catalog"),
    "no sequences": (lambda c: (c / "sequences.parquet").unlink(), "missing"),
    "not parquet": (lambda c: (c / "sequences.parquet").write_bytes(b"<html>"), "changed"),
    "empty file": (lambda c: (c / "sequences.parquet").write_bytes(b""), "changed"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_catalog_is_refused_with_its_reason(
    name: str, example: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(example, tmp_path / "catalog")
    break_it, word = BREAKS[name]
    break_it(copy)
    with pytest.raises(CatalogError, match=word) as caught:
        Dataset(copy)
    assert str(copy) in str(caught.value) and "\n" not in str(caught.value)


def test_a_table_damaged_after_opening_is_named_when_it_is_needed(
    example: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(example, tmp_path / "catalog")
    ds = Dataset(copy)
    target = copy / "objects.parquet"
    target.write_bytes(target.read_bytes()[:-20])
    assert len(ds[0].atomic_actions) == 4
    with pytest.raises(CatalogError, match=r"objects\.parquet"):
        _ = ds[0].scene_graphs


def test_labels_that_contradict_the_rules_are_an_error_of_the_catalog(
    example: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(example, tmp_path / "catalog")
    table = pq.read_table(copy / "atomic_actions.parquet")
    at = table.schema.get_field_index("class_id")
    wrong = pa.array([99] * len(table), pa.int32())
    pq.write_table(
        table.set_column(at, table.schema.field(at), wrong), copy / "atomic_actions.parquet"
    )
    seal(copy)
    ds = Dataset(copy)
    with pytest.raises(CatalogError, match=r"p0001_r001_a001.*unknown id of atomic class '99'"):
        _ = ds[0].atomic_actions
