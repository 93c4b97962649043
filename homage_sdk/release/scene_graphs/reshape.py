"""Documents of other shapes to a list of frames: keyed frames, COCO, Action Genome."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from homage_sdk.problems import Code, Severity
from homage_sdk.release.faults import Faults
from homage_sdk.release.labels.json_records import (
    KEY_MISSING,
    NOT_AN_OBJECT,
    WRONG_DOCUMENT,
    WRONG_TYPE,
    keys_of,
)
from homage_sdk.release.labels.json_text import escape
from homage_sdk.release.scene_graphs.mapping import SceneGraphMap
from homage_sdk.taxonomy import class_key

NO_PERSON = Code(
    "HOM135",
    "relationships of a frame without a person",
    why="In Action Genome's shape every relationship is the person's, and the list of this frame "
    "has no entry of class person. The relationships are left out.",
    hint="add the person's box to the list: Action Genome itself keeps it in person_bbox, and "
    "`homage export` writes both together as action_genome.json",
    example='{"VIDEO.mp4/000151.png": [{"class": "iron", "contacting_relationship": ["holding"]}]}',
)
SEVERAL_PERSONS = Code(
    "HOM136",
    "relationships of a frame with several persons",
    severity=Severity.WARNING,
    why="In Action Genome's shape nothing says whose the relationships are. They are taken for the "
    "first person's.",
    hint="leave one person in the list, or describe the frames in another shape",
    example='[{"class": "person", ...}, {"class": "person", ...}, {"class": "iron", ...}]',
)
NO_IMAGE = Code(
    "HOM137",
    "label of an image that is not in the document",
    why="Its image_id is that of no entry of images. It is left out.",
    hint="add the image, or correct the image_id",
    example='"annotations": [{"id": 1, "image_id": 99, ...}], and no image 99',
)


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
        yield from _action_genome(document, mapping, faults)
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


def _list(document: dict[str, Any], key: str, faults: Faults) -> list[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with the pointer to it; an absent list is empty."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        faults.add(WRONG_TYPE, pointer=f"/{key}", found=value, expected="a list")
        return []
    found = []
    for index, item in enumerate(value):
        pointer = f"/{key}/{index}"
        if isinstance(item, dict):
            found.append((pointer, item))
        else:
            faults.add(NOT_AN_OBJECT, pointer=pointer, found=item, expected="an object {...}")
    return found


def _coco(
    document: dict[str, Any], mapping: SceneGraphMap, faults: Faults
) -> Iterator[VideoDocument]:
    """``images`` with ``file_name``, ``annotations`` by ``image_id``, optional ``relationships``.

    The frame is the image's ``frame_id`` or the last number in its file name. A relationship names
    annotations as ``subject_id`` and ``object_id`` (or ``subject`` and ``object``), and its class
    as ``predicate`` or by the ``predicate_id`` of ``predicates``.
    """
    keys = mapping.keys
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            faults.add(
                KEY_MISSING, pointer=f"/{key}", found=document.get(key), expected="a list (COCO)"
            )
            return
    names = {str(c.get("id")): c.get("name") for _, c in _list(document, "categories", faults)}
    predicates = {str(c.get("id")): c.get("name") for _, c in _list(document, "predicates", faults)}
    images = [image for _, image in _list(document, "images", faults)]
    ids = {str(image.get("id")) for image in images}

    def by_image(key: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for pointer, item in _list(document, key, faults):
            image = item.get("image_id")
            if str(image) in ids:
                yield str(image), item
            else:
                place = f"{pointer}/image_id"
                faults.add(NO_IMAGE, pointer=place, found=image, expected="the id of an image")

    boxes: dict[str, list[Any]] = {}
    for image, item in by_image("annotations"):
        boxes.setdefault(image, []).append(
            {
                keys.object_id: item.get("id"),
                keys.category: names.get(str(item.get("category_id"))),
                keys.box: item.get("bbox"),
            }
        )
    links: dict[str, list[Any]] = {}
    for image, item in by_image("relationships"):
        predicate = item.get("predicate", predicates.get(str(item.get("predicate_id"))))
        links.setdefault(image, []).append(
            {
                keys.subject: item.get("subject_id", item.get("subject")),
                keys.object: item.get("object_id", item.get("object")),
                keys.predicate: predicate,
            }
        )
    for picture in images:
        key = str(picture.get("id"))
        name = str(picture.get("file_name", ""))
        frame = {
            keys.frame: picture.get("frame_id", _last_number(name.rsplit("/", 1)[-1])),
            keys.objects: boxes.get(key, []),
            keys.relationships: links.get(key, []),
        }
        size = {keys.width: picture.get("width"), keys.height: picture.get("height")}
        yield VideoDocument({keys.video: name} | size, [frame])


_AG_KINDS = ("attention_relationship", "spatial_relationship", "contacting_relationship")


def _action_genome(
    document: dict[str, Any], mapping: SceneGraphMap, faults: Faults
) -> Iterator[VideoDocument]:
    """``{"VIDEO/000151.png": [{class, bbox, attention_relationship: [...], ...}]}``.

    The person is the entry of class ``person``; all relationships are the person's. Its
    ``bbox_size``, where there is one, is the size of the picture.
    """
    keys = mapping.keys
    for name, entries in document.items():
        place = f"/{escape(name)}"
        objects: list[Any] = []
        links: list[Any] = []
        items = entries if isinstance(entries, list) else [entries]
        persons = [i for i, item in enumerate(items) if _is_person(item)]
        person = persons[0] if persons else None
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
            links += [
                {keys.subject: person, keys.object: index, keys.predicate: predicate}
                for predicate in _predicates(item, f"{place}/{index}", faults)
                if index != person
            ]
        if links and len(persons) != 1:
            code = SEVERAL_PERSONS if persons else NO_PERSON
            found = f"{len(persons)} persons, {len(links)} relationships"
            faults.add(code, pointer=place, found=found, expected="one person")
        frame = {
            keys.frame: _last_number(name.rsplit("/", 1)[-1]),
            keys.objects: objects,
            keys.relationships: links if persons else [],
        }
        head = {keys.video: name}
        if person is not None and isinstance(size := items[person].get("bbox_size"), list):
            head |= dict(zip((keys.width, keys.height), size, strict=False))
        yield VideoDocument(head, [frame])


def _is_person(item: Any) -> bool:
    name = item.get("class") if isinstance(item, dict) else None
    return isinstance(name, str) and class_key(name) == "person"


def _predicates(item: dict[str, Any], place: str, faults: Faults) -> Iterator[Any]:
    """The relationships of an entry in all three groups; a group may be absent or null."""
    for group in _AG_KINDS:
        found = item.get(group)
        if isinstance(found, list):
            yield from found
        elif found is not None:
            pointer = f"{place}/{group}"
            faults.add(WRONG_TYPE, pointer=pointer, found=found, expected="a list of names")
