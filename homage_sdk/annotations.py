"""What HOMAGE says about a sequence: the typed models of its labels.

Frames are 1-based and inclusive, boxes are xyxy pixels of the annotated view. The models are
frozen: a label is a fact, not a workspace. ``schemas/`` holds their JSON Schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from homage_sdk.errors import UsageError
from homage_sdk.taxonomy import class_key
from homage_sdk.time import Interval

if TYPE_CHECKING:
    import networkx as nx

FrameNumber = Annotated[int, Field(ge=1, le=2**31 - 1, description="1-based frame number")]


class _Label(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Activity(_Label):
    """The one high-level activity of a sequence (paper, section 3)."""

    id: int = Field(ge=0, description="Stable class id within the activity taxonomy")
    name: str = Field(min_length=1, description="Raw class string, as published")


class AtomicAction(_Label):
    """One temporally localized action (FORMAT.md, grade A).

    >>> a = AtomicAction(action_id=0, class_id=4, name="take cup", first_frame=151, last_frame=180)
    >>> a.interval.duration_s()
    1.0
    """

    action_id: int = Field(ge=0, description="Unique within the catalog")
    class_id: int = Field(ge=0, description="Stable class id within the atomic taxonomy")
    name: str = Field(min_length=1, description="Raw class string, as published")
    first_frame: FrameNumber
    last_frame: FrameNumber

    @model_validator(mode="after")
    def _ordered(self) -> AtomicAction:
        if self.last_frame < self.first_frame:
            raise ValueError(f"last_frame {self.last_frame} lies before {self.first_frame}")
        return self

    @property
    def interval(self) -> Interval:
        """The frames of the action, both ends included."""
        return Interval(self.first_frame, self.last_frame)


class Box(_Label):
    """An axis-aligned box: pixels of the annotated view, ``x1 < x2`` and ``y1 < y2``.

    >>> Box(x1=0, y1=0, x2=10, y2=10).iou(Box(x1=5, y1=0, x2=15, y2=10))
    0.3333333333333333
    """

    x1: float
    y1: float
    x2: float
    y2: float

    @model_validator(mode="after")
    def _ordered(self) -> Box:
        if not (self.x1 < self.x2 and self.y1 < self.y2):
            raise ValueError(f"not a box: {self.xyxy}")
        return self

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return (self.x1, self.y1, self.x2, self.y2)

    @property
    def xywh(self) -> tuple[float, float, float, float]:
        """Left, top, width, height."""
        return (self.x1, self.y1, self.x2 - self.x1, self.y2 - self.y1)

    @property
    def area(self) -> float:
        """In square pixels."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        shared = max(0.0, width) * max(0.0, height)
        return shared / (self.area + other.area - shared)


class SceneObject(_Label):
    """An annotated object of one frame; ``object_id`` is unique within its scene graph."""

    object_id: int
    class_id: int = Field(ge=0)
    category: str = Field(min_length=1)
    box: Box


class Relationship(_Label):
    """A subject, a predicate, an object; the two ids point at objects of the same scene graph."""

    subject_id: int
    object_id: int
    class_id: int = Field(ge=0)
    category: str = Field(min_length=1)


class SceneGraph(_Label):
    """The objects and relationships of one annotated frame (paper, sections 3 and 4.1)."""

    scene_graph_id: int = Field(ge=0, description="Unique within the catalog")
    sequence: str
    view: int = Field(ge=0)
    frame: FrameNumber
    width: int | None = Field(default=None, gt=0, description="Pixels of the annotated view")
    height: int | None = Field(default=None, gt=0)
    objects: tuple[SceneObject, ...] = ()
    relationships: tuple[Relationship, ...] = ()

    def __getitem__(self, object_id: int) -> SceneObject:
        for item in self.objects:
            if item.object_id == object_id:
                return item
        raise KeyError(object_id)

    @property
    def triples(self) -> tuple[tuple[str, str, str], ...]:
        """Every relationship as (subject category, predicate, object category)."""
        names = {item.object_id: item.category for item in self.objects}
        return tuple(
            (names.get(r.subject_id, "?"), r.category, names.get(r.object_id, "?"))
            for r in self.relationships
        )

    def named(self, category: str) -> tuple[SceneObject, ...]:
        """The objects of a category, in any spelling."""
        key = class_key(category)
        return tuple(item for item in self.objects if class_key(item.category) == key)

    def neighbours(self, object_id: int) -> tuple[tuple[str, SceneObject], ...]:
        """The objects that share a relationship with this one, each with the predicate.

        In the order of the relationships, in both directions. Raises KeyError for an id that is not
        in the graph.
        """
        self[object_id]
        return tuple(
            (r.category, self[r.object_id if r.subject_id == object_id else r.subject_id])
            for r in self.relationships
            if object_id in (r.subject_id, r.object_id)
        )

    def to_networkx(self) -> nx.MultiDiGraph[int]:
        """As a networkx graph: objects are nodes (category, box), relationships edges (category).

        Raises UsageError when networkx is missing: it comes with ``homage-sdk[graph]``.
        """
        try:
            import networkx as nx
        except ImportError as error:
            raise UsageError(
                "networkx is not installed", hint="pip install 'homage-sdk[graph]'"
            ) from error
        made: nx.MultiDiGraph[int] = nx.MultiDiGraph(
            sequence=self.sequence, view=self.view, frame=self.frame
        )
        for item in self.objects:
            made.add_node(item.object_id, category=item.category, box=item.box.xyxy)
        for r in self.relationships:
            made.add_edge(r.subject_id, r.object_id, category=r.category, class_id=r.class_id)
        return made
