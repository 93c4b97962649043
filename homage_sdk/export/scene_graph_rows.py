"""The scene graphs of a selection as plain rows, for the exporters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from homage_sdk.errors import CatalogError
from homage_sdk.ids import SequenceId

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset

Xyxy = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class BoxRow:
    """An object of an annotated frame; ``box`` is xyxy pixels."""

    object_id: int
    class_id: int
    name: str
    box: Xyxy


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """A relationship of an annotated frame."""

    subject_id: int
    object_id: int
    class_id: int
    name: str


@dataclass(frozen=True, slots=True)
class FrameRow:
    """An annotated frame with all it holds."""

    scene_graph_id: int
    sequence: str
    view: int
    frame: int
    width: int | None
    height: int | None
    split: str | None
    objects: tuple[BoxRow, ...]
    relationships: tuple[EdgeRow, ...]

    @property
    def video(self) -> str:
        """The id of the annotated video."""
        return str(SequenceId.parse(self.sequence).view(self.view))


def frame_rows(dataset: Dataset) -> Iterator[FrameRow]:
    """Every annotated frame of the selection, by sequence, view and frame.

    A frame without a size of its own has that of its view, where its video was probed.

    Raises CatalogError for a relationship whose subject or object is not in its frame.
    """
    objects = dataset.taxonomy("object")
    predicates = dataset.taxonomy("relationship")
    boxes = {
        graph: tuple(
            BoxRow(row[1], row[2], objects[row[2]].name, (row[3], row[4], row[5], row[6]))
            for row in rows
        )
        for graph, rows in _grouped(dataset, "objects").items()
    }
    edges = {
        graph: tuple(EdgeRow(row[1], row[2], row[3], predicates[row[3]].name) for row in rows)
        for graph, rows in _grouped(dataset, "relationships").items()
    }
    sizes = {
        (row["sequence"], row["view"]): (row["width"], row["height"])
        for row in dataset.table("views").to_pylist()
    }
    splits = {row["sequence"]: row["split"] for row in dataset.table("sequences").to_pylist()}
    rows = dataset.table("frames").drop_columns(["action_ids"]).to_pylist()
    for row in sorted(rows, key=itemgetter("sequence", "view", "frame", "scene_graph_id")):
        graph = row["scene_graph_id"]
        there = {item.object_id for item in boxes.get(graph, ())}
        for edge in edges.get(graph, ()):
            if not {edge.subject_id, edge.object_id} <= there:
                raise CatalogError(
                    f"frame {row['frame']} of {row['sequence']} relates an object it does not hold",
                    place=str(dataset.path),
                    hint="run `homage ingest` again",
                )
        if row["width"] is None or row["height"] is None:
            unknown = (None, None)
            row["width"], row["height"] = sizes.get((row["sequence"], row["view"]), unknown)
        yield FrameRow(
            **row,
            split=splits[row["sequence"]],
            objects=boxes.get(graph, ()),
            relationships=edges.get(graph, ()),
        )


def _grouped(dataset: Dataset, name: str) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of a table by scene graph, in the order of the table."""
    table = dataset.table(name)
    columns = [column.to_pylist() for column in table.columns]
    rows = sorted(zip(*columns, strict=True), key=itemgetter(0))
    return {graph: list(group) for graph, group in groupby(rows, key=itemgetter(0))}
