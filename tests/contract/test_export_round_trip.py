"""What we export comes back through our own reader; what a format cannot hold is counted."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from homage_sdk import Dataset
from homage_sdk.export import export
from homage_sdk.ingest import ingest
from homage_sdk.taxonomy import class_key
from homage_sdk.testing import GraphSpec, TakeSpec, make_catalog
from tests.unit.release.tiny import Tiny

MAPS = Path(__file__).parents[2] / "docs" / "maps"
THINGS = ("cup", "kettle", "paper towel", "sofa/couch", "Table")
WORDS = ("looking at", "in front of", "holding", "next to", "drinking from")

Edge = tuple[Any, ...]


def takes(seed: int) -> list[TakeSpec]:
    """Frames with no, one or two persons, some without objects, relationships both ways."""
    rng = random.Random(seed)
    made = []
    for number in range(6):
        graphs = []
        for frame in sorted(rng.sample(range(1, 200), 12)):
            names = ["person"] * rng.choice((0, 1, 1, 1, 2)) + rng.choices(
                THINGS, k=rng.choice((0, 2, 4))
            )
            if not names:
                continue
            corners = [(rng.uniform(0, 400), rng.uniform(0, 300)) for _ in names]
            objects = {
                3 * i + 1: (name, (x, y, x + rng.uniform(5, 200), y + rng.uniform(5, 150)))
                for i, (name, (x, y)) in enumerate(zip(names, corners, strict=True))
            }
            pairs = [(a, b) for a in objects for b in objects if a != b]
            links = [(a, rng.choice(WORDS), b) for a, b in rng.sample(pairs, min(5, len(pairs)))]
            graphs.append(GraphSpec(number % 2 + 1, frame, objects, links))
        split = rng.choice(("train", "test"))
        made.append(TakeSpec(f"p000{number + 1}_r001_a001", "tea", split, graphs=graphs))
    return made


def come_back(tmp_path: Path, ds: Dataset, file: str, document: Path, mapping: str) -> Dataset:
    """The catalog of a release that holds an export instead of scene-graph files."""
    tiny = Tiny(tmp_path / "release")
    tiny.list("train", *(f"{seq.id},tea" for seq in ds))
    tiny.put(tmp_path / "release" / file, document.read_text("utf-8"))
    summary = ingest(
        tmp_path / "release",
        tmp_path / "again",
        scene_graph_map=MAPS / mapping,
        media=False,
    )
    assert [str(p) for p in summary.problems if p.severity == "error" or p.code == "HOM410"] == []
    return Dataset(tmp_path / "again")


def objects_of(ds: Dataset) -> Counter[Edge]:
    return Counter(
        (str(seq.id), graph.view, graph.frame, class_key(each.name), each.box.xyxy)
        for seq in ds
        for graph in seq.scene_graphs
        for each in graph.objects
    )


def relationships_of(ds: Dataset) -> Counter[Edge]:
    return Counter(
        (
            *(str(seq.id), graph.view, graph.frame, class_key(each.name)),
            *(
                (class_key(o.name), o.box.xyxy)
                for o in (graph[each.subject_id], graph[each.object_id])
            ),
        )
        for seq in ds
        for graph in seq.scene_graphs
        for each in graph.relationships
    )


@pytest.mark.parametrize("seed", range(3))
def test_coco_comes_back_whole(tmp_path: Path, seed: int) -> None:
    ds = Dataset(make_catalog(tmp_path / "catalog", takes(seed)))
    counts = export(ds, "coco", tmp_path / "boxes.json")
    again = come_back(tmp_path, ds, "scene_graphs.json", tmp_path / "boxes.json", "coco.toml")
    assert objects_of(again) == objects_of(ds)
    assert relationships_of(again) == relationships_of(ds)
    assert objects_of(again).total() == counts["annotations"] > 100
    assert relationships_of(again).total() == counts["relationships"] > 100
    sizes = {(g.width, g.height) for seq in again for g in seq.scene_graphs}
    assert sizes == {(640, 480)}


@pytest.mark.parametrize("seed", range(3))
def test_action_genome_comes_back_but_for_what_it_counts(tmp_path: Path, seed: int) -> None:
    ds = Dataset(make_catalog(tmp_path / "catalog", takes(seed)))
    counts = export(ds, "action-genome", tmp_path / "ag")
    document = tmp_path / "ag" / "action_genome.json"
    again = come_back(tmp_path, ds, "action_genome.json", document, "action_genome.toml")
    objects, links = objects_of(again), relationships_of(again)
    assert objects <= objects_of(ds) and links <= relationships_of(ds)
    assert objects.total() == counts["persons"] + counts["objects"] > 100
    assert links.total() == counts["relationships"] > 20
    summary = json.loads((tmp_path / "ag" / "summary.json").read_text())
    lost = summary["left_out"]
    missing = lost["objects and persons in them"] + lost["further persons of a frame"]
    assert objects_of(ds).total() - objects.total() == missing
    gone = sum(n for what, n in lost.items() if what.startswith(("relationships", "attention")))
    assert relationships_of(ds).total() - links.total() == gone


def test_persons_that_are_not_in_the_document_are_missed_aloud(tmp_path: Path) -> None:
    """The file of the objects alone, as Action Genome itself has it."""
    ds = Dataset(make_catalog(tmp_path / "catalog", takes(1)))
    export(ds, "action-genome", tmp_path / "ag")
    text = (tmp_path / "ag" / "object_bbox_and_relationship.json").read_text()
    tiny = Tiny(tmp_path / "release")
    tiny.list("train", *(f"{seq.id},tea" for seq in ds))
    tiny.put(tmp_path / "release" / "action_genome.json", text)
    mapping = MAPS / "action_genome.toml"
    found = ingest(tmp_path / "release", tmp_path / "again", scene_graph_map=mapping, media=False)
    related = [
        name
        for name, items in json.loads(text).items()
        if any(each[key] for each in items for key in each if key.endswith("_relationship"))
    ]
    named = [p.place.pointer for p in found.problems if p.code == "HOM135"]
    assert sorted(named) == sorted("/" + name.replace("/", "~1") for name in related)
    assert found.errors >= len(named) > 10
