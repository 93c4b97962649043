"""``ann.json``: everything labelled about a sample, as it is packed, read, checked and published.

A class is there by name, id and *column*: its rank among the ids of its taxonomy, which is where
models have it. Frames are 1-based and inclusive, boxes xyxy pixels of the annotated view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from homage_sdk.annotations import FrameNumber
from homage_sdk.errors import ShardError
from homage_sdk.shards.format.strict_json import StrictModel, parse_json

if TYPE_CHECKING:
    from homage_sdk.annotations import SceneGraph
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.taxonomy import Taxonomy

ANNOTATIONS = "ann.json"

MAX_GRAPH = 10_000
"""No annotated frame has more objects or relationships: a batch is padded to its largest graph."""

Column = Annotated[int, Field(ge=0, le=2**31 - 1, description="Rank of the class among the ids")]
Side = Annotated[int, Field(ge=0, description="Pixels of the annotated view")]


class PackedActivity(StrictModel):
    """The activity of a sample."""

    id: int
    name: str
    column: Column


class _OfClass(StrictModel):
    class_id: int
    column: Column


class PackedAction(_OfClass):
    """One atomic action, from its first to its last frame, both included."""

    name: str
    first_frame: FrameNumber
    last_frame: FrameNumber


class PackedObject(_OfClass):
    """One object of an annotated frame; its id is unique there."""

    id: int
    name: str
    box: tuple[float, float, float, float]


class PackedRelationship(_OfClass):
    """A predicate between two objects of an annotated frame, by their ids."""

    subject: int
    object: int
    name: str


class PackedGraph(StrictModel):
    """The objects and relationships of one annotated frame of one view."""

    view: int
    frame: FrameNumber
    width: Side | None
    height: Side | None
    objects: Annotated[tuple[PackedObject, ...], Field(max_length=MAX_GRAPH)]
    relationships: Annotated[tuple[PackedRelationship, ...], Field(max_length=MAX_GRAPH)]


class Annotations(StrictModel):
    """All labels of a sample: those of its whole sequence, but scene graphs of its own span."""

    activity: PackedActivity | None
    atomic_actions: tuple[PackedAction, ...]
    scene_graphs: tuple[PackedGraph, ...]

    @classmethod
    def of(
        cls, sequence: Sequence, graphs: Iterable[SceneGraph], taxonomies: Mapping[str, Taxonomy]
    ) -> Annotations:
        """All labels of a sequence, and these of its scene graphs."""
        sizes = {view.number: (view.width, view.height) for view in sequence.views}
        unknown = (None, None)

        def of_class(kind: str, class_id: int) -> dict[str, int]:
            return {"class_id": class_id, "column": taxonomies[kind].index(class_id)}

        return cls(
            activity=None
            if (activity := sequence.activity) is None
            else PackedActivity(
                id=activity.id,
                name=activity.name,
                column=taxonomies["activity"].index(activity.id),
            ),
            atomic_actions=tuple(
                PackedAction(
                    name=action.name,
                    first_frame=action.first_frame,
                    last_frame=action.last_frame,
                    **of_class("atomic", action.class_id),
                )
                for action in sequence.atomic_actions
            ),
            scene_graphs=tuple(
                PackedGraph(
                    view=graph.view,
                    frame=graph.frame,
                    width=graph.width or sizes.get(graph.view, unknown)[0],
                    height=graph.height or sizes.get(graph.view, unknown)[1],
                    objects=tuple(
                        PackedObject(
                            id=item.object_id,
                            name=item.name,
                            box=item.box.xyxy,
                            **of_class("object", item.class_id),
                        )
                        for item in graph.objects
                    ),
                    relationships=tuple(
                        PackedRelationship(
                            subject=item.subject_id,
                            object=item.object_id,
                            name=item.name,
                            **of_class("relationship", item.class_id),
                        )
                        for item in graph.relationships
                    ),
                )
                for graph in graphs
            ),
        )

    @classmethod
    def parse(cls, data: bytes, place: str, n_classes: Mapping[str, int]) -> Annotations:
        """What a member of a shard says; ``n_classes`` of each kind bound the columns.

        Raises ShardError when it is malformed, or a column is out of range.
        """
        found = parse_json(cls, data, place, what=ANNOTATIONS)
        for kind, column in found._columns():
            if column >= n_classes[kind]:
                raise ShardError(
                    "class column out of range",
                    place=place,
                    found=f"{kind} column {column}",
                    expected=f"below {n_classes[kind]}",
                )
        return found

    def _columns(self) -> Iterator[tuple[str, int]]:
        """The kind and the column of every class that is named."""
        if self.activity is not None:
            yield "activity", self.activity.column
        for action in self.atomic_actions:
            yield "atomic", action.column
        for graph in self.scene_graphs:
            for item in graph.objects:
                yield "object", item.column
            for relationship in graph.relationships:
                yield "relationship", relationship.column
