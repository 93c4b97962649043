"""Boxes as a COCO detection document: what pycocotools, detectron2 and labelling tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homage_sdk.errors import UsageError
from homage_sdk.export.images import coco_name
from homage_sdk.export.scene_graph_rows import FrameRow, frame_rows

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset


def coco_document(dataset: Dataset) -> dict[str, Any]:
    """Every annotated frame of the selection as one COCO document.

    ``bbox`` is xywh in pixels, as COCO has it, and ``segmentation`` the outline of that box, for
    readers that ask for one. Categories keep their catalog ids. Images carry ``sequence``, ``view``
    and ``frame`` (1-based) besides COCO's own keys, annotations their ``object_id``, and
    ``relationships`` hold what COCO has no place for: subject and object as annotation ids. Readers
    of COCO ignore keys they do not know. ``info.beware`` counts what some of them take otherwise.

    Raises UsageError where a frame lacks the size of its view, which COCO requires.

    >>> document = coco_document(Dataset(catalog))
    >>> document["images"][0]["file_name"], document["annotations"][0]["bbox"]
    ('p0001_r001_v001_a001/000031.jpg', [100.0, 50.0, 200.0, 400.0])
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    relationships: list[dict[str, Any]] = []
    for row in frame_rows(dataset):
        image_id = row.scene_graph_id + 1  # some readers take an id of 0 for none
        images.append(_image(row, image_id))
        ids: dict[int, int] = {}
        for item in row.objects:
            x1, y1, x2, y2 = item.box
            ids[item.object_id] = len(annotations) + 1
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": item.class_id,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "segmentation": [[x1, y1, x1, y2, x2, y2, x2, y1]],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                    "object_id": item.object_id,
                }
            )
        for edge in row.relationships:
            relationships.append(
                {
                    "image_id": image_id,
                    "subject": ids[edge.subject_id],
                    "object": ids[edge.object_id],
                    "predicate_id": edge.class_id,
                }
            )
    return {
        "info": {
            "description": "HOMAGE scene graphs",
            "version": "1",
            "beware": _beware(images, annotations),
        },
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": c.id, "name": c.name, "supercategory": ""}
            for c in dataset.taxonomy("object").values()
        ],
        "relationships": relationships,
        "predicates": [
            {"id": c.id, "name": c.name} for c in dataset.taxonomy("relationship").values()
        ],
    }


def _beware(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> dict[str, int]:
    """What some readers take otherwise, by kind."""
    doubles = len(images) - len({image["file_name"] for image in images})
    background = sum(each["category_id"] == 0 for each in annotations)
    found = {
        "images of the same picture, as it was annotated twice": doubles,
        "annotations of category 0, which some readers take for background": background,
    }
    return {what: n for what, n in found.items() if n}


def _image(row: FrameRow, image_id: int) -> dict[str, Any]:
    if row.width is None or row.height is None:
        raise UsageError(
            f"frame {row.frame} of {row.video} lacks the size of its view",
            hint="give width and height in the scene-graph file or its mapping, and ingest again",
        )
    return {
        "id": image_id,
        "file_name": coco_name(row),
        "width": row.width,
        "height": row.height,
        "sequence": row.sequence,
        "view": row.view,
        "frame": row.frame,
        "split": row.split,
    }
