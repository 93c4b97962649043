"""The labels of one sequence: rows of the catalog as typed annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from homage_sdk.annotations import AtomicAction, Box, Relationship, SceneGraph, SceneObject
from homage_sdk.catalog.schema import TABLES
from homage_sdk.catalog.tables import Catalog
from homage_sdk.dataset.atomic_actions import AtomicActions
from homage_sdk.dataset.scene_graphs import SceneGraphs
from homage_sdk.errors import CatalogError, LabelError

T = TypeVar("T")


@contextmanager
def _of(sequence: str) -> Iterator[None]:
    """Labels that break their own rules mean that something else wrote the catalog."""
    try:
        yield
    except (LabelError, KeyError) as error:
        raise CatalogError(
            f"the labels of {sequence} contradict the catalog's rules",
            found=str(error).splitlines()[0],
            hint="run `homage ingest` again",
        ) from error


def read_atomic_actions(catalog: Catalog, sequence: str) -> AtomicActions:
    """The atomic actions of a sequence; CatalogError where a row cannot be one."""
    names = catalog.taxonomy("atomic")
    with _of(sequence):
        return AtomicActions(
            AtomicAction(
                action_id=row["action_id"],
                class_id=row["class_id"],
                name=names[row["class_id"]].name,
                first_frame=row["first_frame"],
                last_frame=row["last_frame"],
            )
            for row in catalog.table("atomic_actions", [sequence]).to_pylist()
        )


def read_scene_graphs(catalog: Catalog, sequence: str) -> SceneGraphs:
    """The scene graphs of a sequence; CatalogError where a row cannot be a part of one."""
    frames = catalog.table("frames", [sequence]).to_pylist()
    ids = [row["scene_graph_id"] for row in frames]
    with _of(sequence):
        objects, relationships = _objects(catalog, ids), _relationships(catalog, ids)
        return SceneGraphs(
            SceneGraph(
                scene_graph_id=row["scene_graph_id"],
                sequence=row["sequence"],
                view=row["view"],
                frame=row["frame"],
                width=row["width"],
                height=row["height"],
                objects=tuple(objects[row["scene_graph_id"]]),
                relationships=tuple(relationships[row["scene_graph_id"]]),
            )
            for row in frames
        )


def _objects(catalog: Catalog, graphs: list[int]) -> dict[int, list[SceneObject]]:
    of_graph, object_id, class_id, *corners = _columns(catalog, "objects", graphs)
    names = catalog.taxonomy("object").names_of(class_id)
    made = map(SceneObject, object_id, class_id, names, map(Box, *corners))
    return _grouped(graphs, of_graph, made)


def _relationships(catalog: Catalog, graphs: list[int]) -> dict[int, list[Relationship]]:
    of_graph, subject_id, object_id, class_id = _columns(catalog, "relationships", graphs)
    names = catalog.taxonomy("relationship").names_of(class_id)
    return _grouped(graphs, of_graph, map(Relationship, subject_id, object_id, class_id, names))


def _columns(catalog: Catalog, name: str, graphs: list[int]) -> list[list[Any]]:
    table = catalog.of_graphs(name, graphs)
    return [table[column].to_pylist() for column in TABLES[name].names]


def _grouped(graphs: list[int], of_graph: list[int], made: Iterable[T]) -> dict[int, list[T]]:
    """By scene graph; a million calls in all of HOMAGE, so that it is a loop without a function."""
    grouped: dict[int, list[T]] = {graph: [] for graph in graphs}
    for graph, each in zip(of_graph, made, strict=True):
        grouped[graph].append(each)
    return grouped
