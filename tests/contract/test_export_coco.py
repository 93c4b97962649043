"""A COCO export means to pycocotools what the catalog means to us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homage_sdk import Box, Dataset
from homage_sdk.errors import UsageError
from homage_sdk.export import coco_document, export
from homage_sdk.ingest import ingest
from homage_sdk.testing import GraphSpec, TakeSpec, make_catalog
from tests.factories import example_takes, random_takes
from tests.unit.release.tiny import Tiny, graph

COCO = pytest.importorskip("pycocotools.coco").COCO


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("crowd") / "catalog"
    return Dataset(make_catalog(folder, random_takes(3, n=30)))


def test_pycocotools_reads_every_box_where_it_is(crowd: Dataset, tmp_path: Path) -> None:
    export(crowd, "coco", tmp_path / "out.json")
    coco = COCO(str(tmp_path / "out.json"))
    found = set()
    for image in coco.loadImgs(coco.getImgIds()):
        for item in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
            x, y, w, h = item["bbox"]
            category = coco.loadCats([item["category_id"]])[0]["name"]
            place = (image["sequence"], image["view"], image["frame"])
            found.add((*place, item["object_id"], category, (x, y, x + w, y + h)))
            assert item["area"] == pytest.approx(w * h)
    expected = {
        (str(s.id), g.view, g.frame, o.object_id, o.name, o.box.xyxy)
        for s in crowd
        for g in s.scene_graphs
        for o in g.objects
    }
    assert len(expected) > 300
    assert {f[:5] for f in found} == {e[:5] for e in expected}
    boxes = {f[:4]: f[5] for f in found}
    for *key, _, box in expected:
        assert boxes[tuple(key)] == pytest.approx(box, abs=1e-3)


def test_pycocotools_measures_the_same_overlap_as_our_boxes(crowd: Dataset) -> None:
    mask = pytest.importorskip("pycocotools.mask")
    document = coco_document(crowd)
    rows = document["annotations"][:40]
    found = mask.iou([a["bbox"] for a in rows], [a["bbox"] for a in rows], [0] * len(rows))
    corners = [(x, y, x + w, y + h) for x, y, w, h in (a["bbox"] for a in rows)]
    boxes = [Box(x1=c[0], y1=c[1], x2=c[2], y2=c[3]) for c in corners]
    for i, one in enumerate(boxes):
        for j, two in enumerate(boxes):
            assert found[i][j] == pytest.approx(one.iou(two), abs=1e-6)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_export_against_itself_scores_one_in_pycocotools(
    crowd: Dataset, tmp_path: Path, kind: str
) -> None:
    evaluation = pytest.importorskip("pycocotools.cocoeval").COCOeval
    export(crowd, "coco", tmp_path / "out.json")
    truth = COCO(str(tmp_path / "out.json"))
    keys = ("image_id", "category_id", "bbox" if kind == "bbox" else "segmentation")
    found = truth.loadRes(
        [
            {key: _as_result(truth, each, key) for key in keys} | {"score": 0.9}
            for each in truth.dataset["annotations"]
        ]
    )
    result = evaluation(truth, found, kind)
    result.evaluate()
    result.accumulate()
    result.summarize()
    assert result.stats[0] == pytest.approx(1.0)


def _as_result(truth: Any, annotation: dict[str, Any], key: str) -> Any:
    return truth.annToRLE(annotation) if key == "segmentation" else annotation[key]


def test_every_annotation_has_an_outline_that_is_its_box(tmp_path: Path) -> None:
    """What readers of instances ask for: a polygon, of which pycocotools makes a mask."""
    ds = Dataset(make_catalog(tmp_path / "catalog", example_takes()))
    export(ds, "coco", tmp_path / "out.json")
    coco = COCO(str(tmp_path / "out.json"))
    for each in coco.dataset["annotations"]:
        mask = coco.annToMask(each)
        rows, columns = mask.nonzero()
        x, y, w, h = each["bbox"]
        assert (columns.min(), rows.min()) == (x, y)
        assert (columns.max() + 1, rows.max() + 1) == (x + w, y + h)
        assert mask.sum() == each["area"]


def test_what_some_readers_take_otherwise_is_said(tmp_path: Path) -> None:
    graph = GraphSpec(1, 5, {0: ("person", (0.0, 0.0, 9.0, 9.0))})
    take = TakeSpec("p0001_r001_a001", graphs=[graph, graph])
    listed = {"object": {0: "person"}}
    ds = Dataset(make_catalog(tmp_path / "catalog", [take], listed=listed))
    counts = export(ds, "coco", tmp_path / "out.json")
    assert counts == {
        **{"images": 2, "annotations": 2, "relationships": 0},
        "beware: images of the same picture, as it was annotated twice": 1,
        "beware: annotations of category 0, which some readers take for background": 2,
    }


def test_relationships_point_at_annotations_of_their_image(crowd: Dataset) -> None:
    document = coco_document(crowd)
    annotations = {a["id"]: a for a in document["annotations"]}
    names = {c["id"]: c["name"] for c in document["categories"]}
    predicates = {p["id"]: p["name"] for p in document["predicates"]}
    found = []
    for r in document["relationships"]:
        subject, target = annotations[r["subject"]], annotations[r["object"]]
        assert subject["image_id"] == target["image_id"] == r["image_id"]
        words = (names[subject["category_id"]], predicates[r["predicate_id"]])
        found.append((*words, names[target["category_id"]]))
    expected = [t for s in crowd for g in s.scene_graphs for t in g.triples]
    assert sorted(found) == sorted(expected)


def test_ids_are_unique_and_never_zero(crowd: Dataset) -> None:
    document = coco_document(crowd)
    for part in ("images", "annotations"):
        ids = [row["id"] for row in document[part]]
        assert len(ids) == len(set(ids)) and min(ids) >= 1
    names = [image["file_name"] for image in document["images"]]
    assert len(names) == len(set(names))


def test_only_the_selection_is_exported(tmp_path: Path) -> None:
    ds = Dataset(make_catalog(tmp_path / "catalog", example_takes()))
    document = coco_document(ds.select(["p0001_r001_a002"]))
    assert {image["sequence"] for image in document["images"]} == {"p0001_r001_a002"}
    assert len(document["annotations"]) == 3
    assert document["categories"] == coco_document(ds)["categories"]


def test_a_frame_without_a_size_has_that_of_its_video(tmp_path: Path, small_release: Path) -> None:
    tiny = Tiny(tmp_path / "release")
    tiny.list("train", "p0001_r001_a001,tea")
    tiny.video("p0001_r001_v001_a001", next(small_release.rglob("*_v001_*.mkv")).read_bytes())
    without = {"frames": [graph(5)]}
    tiny.scene("p0001_r001_v001_a001", raw=json.dumps(without))
    ingest(tmp_path / "release", tmp_path / "catalog")
    (image,) = coco_document(Dataset(tmp_path / "catalog"))["images"]
    assert (image["width"], image["height"]) == (160, 120)


def test_a_frame_without_a_size_is_refused_by_name(tmp_path: Path) -> None:
    graph = GraphSpec(1, 5, {0: ("person", (0.0, 0.0, 1.0, 1.0))}, size=None)
    ds = Dataset(make_catalog(tmp_path / "catalog", [TakeSpec("p0001_r001_a001", graphs=[graph])]))
    with pytest.raises(UsageError, match="frame 5 of p0001_r001_v001_a001 lacks the size"):
        coco_document(ds)
