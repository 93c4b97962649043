"""What HOMAGE says about a sequence: the typed values of its labels.

Frames are 1-based and inclusive, boxes are xyxy pixels of the annotated view. The values are
frozen: a label is a fact, not a workspace. ``schemas/`` holds their JSON Schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from homage_sdk.errors import LabelError, UnknownIdError, UsageError
from homage_sdk.taxonomy import class_key
from homage_sdk.time import Interval

if TYPE_CHECKING:
    import networkx as nx

FrameNumber = Annotated[int, Field(ge=1, le=2**31 - 1, description="1-based frame number")]
ClassId = Annotated[int, Field(ge=0, description="Stable class id within its taxonomy")]
Name = Annotated[str, Field(min_length=1, description="Class name, as published")]
Pixels = Annotated[int, Field(gt=0, description="Pixels of the annotated view")]


@dataclass(frozen=True, slots=True)
class Activity:
    """The one high-level activity of a sequence (paper, section 3)."""

    id: ClassId
    name: Name


@dataclass(frozen=True, slots=True)
class AtomicAction:
    """One temporally localized action (FORMAT.md, grade A).

    Attributes:
        action_id: unique within the catalog.
        class_id: stable class id within the atomic taxonomy.
        name: of the class, as published.
        first_frame: 1-based, included.
        last_frame: 1-based, included.

    Raises:
        LabelError: ``last_frame`` lies before ``first_frame``, or that before 1.

    >>> a = AtomicAction(action_id=0, class_id=4, name="take cup", first_frame=151, last_frame=180)
    >>> a.interval.duration_s()
    1.0

    """

    action_id: int
    class_id: ClassId
    name: Name
    first_frame: FrameNumber
    last_frame: FrameNumber

    def __post_init__(self) -> None:
        if not 1 <= self.first_frame <= self.last_frame:
            Interval(self.first_frame, self.last_frame)  # says what is wrong

    @property
    def interval(self) -> Interval:
        """The frames of the action, both ends included."""
        return Interval(self.first_frame, self.last_frame)


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box: pixels of the annotated view.

    Raises LabelError unless ``x1 < x2`` and ``y1 < y2``.

    >>> Box(0, 0, 10, 10).iou(Box(5, 0, 15, 10))
    0.3333333333333333
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        if not (self.x1 < self.x2 and self.y1 < self.y2):
            raise LabelError("not a box", found=str(self.xyxy), expected="x1 < x2 and y1 < y2")

    def __repr__(self) -> str:
        return f"Box({self.x1:g}, {self.y1:g}, {self.x2:g}, {self.y2:g})"

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


@dataclass(frozen=True, slots=True)
class SceneObject:
    """An annotated object of one frame; ``object_id`` is unique within its scene graph."""

    object_id: int
    class_id: ClassId
    name: Name
    box: Box


@dataclass(frozen=True, slots=True)
class Relationship:
    """A subject, a predicate, an object; the two ids point at objects of the same scene graph.

    ``class_id`` and ``name`` are the predicate's.
    """

    subject_id: int
    object_id: int
    class_id: ClassId
    name: Name


@dataclass(frozen=True, slots=True)
class SceneGraph:
    """The objects and relationships of one annotated frame (paper, sections 3 and 4.1).

    Attributes:
        scene_graph_id: unique within the catalog.
        sequence: sequence id.
        view: number of the annotated view.
        frame: annotation frame number, 1-based.
        width: pixels of the annotated view; None where the labels do not say.
        height: likewise.
        objects: in the order of their ids.
        relationships: in published order.

    """

    scene_graph_id: int
    sequence: str
    view: Annotated[int, Field(ge=0)]
    frame: FrameNumber
    width: Pixels | None = None
    height: Pixels | None = None
    objects: tuple[SceneObject, ...] = ()
    relationships: tuple[Relationship, ...] = ()

    def __post_init__(self) -> None:
        if self.frame < 1:
            raise LabelError("frames count from 1", found=str(self.frame), expected="1 or more")

    def __repr__(self) -> str:
        there = f"{len(self.objects)} objects, {len(self.relationships)} relationships"
        return f"SceneGraph({self.sequence!r}, view {self.view}, frame {self.frame}, {there})"

    def __getitem__(self, object_id: int) -> SceneObject:
        for item in self.objects:
            if item.object_id == object_id:
                return item
        raise UnknownIdError(
            f"no object {object_id} in this scene graph",
            expected=f"one of {', '.join(str(item.object_id) for item in self.objects)}",
        )

    @property
    def triples(self) -> tuple[tuple[str, str, str], ...]:
        """Every relationship as (subject, predicate, object), by name."""
        names = {item.object_id: item.name for item in self.objects}
        return tuple(
            (names.get(r.subject_id, "?"), r.name, names.get(r.object_id, "?"))
            for r in self.relationships
        )

    def named(self, name: str) -> tuple[SceneObject, ...]:
        """The objects of a class, in any spelling."""
        key = class_key(name)
        return tuple(item for item in self.objects if class_key(item.name) == key)

    def neighbours(self, object_id: int) -> tuple[tuple[str, SceneObject], ...]:
        """The objects that share a relationship with this one, each with the predicate.

        In the order of the relationships, in both directions. Raises UnknownIdError for an id that
        is not in the graph.
        """
        self[object_id]
        return tuple(
            (r.name, self[r.object_id if r.subject_id == object_id else r.subject_id])
            for r in self.relationships
            if object_id in (r.subject_id, r.object_id)
        )

    def to_networkx(self) -> nx.MultiDiGraph:  # type: ignore[type-arg]  # a class without []
        """As a networkx graph: objects are nodes (name, box), relationships edges (name).

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
            made.add_node(item.object_id, name=item.name, box=item.box.xyxy)
        for r in self.relationships:
            made.add_edge(r.subject_id, r.object_id, name=r.name, class_id=r.class_id)
        return made
