"""An Action Genome export means to its readers what the catalog means to us."""

from __future__ import annotations

import json
import pickle
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from homage_sdk import Dataset
from homage_sdk.annotations import SceneGraph
from homage_sdk.cli import app, run
from homage_sdk.errors import UsageError
from homage_sdk.export import NothingToExportError, action_genome, export
from homage_sdk.export.action_genome_classes import group_of
from homage_sdk.taxonomy import class_key
from homage_sdk.testing import GraphSpec, TakeSpec, make_catalog
from tests.contract.action_genome_reader import KINDS, load
from tests.factories import CUP, KETTLE, PERSON, example_takes, random_takes

WORDS = ("looking at", "unsure", "in front of", "in", "holding", "Lying on", "pouring", "next to")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ds = Dataset(make_catalog(tmp_path / "catalog", example_takes()))
    export(ds, "action-genome", tmp_path / "ag")
    return tmp_path / "ag"


def made_of(tmp_path: Path, *graphs: GraphSpec, split: str | None = "train") -> Dataset:
    take = TakeSpec("p0001_r001_a001", split=split, graphs=list(graphs))
    return Dataset(make_catalog(tmp_path / "catalog", [take]))


def full_takes(seed: int) -> list[TakeSpec]:
    """Frames of one person and 40 kinds of things, each with one attention label and more."""
    rng = random.Random(seed)
    things = ["cup", "sofa/couch", "Paper/Notebook", *(f"thing {i}" for i in range(40))]
    takes = []
    for number, split in enumerate(("train", "test", "train")):
        graphs = []
        for frame in range(1, 60, 3):
            names = dict(enumerate(rng.sample(things, 5), start=1))
            objects = {0: ("person", PERSON)} | {
                i: (name, (x := rng.uniform(0, 500), 10.5, x + rng.uniform(5, 90), 100.25))
                for i, name in names.items()
            }
            links = [(0, rng.choice(WORDS[:2]), i) for i in names]
            links += [(0, word, i) for i in names for word in rng.sample(WORDS[2:], 2)]
            graphs.append(GraphSpec(1, frame, objects, links))
        takes.append(TakeSpec(f"p000{number + 1}_r001_a001", split=split, graphs=graphs))
    return takes


def name_of(graph: SceneGraph) -> str:
    return f"{graph.frame:06d}.png"


@pytest.mark.parametrize("mode", ["train", "test"])
def test_a_training_loader_reads_ids_boxes_and_relationships_of_the_catalog(
    tmp_path: Path, mode: str
) -> None:
    ds = Dataset(make_catalog(tmp_path / "catalog", full_takes(1)))
    counts = export(ds, "action-genome", tmp_path / "ag")
    loaded = load(tmp_path / "ag", mode)
    assert loaded.skipped_frames == 0 and loaded.skipped_videos == []
    seen = 0
    for seq in ds.split(mode):
        for graph in seq.scene_graphs:
            name = f"{seq.id.view(graph.view)}.mp4/{name_of(graph)}"
            np.testing.assert_allclose(loaded.persons[name], [PERSON])
            things = [each for each in graph.objects if each.name != "person"]
            assert len(loaded.objects[name]) == len(things)
            for each, found in zip(things, loaded.objects[name], strict=True):
                assert loaded.classes[found["class"]] == class_key(each.name)
                assert found["class"] > 1, "0 is the background, 1 the person"
                assert np.float32(found["bbox"]).tolist() == list(each.box.xyxy)
                read = {
                    loaded.relationships[kind][index] for kind in KINDS for index in found[kind]
                }
                told = (r for r in graph.relationships if r.object_id == each.object_id)
                assert read == {class_key(r.name) for r in told}
                assert len(found[KINDS[0]]) == 1
                seen += len(read)
    assert loaded.classes[1] == "person" and seen == 300 * len(ds.split(mode))
    assert not [what for what in counts if what.startswith("left out")]


def test_the_class_files_are_the_published_ones_and_then_ours(folder: Path) -> None:
    objects = (folder / "object_classes.txt").read_text().splitlines()
    assert objects[0] == "person" and "__background__" not in objects
    assert (objects[35], objects[36:]) == ("window", ["cup", "kettle"])
    lines = (folder / "relationship_classes.txt").read_text().splitlines()
    bounds = json.loads((folder / "relationship_groups.json").read_text())
    assert list(bounds.values()) == [[0, 3], [3, 9], [9, len(lines)]]
    assert lines[:3] == ["looking_at", "not_looking_at", "unsure"]
    assert lines[3:9] == ["above", "beneath", "in_front_of", "behind", "on_the_side_of", "in"]
    assert lines[25:] == ["writing_on", "next_to"]
    assert len(set(lines)) == len(lines)


def test_groups_of_ones_own_move_the_bounds(tmp_path: Path) -> None:
    ds = made_of(
        tmp_path,
        GraphSpec(1, 1, {0: ("person", PERSON), 1: ("cup", CUP)}, [(0, "next to", 1)]),
    )
    made = action_genome(ds, {"Next to": "spatial"})
    assert made.relationship_groups["spatial_relationship"] == (3, 10)
    assert made.relationship_classes[9] == "next_to"
    assert group_of("next to") == "contacting_relationship"


