"""Scene graphs as Action Genome has them, for the tools that train on it (STTran and others).

The trap of that format: the **person's box is xyxy and every object's box is xywh**. It is made
around one person: each object lists how the person relates to it, in three groups. What has no
place there (relationships between things, further persons' boxes beyond the list) is counted and
named in the result, not dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homage_sdk.export.images import action_genome_name
from homage_sdk.export.scene_graph_rows import FrameRow, frame_rows
from homage_sdk.taxonomy import class_key

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset

PERSON = "person"
GROUPS = ("attention_relationship", "spatial_relationship", "contacting_relationship")
ATTENTION = frozenset({"looking_at", "not_looking_at", "unsure"})
SPATIAL = frozenset(
    (
        *("above", "beneath", "behind", "in", "in_front_of", "inside"),
        *("near", "next_to", "on", "on_the_side_of", "under"),
    )
)


@dataclass
class ActionGenome:
    """The content of Action Genome's annotation files; F frames.

    Attributes:
        person_bbox: by frame name: ``bbox`` as rows of xyxy, ``bbox_size`` (width, height),
            ``bbox_mode`` ``"xyxy"``, ``bbox_score`` 1 for each.
        object_bbox_and_relationship: by frame name, a list of objects: ``class``, ``bbox`` as
            xywh, the three groups of relationships, ``metadata`` with ``tag`` and ``set``.
        object_classes: ``__background__``, ``person``, then the others.
        relationship_classes: attention, spatial, then contacting.
        frame_list: the frame names, F of them.
        left_out: what had no place, by kind.

    """

    person_bbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    object_bbox_and_relationship: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    object_classes: list[str] = field(default_factory=list)
    relationship_classes: list[str] = field(default_factory=list)
    frame_list: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def group_of(predicate: str, groups: Mapping[str, str] | None = None) -> str:
    """Which of the three groups a relationship belongs to.

    ``groups`` maps names to ``attention``, ``spatial`` or ``contacting`` and goes first; then come
    Action Genome's own words; what is neither attention nor spatial is contacting.

    >>> group_of("looking at"), group_of("in front of"), group_of("holding")
    ('attention_relationship', 'spatial_relationship', 'contacting_relationship')
    """
    key = class_key(predicate)
    named = {class_key(name): group for name, group in (groups or {}).items()}
    if key in named:
        return f"{named[key]}_relationship"
    if key in ATTENTION:
        return "attention_relationship"
    return "spatial_relationship" if key in SPATIAL else "contacting_relationship"


def action_genome(dataset: Dataset, groups: Mapping[str, str] | None = None) -> ActionGenome:
    """Every annotated frame of the selection in Action Genome's terms.

    A frame is named ``VIDEO.mp4/FRAME.png`` (1-based frame), as its readers split it. Class names
    have ``_`` for spaces, as there. ``set`` is ``train`` for the training split, else ``test``.

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
    for row in frame_rows(dataset):
        name = action_genome_name(row)
        if name in made.person_bbox:
            made.left_out["second annotations of the same frame"] += 1
            continue
        made.frame_list.append(name)
        _add(made, row, name, groups)
    names = [class_key(c.raw) for c in dataset.taxonomy("object").values()]
    made.object_classes = ["__background__", PERSON, *(n for n in names if n != PERSON)]
    predicates = [class_key(c.raw) for c in dataset.taxonomy("relationship").values()]
    made.relationship_classes = [
        p for group in GROUPS for p in predicates if group_of(p, groups) == group
    ]
    return made


def _add(made: ActionGenome, row: FrameRow, name: str, groups: Mapping[str, str] | None) -> None:
    persons = {i.object_id: i for i in row.objects if class_key(i.category) == PERSON}
    size = None if row.width is None or row.height is None else (row.width, row.height)
    made.person_bbox[name] = {
        "bbox": [list(person.box) for person in persons.values()],
        "bbox_score": [1.0] * len(persons),
        "bbox_size": size,
        "bbox_mode": "xyxy",
    }
    objects: dict[int, dict[str, Any]] = {}
    for item in row.objects:
        if item.object_id in persons:
            continue
        x1, y1, x2, y2 = item.box
        objects[item.object_id] = {
            "class": class_key(item.category),
            "bbox": (x1, y1, x2 - x1, y2 - y1),
            **{group: [] for group in GROUPS},
            "metadata": {"tag": name, "set": "train" if row.split == "train" else "test"},
            "visible": True,
        }
    for edge in row.relationships:
        if edge.subject_id not in persons:
            made.left_out["relationships that do not start at a person"] += 1
        elif edge.object_id not in objects:
            made.left_out["relationships between persons"] += 1
        else:
            listed = objects[edge.object_id][group_of(edge.category, groups)]
            if class_key(edge.category) not in listed:
                listed.append(class_key(edge.category))
    made.object_bbox_and_relationship[name] = list(objects.values())
