"""Documents of other shapes to a list of frames: keyed frames, COCO, Action Genome."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from homage_sdk.release.faults import Faults
from homage_sdk.release.labels.json_records import KEY_MISSING, WRONG_DOCUMENT, WRONG_TYPE, keys_of
from homage_sdk.release.labels.json_text import escape
from homage_sdk.release.scene_graphs.mapping import SceneGraphMap


@dataclass(frozen=True, slots=True)
class VideoDocument:
    """The frames of one video, in whatever shape they were, and what the document says of it."""

    head: dict[str, Any]
    frames: Any
    pointer: str = ""
    frames_pointer: str = ""


def videos_of(document: Any, mapping: SceneGraphMap, faults: Faults) -> Iterator[VideoDocument]:
    """The videos of a document; one that is no object is noted and gives none."""
    if not isinstance(document, dict):
        faults.add(WRONG_DOCUMENT, found=document, expected="an object {...}")
        return
    key = mapping.keys.frames
    if mapping.files.shape == "coco":
        yield from _coco(document, mapping, faults)
    elif mapping.files.shape == "action-genome":
        yield from _action_genome(document, mapping)
    elif key and key not in document:
        found = f"only {keys_of(document)}" if document else "nothing"
        faults.add(
            KEY_MISSING,
            pointer=f"/{escape(key)}",
            found=found,
            expected="the frames",
            hint="say in a --scene-graph-map file under which key they are: "
            "docs/scene_graph_maps.md",
        )
    elif mapping.files.shape == "keyed":
        frames = document[key] if key else document
        pointer = f"/{escape(key)}" if key else ""
        yield VideoDocument(
            document if key else {}, _keyed(frames, mapping, pointer, faults), "", pointer
        )
    else:
        yield VideoDocument(document, document[key], "", f"/{escape(key)}")


def _keyed(frames: Any, mapping: SceneGraphMap, pointer: str, faults: Faults) -> list[Any]:
    if not isinstance(frames, dict):
        faults.add(WRONG_TYPE, pointer=pointer, found=frames, expected="an object of frames")
        return []
    return [
        {**frame, mapping.keys.frame: _last_number(key)} if isinstance(frame, dict) else frame
        for key, frame in frames.items()
    ]


def _last_number(text: str) -> int | str:
    """The number that ends a key such as ``151`` or ``000151.png``."""
    digits = re.findall(r"[0-9]{1,15}", text)
    return int(digits[-1]) if digits else text


def _list(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = document.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _coco(
    document: dict[str, Any], mapping: SceneGraphMap, faults: Faults
) -> Iterator[VideoDocument]:
    """``images`` with ``file_name``, ``annotations`` by ``image_id``, optional ``relationships``.

    The frame is the image's ``frame_id`` or the last number in its file name.
    """
    keys = mapping.keys
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            faults.add(
                KEY_MISSING, pointer=f"/{key}", found=document.get(key), expected="a list (COCO)"
            )
            return
    names = {str(c.get("id")): c.get("name") for c in _list(document, "categories")}
    predicates = {str(c.get("id")): c.get("name") for c in _list(document, "predicates")}
    boxes: dict[str, list[Any]] = {}
    for item in _list(document, "annotations"):
        number = str(item.get("category_id"))
        boxes.setdefault(str(item.get("image_id")), []).append(
            {
                keys.object_id: item.get("id"),
                keys.category: names.get(number),
                keys.box: item.get("bbox"),
            }
        )
    links: dict[str, list[Any]] = {}
    for item in _list(document, "relationships"):
        predicate = item.get("predicate", predicates.get(str(item.get("predicate_id"))))
        links.setdefault(str(item.get("image_id")), []).append(
            {
                keys.subject: item.get("subject_id"),
                keys.object: item.get("object_id"),
                keys.predicate: predicate,
            }
        )
    for image in _list(document, "images"):
        key = str(image.get("id"))
        name = str(image.get("file_name", ""))
        number = image.get("frame_id", _last_number(name.rsplit("/", 1)[-1]))
        frame = {
            keys.frame: number,
            keys.objects: boxes.get(key, []),
            keys.relationships: links.get(key, []),
        }
        head = {keys.video: name, keys.width: image.get("width"), keys.height: image.get("height")}
        yield VideoDocument(head, [frame])


_AG_KINDS = ("attention_relationship", "spatial_relationship", "contacting_relationship")


def _action_genome(document: dict[str, Any], mapping: SceneGraphMap) -> Iterator[VideoDocument]:
    """``{"VIDEO/000151.png": [{class, bbox, attention_relationship: [...], ...}]}``.

    The person is the entry of class ``person``; all relationships are the person's.
    """
    keys = mapping.keys
    for name, entries in document.items():
        objects: list[Any] = []
        links: list[Any] = []
        items = entries if isinstance(entries, list) else [entries]
        person = next(
            (i for i, e in enumerate(items) if isinstance(e, dict) and e.get("class") == "person"),
            None,
        )
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                objects.append(item)
                continue
            objects.append(
                {
                    keys.object_id: index,
                    keys.category: item.get("class"),
                    keys.box: item.get("bbox"),
                }
            )
            if person is None or index == person:
                continue
            for kind in _AG_KINDS:
                found = item.get(kind)
                links += [
                    {keys.subject: person, keys.object: index, keys.predicate: predicate}
                    for predicate in (found if isinstance(found, list) else [])
                ]
        frame = {
            keys.frame: _last_number(name.rsplit("/", 1)[-1]),
            keys.objects: objects,
            keys.relationships: links,
        }
        yield VideoDocument({keys.video: name}, [frame])
