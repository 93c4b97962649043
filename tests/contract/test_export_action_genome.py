"""An Action Genome export means to its readers what the catalog means to us."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homage_sdk import Dataset
from homage_sdk.errors import UsageError
from homage_sdk.export import action_genome, export
from homage_sdk.export.action_genome import group_of
from homage_sdk.taxonomy import class_key
from homage_sdk.testing import GraphSpec, TakeSpec, make_catalog
from tests.factories import CUP, KETTLE, PERSON, example_takes


def read_as_its_tools_do(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Boxes as corners, by the conventions of the format: persons xyxy, objects xywh."""
    persons = pickle.loads((folder / "person_bbox.pkl").read_bytes())
    objects = pickle.loads((folder / "object_bbox_and_relationship.pkl").read_bytes())
    frames = (folder / "frame_list.txt").read_text().split("\n")[:-1]
    classes = (folder / "object_classes.txt").read_text().split("\n")[:-1]
    relations = (folder / "relationship_classes.txt").read_text().split("\n")[:-1]
    assert classes[:2] == ["__background__", "person"]
    read: dict[str, list[dict[str, Any]]] = {}
    for name in frames:
        video, image = name.split("/")
        assert video.endswith(".mp4") and int(image.removesuffix(".png")) >= 1
        assert persons[name]["bbox_mode"] == "xyxy"
        assert persons[name]["bbox"].shape[1] == 4
        read[name] = [{"class": 1, "corners": tuple(b)} for b in persons[name]["bbox"].tolist()]
        for item in objects[name]:
            x, y, w, h = item["bbox"]
            groups = {g: item[g] for g in item if g.endswith("_relationship")}
            assert set().union(*groups.values()) <= set(relations)
            assert item["metadata"]["set"] in ("train", "test")
            read[name].append(
                {
                    "class": classes.index(item["class"]),
                    "corners": (x, y, x + w, y + h),
                    **groups,
                }
            )
    return read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ds = Dataset(make_catalog(tmp_path / "catalog", example_takes()))
    export(ds, "action-genome", tmp_path / "ag")
    return tmp_path / "ag"


def test_persons_are_corners_and_objects_are_corner_and_size(folder: Path) -> None:
    frame = read_as_its_tools_do(folder)["p0001_r001_v001_a001.mp4/000031.png"]
    assert [item["corners"] for item in frame] == [PERSON, CUP, KETTLE]
    persons = pickle.loads((folder / "person_bbox.pkl").read_bytes())
    raw = persons["p0001_r001_v001_a001.mp4/000031.png"]["bbox"]
    np.testing.assert_array_equal(raw, [PERSON])
    objects = pickle.loads((folder / "object_bbox_and_relationship.pkl").read_bytes())
    cup = objects["p0001_r001_v001_a001.mp4/000031.png"][0]
    assert cup["bbox"] == (250.0, 200.0, 40.0, 40.0)


def test_relationships_go_to_their_group(folder: Path) -> None:
    cup = read_as_its_tools_do(folder)["p0001_r001_v001_a001.mp4/000150.png"][1]
    assert cup["contacting_relationship"] == ["drinking_from"]
    assert cup["attention_relationship"] == cup["spatial_relationship"] == []
    assert group_of("looking at") == "attention_relationship"
    assert group_of("in_front_of") == "spatial_relationship"
    assert group_of("holding", {"Holding": "spatial"}) == "spatial_relationship"


def test_what_has_no_place_is_counted_by_name(tmp_path: Path) -> None:
    objects = {0: ("person", PERSON), 1: ("person", CUP), 2: ("cup", KETTLE)}
    edges = [(0, "looking at", 1), (2, "on", 0), (0, "holding", 2), (1, "holding", 2)]
    take = TakeSpec("p0001_r001_a001", graphs=[GraphSpec(1, 1, objects, edges)])
    made = action_genome(Dataset(make_catalog(tmp_path / "catalog", [take])))
    assert made.left_out == {
        "relationships between persons": 1,
        "relationships that do not start at a person": 1,
    }
    (name,) = made.frame_list
    assert made.person_bbox[name]["bbox"] == [list(PERSON), list(CUP)]
    assert made.object_bbox_and_relationship[name][0]["contacting_relationship"] == ["holding"]


def test_every_person_relationship_survives(tmp_path: Path) -> None:
    from tests.factories import random_takes

    ds = Dataset(make_catalog(tmp_path / "catalog", random_takes(4, n=40)))
    made = action_genome(ds)
    for seq in ds:
        for graph in seq.scene_graphs:
            name = f"{seq.id.view(graph.view)}.mp4/{graph.frame:06d}.png"
            listed = sorted(
                (item["class"], predicate)
                for item in made.object_bbox_and_relationship[name]
                for key in item
                if key.endswith("_relationship")
                for predicate in item[key]
            )
            kept = {
                (r.object_id, class_key(r.category))
                for r in graph.relationships
                if graph[r.subject_id].category == "person"
                and graph[r.object_id].category != "person"
            }
            assert listed == sorted((class_key(graph[o].category), p) for o, p in kept)


def test_json_twins_say_the_same_as_the_pickles(folder: Path) -> None:
    for stem in ("person_bbox", "object_bbox_and_relationship"):
        twin = json.loads((folder / f"{stem}.json").read_text())
        loaded = pickle.loads((folder / f"{stem}.pkl").read_bytes())
        assert json.loads(json.dumps(loaded, default=np.ndarray.tolist)) == twin


def test_the_training_split_is_train_and_the_rest_is_test(folder: Path) -> None:
    objects = pickle.loads((folder / "object_bbox_and_relationship.pkl").read_bytes())
    assert {i["metadata"]["set"] for items in objects.values() for i in items} == {"train"}


def test_an_export_replaces_an_export_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    ds = Dataset(tmp_path / "catalog")
    export(ds, "csv", folder)
    assert (folder / "objects.csv").exists() and not (folder / "frame_list.txt").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x")
    for to in ("csv", "action-genome", "coco"):
        with pytest.raises(UsageError):
            export(ds, to, precious)
    assert (precious / "thesis.tex").read_text() == "x"
    with pytest.raises(UsageError, match="unknown format 'voc'"):
        export(ds, "voc", tmp_path / "x")
