"""Raw objects and relationships to the tables of the same names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homage_sdk.ingest.columns import Bools, Ints, Present, Words, columns_table, in_order, integers
from homage_sdk.ingest.frame_table import Graphs
from homage_sdk.release.arrays import repeated
from homage_sdk.soundness.policy import LARGEST, Dropped
from homage_sdk.taxonomy import Taxonomy


@dataclass(frozen=True)
class Objects:
    """Sound objects in the catalog's order: raw rows, their scene graph and their own id."""

    rows: Ints
    graph: Ints
    object_id: Ints
    words: Words
    boxes: tuple[NDArray[np.float64], ...]

    def table(self, taxonomy: Taxonomy) -> pa.Table:
        """The table ``objects``."""
        return columns_table(
            "objects",
            self.graph,
            self.object_id,
            self.words.class_ids(taxonomy)[self.rows],
            *(corner.astype(np.float32) for corner in self.boxes),
        )


def sound_objects(raw: pa.Table, graphs: Graphs, dropped: Dropped) -> Objects:
    """The objects that can be used, in order of scene graph and then as in their file."""
    words = Words.of(raw.column("category_raw"))
    graph = graphs.new_id[integers(raw.column("graph"))]
    ids = integers(raw.column("object_id"))
    x1, y1, x2, y2 = (
        np.asarray(raw.column(name).to_numpy(), dtype=np.float64)
        for name in ("x1", "y1", "x2", "y2")
    )
    dropped.note("objects: in a dropped scene graph", int((graph < 0).sum()))
    complete = (words.codes >= 0) & _fits(ids) & ~np.isnan(x1 + y1 + x2 + y2)
    dropped.note("objects: id, category or box missing", int(((graph >= 0) & ~complete).sum()))
    complete &= graph >= 0
    shaped = complete & (x1.astype(np.float32) < x2.astype(np.float32))
    shaped &= y1.astype(np.float32) < y2.astype(np.float32)
    dropped.note("objects: box without area", int((complete & ~shaped).sum()))
    rows = in_order(np.flatnonzero(shaped), graph)
    second = repeated(graph[rows], ids[rows])
    dropped.note("objects: id given twice in a scene graph", int(second.sum()))
    rows = rows[~second]
    return Objects(
        rows, graph[rows], ids[rows], words, tuple(corner[rows] for corner in (x1, y1, x2, y2))
    )


@dataclass(frozen=True)
class Relationships:
    """Sound relationships in the catalog's order."""

    rows: Ints
    graph: Ints
    subject: Ints
    object: Ints
    words: Words

    def table(self, taxonomy: Taxonomy) -> pa.Table:
        """The table ``relationships``."""
        class_id = self.words.class_ids(taxonomy)[self.rows]
        return columns_table("relationships", self.graph, self.subject, self.object, class_id)


def sound_relationships(
    raw: pa.Table, graphs: Graphs, objects: Objects, dropped: Dropped
) -> Relationships:
    """The relationships that can be used, in order of scene graph and then as in their file."""
    words = Words.of(raw.column("category_raw"))
    graph = graphs.new_id[integers(raw.column("graph"))]
    subject, target = integers(raw.column("subject_id")), integers(raw.column("object_id"))
    dropped.note("relationships: in a dropped scene graph", int((graph < 0).sum()))
    complete = (words.codes >= 0) & _fits(subject) & _fits(target)
    inside = graph >= 0
    dropped.note("relationships: id or category missing", int((inside & ~complete).sum()))
    complete &= inside
    rows = np.flatnonzero(complete)
    lookup = Present(objects.graph, objects.object_id)
    there = lookup.has(graph[rows], subject[rows]) & lookup.has(graph[rows], target[rows])
    dropped.note("relationships: subject or object not there", int((~there).sum()))
    rows = in_order(rows[there], graph)
    again = repeated(graph[rows], subject[rows], target[rows], words.codes[rows])
    dropped.note("relationships: repeated exactly", int(again.sum()))
    rows = rows[~again]
    return Relationships(rows, graph[rows], subject[rows], target[rows], words)


def _fits(ids: Ints) -> Bools:
    """Ids that are there and that an int32 column holds; null is far below."""
    return np.asarray((ids >= -LARGEST) & (ids <= LARGEST))
