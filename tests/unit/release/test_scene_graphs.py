"""Scene graphs: the quick way and the careful way agree, and every fault has its pointer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from homage_sdk.release import Release, read_release
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.inventory import FileEntry
from homage_sdk.release.labels.json_files import LabelFile
from homage_sdk.release.scene_graphs.exact import graphs_of
from homage_sdk.release.scene_graphs.fast import join, plain_graphs
from homage_sdk.release.scene_graphs.mapping import (
    BoxesMap,
    CategoriesMap,
    FramesMap,
    KeysMap,
    SceneGraphMap,
    Shape,
)
from tests.unit.release.tiny import Tiny, document, graph

VIEW = "p0001_r001_v001_a001"


def read_one(root: Path, *frames: Any, **head: Any) -> Release:
    tiny = Tiny(root)
    tiny.list("train", "p0001_r001_a001,make_tea")
    tiny.scene(VIEW, raw=json.dumps(document(VIEW, *frames) | head))
    return read_release(root)


def random_documents(seed: int, keys: KeysMap, by_id: bool) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    names: list[Any] = [0, 1, 2] if by_id else ["person", "cup", "iron board"]
    made = []
    for _ in range(6):
        frames = []
        for _ in range(int(rng.integers(0, 5))):
            count = int(rng.integers(0, 6))
            objects = [
                {
                    keys.object_id: int(rng.integers(0, 9)),
                    keys.category: names[int(rng.integers(0, 3))],
                    keys.box: [round(float(x), 2) for x in rng.random(4)],
                }
                for _ in range(count)
            ]
            links = [
                {keys.subject: 0, keys.object: int(rng.integers(0, 9)), keys.predicate: "near"}
                for _ in range(int(rng.integers(0, 4)))
            ]
            frames.append(
                {
                    keys.frame: int(rng.integers(0, 900)),
                    keys.objects: objects,
                    keys.relationships: links,
                }
            )
        made.append({keys.width: 640, keys.height: 480, keys.frames: frames, "note": {"by": "x"}})
    return made


MAPS = {
    "canonical": SceneGraphMap(),
    "renamed, from 0, xywh": SceneGraphMap(
        keys=KeysMap(frame="t", box="rect", object="to", category="label", frames="images"),
        frames=FramesMap(base=0),
        boxes=BoxesMap(format="xywh"),
    ),
    "fractions, centre, person otherwise": SceneGraphMap(
        boxes=BoxesMap(format="cxcywh", person_format="xyxy", normalised=True)
    ),
    "category ids": SceneGraphMap(
        categories=CategoriesMap(objects="id", object_names=("person", "cup", "iron"))
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_the_quick_way_and_the_careful_way_read_the_same(name: str) -> None:
    mapping = MAPS[name]
    shape = Shape.resolve(mapping, {}, {})
    documents = random_documents(3, mapping.keys, mapping.categories.objects == "id")
    files = [
        LabelFile(
            number,
            FileEntry(f"x/p0001_r001_v00{number}_a001__sg.json", "scene_graphs", 0, 0),
            "p0001_r001_a001",
            number,
            json.dumps(item).encode(),
        )
        for number, item in enumerate(documents)
    ]
    quick = join([plain_graphs(files, shape)])
    faults = Faults("x")
    careful = join([graphs_of(f, d, faults, shape) for f, d in zip(files, documents, strict=True)])
    assert not faults.problems
    assert quick["objects"].num_rows > 20
    for table, rows in quick.items():
        assert rows.equals(careful[table]), table


def test_a_document_gives_its_rows(tmp_path: Path) -> None:
    release = read_one(tmp_path, graph(31), graph(61, objects=[], relationships=[]))
    assert not release.problems
    assert release["frames"].select(
        ["index", "sequence", "view", "frame", "width"]
    ).to_pylist() == [
        {"index": 0, "sequence": "p0001_r001_a001", "view": 1, "frame": 31, "width": 640},
        {"index": 1, "sequence": "p0001_r001_a001", "view": 1, "frame": 61, "width": 640},
    ]
    assert release["objects"].to_pylist()[1] == {
        "graph": 0,
        "index": 1,
        "object_id": 3,
        "category_raw": "cup",
        "x1": 50.5,
        "y1": 40.0,
        "x2": 70.0,
        "y2": 60.0,
    }
    assert release["relationships"].to_pylist() == [
        {"graph": 0, "index": 0, "subject_id": 0, "object_id": 3, "category_raw": "holding"}
    ]


def one(**changes: Any) -> list[dict[str, Any]]:
    return [{"id": 0, "category": "person", "bbox": [1, 2, 3, 4]} | changes]


def link(**changes: Any) -> list[dict[str, Any]]:
    return [{"subject": 0, "object": 3, "category": "holding"} | changes]


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "frame": ({"frame": "31"}, "HOM118", "/frames/1/frame"),
    "objects": ({"objects": 3}, "HOM118", "/frames/1/objects"),
    "object": ({"objects": [7]}, "HOM116", "/frames/1/objects/0"),
    "id": ({"objects": one(id="a")}, "HOM118", "/frames/1/objects/0/id"),
    "id true": ({"objects": one(id=True)}, "HOM118", "/frames/1/objects/0/id"),
    "category": ({"objects": one(category=None)}, "HOM118", "/frames/1/objects/0/category"),
    "three": ({"objects": one(bbox=[1, 2, 3])}, "HOM120", "/frames/1/objects/0/bbox"),
    "box of text": ({"objects": one(bbox=[1, 2, 3, "4"])}, "HOM118", "/frames/1/objects/0/bbox/3"),
    "box with true": (
        {"objects": one(bbox=[1.5, 2, 3, True])},
        "HOM118",
        "/frames/1/objects/0/bbox/3",
    ),
    "box with null": (
        {"objects": one(bbox=[1.5, 2, 3, None])},
        "HOM120",
        "/frames/1/objects/0/bbox",
    ),
    "box object": ({"objects": one(bbox={"x": 1})}, "HOM120", "/frames/1/objects/0/bbox"),
    "huge": ({"objects": one(bbox=[1, 2, 3, 1e300])}, "HOM119", "/frames/1/objects/0/bbox/3"),
    "subject": (
        {"relationships": link(subject=0.5)},
        "HOM118",
        "/frames/1/relationships/0/subject",
    ),
    "predicate": (
        {"relationships": link(category=4)},
        "HOM118",
        "/frames/1/relationships/0/category",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_problem_at_its_pointer(tmp_path: Path, name: str) -> None:
    changes, code, pointer = FAULTS[name]
    release = read_one(tmp_path, graph(1), graph(31, **changes), graph(61))
    assert [(p.code, p.place.pointer) for p in release.problems] == [(code, pointer)]
    assert release["frames"]["index"].to_pylist() == [0, 1, 2]


@pytest.mark.parametrize("key", ["frame", "objects", "relationships"])
def test_a_dropped_key_is_named(tmp_path: Path, key: str) -> None:
    bad = graph(31)
    del bad[key]
    release = read_one(tmp_path, graph(1), bad)
    assert [(p.code, p.place.pointer) for p in release.problems] == [("HOM117", f"/frames/1/{key}")]


def test_the_file_name_is_believed_over_the_document(tmp_path: Path) -> None:
    release = read_one(tmp_path, graph(1), video="p0009_r001_v004_a001")
    assert [(p.code, p.place.pointer) for p in release.problems] == [("HOM133", "/video")]
    assert release["frames"]["view"].to_pylist() == [1]


def test_a_document_without_video_or_size_is_in_order(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    tiny.list("train", "p0001_r001_a001,make_tea")
    tiny.scene(VIEW, raw=json.dumps({"frames": [graph(5)]}))
    release = read_release(tmp_path)
    assert not release.problems
    assert release["frames"]["width"].to_pylist() == [None]


def test_a_view_that_nothing_names_is_told(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    tiny.list("train", "p0001_r001_a001,make_tea")
    tiny.put(tiny.graphs / "p0001_r001_a001__sg.json", json.dumps({"frames": [graph(5)]}))
    release = read_release(tmp_path)
    assert [p.code for p in release.problems] == ["HOM134"]
    assert release["frames"]["view"].to_pylist() == [None]


def test_graph_numbers_run_through_all_files(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    tiny.scene("p0001_r001_v001_a001", graph(1), graph(2))
    tiny.scene(
        "p0001_r001_v001_a002",
        raw='{"frames": [{"frame": "x", "objects": [], "relationships": []}]}',
    )
    tiny.scene("p0001_r001_v001_a003", graph(9))
    release = read_release(tmp_path)
    graphs = pa.table({"g": release["objects"]["graph"]})["g"].to_pylist()
    assert graphs == [0, 0, 1, 1, 3, 3]
    assert release["frames"]["frame"].to_pylist() == [1, 2, None, 9]
