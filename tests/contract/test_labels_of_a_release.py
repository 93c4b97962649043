"""What a Dataset says is what the release's own files say, read here without the SDK's readers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from homage_sdk import Dataset
from homage_sdk.taxonomy import class_key


@pytest.fixture(scope="module")
def ds(small_catalog: Path) -> Dataset:
    return Dataset(small_catalog)


def files(root: Path, pattern: str) -> list[Path]:
    found = sorted(root.rglob(pattern))
    assert found
    return found


def test_splits_and_activities_are_those_of_the_lists(ds: Dataset, small_release: Path) -> None:
    listed = {}
    for split in ("train", "val", "test"):
        (path,) = files(small_release, f"{split}_list.csv")
        for sequence, activity in csv.reader(path.read_text().splitlines()):
            listed[sequence] = (split, class_key(activity))
    for seq in ds:
        said = (seq.split, class_key(seq.activity.name)) if seq.activity else None
        assert said == listed.get(str(seq.id))
    assert set(listed) <= set(ds.ids)


def test_atomic_actions_are_those_of_the_files(ds: Dataset, small_release: Path) -> None:
    seen = 0
    for path in files(small_release, "*__aa.json"):
        rows = json.loads(path.read_text())
        expected = sorted((r["frame_start"], r["frame_end"], class_key(r["class"])) for r in rows)
        actions = ds[path.name.removesuffix("__aa.json")].atomic_actions
        found = sorted((a.first_frame, a.last_frame, class_key(a.name)) for a in actions)
        assert [f[::2] for f in found] == [e[::2] for e in expected], "beginnings and classes"
        seen += sum(f == e for f, e in zip(found, expected, strict=True))
    total = ds.table("atomic_actions").num_rows
    assert seen >= total - 3, "only intervals past the end of their video may differ"


def test_scene_graphs_are_those_of_the_files(ds: Dataset, small_release: Path) -> None:
    n = 0
    for path in small_release.rglob("*.json"):
        document = json.loads(path.read_text())
        if not isinstance(document, dict) or "frames" not in document:
            continue
        sequence, view = document["video"].split("_v")
        sequence += view[3:]
        graphs = {g.frame: g for g in ds[sequence].scene_graphs}
        assert {g.view for g in graphs.values()} <= {int(view[:3])}
        for frame in document["frames"]:
            graph = graphs.pop(frame["frame"])
            assert (graph.width, graph.height) == (document["width"], document["height"])
            for item in frame["objects"]:
                assert class_key(graph[item["id"]].name) == class_key(item["category"])
                np.testing.assert_allclose(graph[item["id"]].box.xyxy, item["bbox"], rtol=1e-6)
            assert len(graph.objects) == len(frame["objects"])
            expected = [
                (r["subject"], class_key(r["category"]), r["object"])
                for r in frame["relationships"]
            ]
            found = [(r.subject_id, class_key(r.name), r.object_id) for r in graph.relationships]
            assert sorted(found) == sorted(expected)
            n += 1
        assert not graphs
    assert n == ds.table("frames").num_rows > 0


def test_views_are_the_videos_on_disk(ds: Dataset, small_release: Path) -> None:
    on_disk = {path.stem: path for path in files(small_release, "*.mkv")}
    found = {str(v.id): v.path for s in ds for v in s.views if v.path is not None}
    assert {k: p.resolve() for k, p in found.items()} == {
        k: p.resolve() for k, p in on_disk.items() if k in found
    }
    assert set(found) == set(on_disk)