def test_persons_are_corners_and_objects_are_corner_and_size(folder: Path) -> None:
    name = "p0001_r001_v001_a001.mp4/000031.png"
    persons = pickle.loads((folder / "person_bbox.pkl").read_bytes())
    np.testing.assert_array_equal(persons[name]["bbox"], [PERSON])
    objects = pickle.loads((folder / "object_bbox_and_relationship.pkl").read_bytes())
    assert objects[name][0]["bbox"] == (250.0, 200.0, 40.0, 40.0)
    assert persons[name]["bbox_size"] == (640, 480)


def test_of_several_persons_one_is_kept_and_what_has_no_place_is_counted(tmp_path: Path) -> None:
    objects = {0: ("person", PERSON), 1: ("person", CUP), 2: ("cup", KETTLE)}
    edges = [(0, "looking at", 1), (2, "on", 0), (0, "holding", 2), (1, "holding", 2)]
    edges += [(1, "touching", 2)]
    made = action_genome(made_of(tmp_path, GraphSpec(1, 1, objects, edges)))
    assert made.left_out == {
        "further persons of a frame": 1,
        "relationships between persons": 1,
        "relationships of further persons": 1,
        "relationships that do not start at a person": 1,
    }
    (name,) = made.frame_list
    assert made.person_bbox[name]["bbox"] == [list(CUP)], "it has more relationships"
    assert made.object_bbox_and_relationship[name][0]["contacting_relationship"] == [
        "holding",
        "touching",
    ]


def test_of_several_attention_labels_the_first_of_the_format_is_kept(tmp_path: Path) -> None:
    objects = {0: ("person", PERSON), 1: ("cup", CUP), 2: ("kettle", KETTLE)}
    edges = [(0, "unsure", 1), (0, "looking at", 1), (0, "not looking at", 1), (0, "holding", 2)]
    ds = made_of(tmp_path, GraphSpec(1, 1, objects, edges))
    cup, kettle = next(iter(action_genome(ds).object_bbox_and_relationship.values()))
    assert (cup[KINDS[0]], kettle[KINDS[0]]) == (["looking_at"], [])
    made = action_genome(ds)
    assert made.left_out == {"attention labels beyond the first of an object": 2}
    assert made.beware["objects without an attention label: STTran's evaluation fails"] == 1
    filled = action_genome(ds, unsure=True)
    assert next(iter(filled.object_bbox_and_relationship.values()))[1][KINDS[0]] == ["unsure"]
    assert filled.beware["objects given the attention label unsure"] == 1


def test_no_frame_has_an_empty_list_and_what_readers_skip_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {0: ("person", PERSON), 1: ("cup", CUP)}
    graphs = [
        GraphSpec(1, 1, {0: ("person", PERSON)}),
        GraphSpec(1, 5, {1: ("cup", CUP)}),
        GraphSpec(1, 9, whole, [(0, "holding", 1)]),
        GraphSpec(1, 13, whole, [(0, "in", 1)]),
        GraphSpec(1, 13, whole, [(0, "in", 1)]),
    ]
    ds = made_of(tmp_path, *graphs, split="val")
    out = tmp_path / "ag"
    assert run(app, ["export", str(ds.path), str(out), "--to", "action-genome"]) == 0
    objects = pickle.loads((out / "object_bbox_and_relationship.pkl").read_bytes())
    persons = pickle.loads((out / "person_bbox.pkl").read_bytes())
    assert all(objects.values()) and objects.keys() == persons.keys()
    assert (out / "frame_list.txt").read_text().splitlines() == list(persons)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["frames"], summary["persons"], summary["objects"]) == (3, 2, 3)
    assert summary["left_out"] == {
        "frames without an object": 1,
        "second annotations of the same frame": 1,
        "objects and persons in them": 3,
        "relationships in them": 1,
    }
    loaded = load(out, "test")
    assert loaded.skipped_frames == summary["beware"]["frames without a person: skipped"] == 1
    few = summary["beware"]["videos of fewer than three frames with a person: skipped"]
    assert len(loaded.skipped_videos) == few == 1 and loaded.videos == {}
    assert summary["beware"]["frames of val: in the set test"] == 3
    printed = capsys.readouterr().out
    for part in ("left_out", "beware"):
        assert [what for what in summary[part] if what not in printed] == []


def test_frames_of_persons_alone_are_nothing_to_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ds = made_of(tmp_path, GraphSpec(1, 1, {0: ("person", PERSON)}))
    with pytest.raises(NothingToExportError):
        export(ds, "action-genome", tmp_path / "ag")
    assert run(app, ["export", str(ds.path), str(tmp_path / "ag"), "--to", "action-genome"]) == 1
    assert "nothing to export" in capsys.readouterr().err
    assert not (tmp_path / "ag").exists()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_in_a_catalog_is_written_or_counted(tmp_path: Path, seed: int) -> None:
    ds = Dataset(make_catalog(tmp_path / "catalog", random_takes(seed, n=40)))
    made = action_genome(ds)
    left = Counter(made.left_out)
    frames = left["frames without an object"] + left["second annotations of the same frame"]
    assert frames + len(made.frame_list) == ds.table("frames").num_rows
    inside = left["objects and persons in them"] + left["further persons of a frame"]
    counts = made.counts
    assert counts["persons"] + counts["objects"] + inside == ds.table("objects").num_rows
    links = sum(n for what, n in left.items() if what.startswith("relationships"))
    links += left["attention labels beyond the first of an object"]
    assert counts["relationships"] + links == ds.table("relationships").num_rows


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
    with pytest.raises(UsageError):
        export(ds, "csv", tmp_path / "x", unsure=True)
