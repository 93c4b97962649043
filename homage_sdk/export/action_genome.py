"""Scene graphs as Action Genome has them, for the tools that train on it (STTran and others).

The trap of that format: the **person's box is xyxy and every object's box is xywh**. It is made
around one person: each object lists how the person relates to it, in three groups. What has no
place there is counted by kind in ``left_out``; what is written though the well-known readers skip
it, or take it otherwise, in ``beware``. Nothing is dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homage_sdk.export.action_genome_classes import (
    ATTENTION,
    GROUPS,
    PERSON,
    PUBLISHED,
    SPATIAL,
    group_of,
    object_classes,
    relationship_classes,
)
from homage_sdk.export.images import action_genome_name
from homage_sdk.export.scene_graph_rows import BoxRow, EdgeRow, FrameRow, frame_rows
from homage_sdk.taxonomy import class_key

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset

_FEWEST_FRAMES = 3
"""Of a video that readers take."""


@dataclass
class ActionGenome:
    """The content of Action Genome's annotation files; F frames.

    Attributes:
        person_bbox: by frame name: ``bbox`` as rows of xyxy (one, or none), ``bbox_size`` (width,
            height), ``bbox_mode`` ``"xyxy"``, ``bbox_score`` 1 for each.
        object_bbox_and_relationship: by frame name, one object or more: ``class``, ``bbox`` as
            xywh, the three groups of relationships, ``metadata`` with ``tag`` and ``set``.
        object_classes: ``person`` first, and no ``__background__``: readers prepend it.
        relationship_classes: attention, spatial, then contacting.
        relationship_groups: of each group its first class and the one after its last, from 0.
        frame_list: the frame names, F of them.
        left_out: what is not in these files, by kind.
        beware: what is, and well-known readers skip or take otherwise, by kind.

    """

    person_bbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    object_bbox_and_relationship: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    object_classes: list[str] = field(default_factory=list)
    relationship_classes: list[str] = field(default_factory=list)
    relationship_groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    frame_list: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    beware: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """How many frames, persons, objects and relationships the files hold."""
        objects = [each for items in self.object_bbox_and_relationship.values() for each in items]
        return {
            "frames": len(self.frame_list),
            "persons": sum(len(entry["bbox"]) for entry in self.person_bbox.values()),
            "objects": len(objects),
            "relationships": sum(len(each[group]) for each in objects for group in GROUPS),
        }


def action_genome(
    dataset: Dataset, groups: Mapping[str, str] | None = None, *, unsure: bool = False
) -> ActionGenome:
    """Every annotated frame of the selection in Action Genome's terms.

    A frame is named ``VIDEO.mp4/FRAME.png`` (1-based frame), as its readers split it. Class names
    have ``_`` for spaces, as there. ``set`` is ``train`` for the training split, else ``test``. Of
    several persons the one with the most relationships is kept, of several attention labels the
    first in Action Genome's order: its evaluation knows one of each. With ``unsure`` an object that
    has no attention label is given that one.

    >>> made = action_genome(Dataset(catalog))
    >>> name = made.frame_list[0]
    >>> name, made.person_bbox[name]["bbox"]
    ('p0001_r001_v001_a001.mp4/000031.png', [[100.0, 50.0, 300.0, 450.0]])
    >>> cup = made.object_bbox_and_relationship[name][0]
    >>> cup["class"], cup["bbox"], cup["contacting_relationship"]
    ('cup', (250.0, 200.0, 40.0, 40.0), ['holding'])
    >>> made.left_out
    Counter({'relationships that do not start at a person': 5})
    """
    made = ActionGenome()
    made.object_classes = object_classes(c.name for c in dataset.taxonomy("object").values())
    predicates = [c.name for c in dataset.taxonomy("relationship").values()]
    made.relationship_classes, made.relationship_groups = relationship_classes(predicates, groups)
    n_frames: Counter[str] = Counter()
    for row in frame_rows(dataset):
        name = action_genome_name(row)
        if name in made.person_bbox:
            _leave_out(made, row, "second annotations of the same frame")
        elif all(class_key(item.name) == PERSON for item in row.objects):
            _leave_out(made, row, "frames without an object")
        else:
            _add(made, row, name, groups, unsure)
            n_frames[row.video] += bool(made.person_bbox[name]["bbox"])
    few = {video: n for video, n in n_frames.items() if n < _FEWEST_FRAMES}
    _count(made.beware, "videos of fewer than three frames with a person: skipped", len(few))
    _count(made.beware, "frames in them", sum(few.values()))
    known = {word for words in PUBLISHED.values() for word in words}
    others = sum(word not in known for word in made.relationship_classes)
    _count(made.beware, "relationship classes that Action Genome does not have", others)
    return made


def _count(counter: Counter[str], what: str, n: int = 1) -> None:
    if n:
        counter[what] += n


def _leave_out(made: ActionGenome, row: FrameRow, why: str) -> None:
    made.left_out[why] += 1
    _count(made.left_out, "objects and persons in them", len(row.objects))
    _count(made.left_out, "relationships in them", len(row.relationships))


def _add(
    made: ActionGenome, row: FrameRow, name: str, groups: Mapping[str, str] | None, unsure: bool
) -> None:
    persons = {i.object_id: i for i in row.objects if class_key(i.name) == PERSON}
    chosen = _chosen_person(persons, row.relationships)
    size = None if row.width is None or row.height is None else (row.width, row.height)
    made.frame_list.append(name)
    made.person_bbox[name] = {
        "bbox": [] if chosen is None else [list(persons[chosen].box)],
        "bbox_score": [] if chosen is None else [1.0],
        "bbox_size": size,
        "bbox_mode": "xyxy",
    }
    subset = "train" if row.split == "train" else "test"
    objects = {
        item.object_id: _object(item, {"tag": name, "set": subset})
        for item in row.objects
        if item.object_id not in persons
    }
    made.object_bbox_and_relationship[name] = list(objects.values())
    _count(made.left_out, "further persons of a frame", max(0, len(persons) - 1))
    _count(made.beware, "frames without a person: skipped", int(chosen is None))
    _count(made.beware, "frames without the size of the picture", int(size is None))
    if row.split not in ("train", "test"):
        made.beware[f"frames of {row.split or 'no split'}: in the set test"] += 1
    for edge in row.relationships:
        _relate(made, edge, persons, chosen, objects, groups)
    for item in objects.values():
        labels = item[ATTENTION]
        if len(labels) > 1:
            made.left_out["attention labels beyond the first of an object"] += len(labels) - 1
            order = made.relationship_classes.index
            item[ATTENTION] = sorted(labels, key=order)[:1]
        elif not labels and unsure:
            item[ATTENTION] = ["unsure"]
            made.beware["objects given the attention label unsure"] += 1
        elif not labels:
            made.beware["objects without an attention label: STTran's evaluation fails"] += 1


def _chosen_person(persons: Mapping[int, BoxRow], edges: tuple[EdgeRow, ...]) -> int | None:
    """The person with the most relationships to things; of equal ones the first."""
    n_edges = Counter(edge.subject_id for edge in edges if edge.object_id not in persons)
    return max(persons, key=lambda each: n_edges[each], default=None)


def _object(item: BoxRow, metadata: dict[str, str]) -> dict[str, Any]:
    x1, y1, x2, y2 = item.box
    return {
        "class": class_key(item.name),
        "bbox": (x1, y1, x2 - x1, y2 - y1),
        **{group: [] for group in GROUPS},
        "metadata": metadata,
        "visible": True,
    }


def _relate(
    made: ActionGenome,
    edge: EdgeRow,
    persons: Mapping[int, BoxRow],
    chosen: int | None,
    objects: Mapping[int, dict[str, Any]],
    groups: Mapping[str, str] | None,
) -> None:
    if edge.subject_id not in persons:
        made.left_out["relationships that do not start at a person"] += 1
    elif edge.object_id in persons:
        made.left_out["relationships between persons"] += 1
    elif edge.subject_id != chosen:
        made.left_out["relationships of further persons"] += 1
    else:
        group = group_of(edge.name, groups)
        listed, word = objects[edge.object_id][group], class_key(edge.name)
        if word in listed:
            made.left_out["relationships said twice"] += 1
            return
        listed.append(word)
        if group == SPATIAL:
            made.beware["spatial relationships: STTran's evaluation runs object to person"] += 1
