"""The labels of one sequence: rows of the catalog as typed annotations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from homage_sdk.annotations import AtomicAction, Box, Relationship, SceneGraph, SceneObject
from homage_sdk.catalog.schema import TABLES
from homage_sdk.catalog.tables import Catalog
from homage_sdk.dataset.atomic_actions import AtomicActions
from homage_sdk.dataset.scene_graphs import SceneGraphs
from homage_sdk.errors import CatalogError, LabelError


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
    names = catalog.taxonomy("object")
    grouped: dict[int, list[SceneObject]] = {graph: [] for graph in graphs}
    table = catalog.of_graphs("objects", graphs)
    columns = [table[name].to_pylist() for name in TABLES["objects"].names]
    for graph, object_id, class_id, x1, y1, x2, y2 in zip(*columns, strict=True):
        grouped[graph].append(
            SceneObject(
                object_id=object_id,
                class_id=class_id,
                name=names[class_id].name,
                box=Box(x1=x1, y1=y1, x2=x2, y2=y2),
            )
        )
    return grouped


def _relationships(catalog: Catalog, graphs: list[int]) -> dict[int, list[Relationship]]:
    names = catalog.taxonomy("relationship")
    grouped: dict[int, list[Relationship]] = {graph: [] for graph in graphs}
    table = catalog.of_graphs("relationships", graphs)
    columns = [table[name].to_pylist() for name in TABLES["relationships"].names]
    for graph, subject_id, object_id, class_id in zip(*columns, strict=True):
        grouped[graph].append(
            Relationship(
                subject_id=subject_id,
                object_id=object_id,
                class_id=class_id,
                name=names[class_id].name,
            )
        )
    return grouped
