"""What a sample's labels say about a clip: multi-hot targets and the scene graphs of its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from homage_sdk.errors import ShardError
from homage_sdk.loader.batch import SceneGraphBatch
from homage_sdk.shards.format.annotations import Annotations, PackedGraph


@dataclass(frozen=True, slots=True)
class SampleLabels:
    """The labels of one sample, ready to be asked about clips; L atomic actions."""

    first_frame: npt.NDArray[np.int64]  # [L]
    last_frame: npt.NDArray[np.int64]  # [L], included
    column: npt.NDArray[np.int64]  # [L], of the atomic class
    graphs: tuple[PackedGraph, ...]

    @classmethod
    def of(cls, annotations: Annotations, *, with_graphs: bool) -> SampleLabels:
        """Those of an ``ann.json``; graphs are left out unless they are wanted.

        Raises ShardError for a graph whose boxes cannot be scaled.
        """
        actions = [(a.first_frame, a.last_frame, a.column) for a in annotations.atomic_actions]
        first, last, column = np.array(actions, dtype=np.int64).reshape(-1, 3).T
        graphs = annotations.scene_graphs if with_graphs else ()
        for graph in graphs:
            if not graph.width or not graph.height:
                found = f"frame {graph.frame}"
                raise ShardError("a scene graph without a picture size", found=found)
        return cls(first, last, column, graphs)

    def span(self, action: int) -> tuple[int, int]:
        """First and last frame of an action, by its number."""
        return int(self.first_frame[action]), int(self.last_frame[action])

    def atomic(
        self, frames: npt.NDArray[np.int64], n_classes: int, *, inside: bool = False
    ) -> npt.NDArray[np.float32]:
        """Float32 [N, C]: 1 where an action shares a frame with a block's span.

        ``frames`` is int64 [N, K]: a block spans its first to its last shown frame, both included.
        ``inside``: as in the public code, which takes labels for numbers from 0, so that an action
        begins a frame later, and leaves out the last shown frame unless it is the only one.
        """
        out = np.zeros((len(frames), n_classes), dtype=np.float32)
        late = int(inside)
        begins = self.first_frame + late
        shown_last = np.maximum(frames[:, -1:] - late, frames[:, :1])
        shares = np.maximum(begins, frames[:, :1]) <= np.minimum(self.last_frame, shown_last)
        block, action = np.nonzero(shares)
        out[block, self.column[action]] = 1
        return out

    def block_graphs(self, frames: npt.NDArray[np.int64], stride: int) -> list[PackedGraph | None]:
        """For each block the annotated frame within its time nearest its middle, or None.

        ``frames`` is int64 [N, K], ``stride`` frames apart: a block lasts until the next one
        begins, so that no annotated frame falls between two blocks.
        """
        found: list[PackedGraph | None] = []
        for first, shown in zip(frames[:, 0].tolist(), frames[:, -1].tolist(), strict=True):
            last = shown + stride - 1
            middle = (first + last) / 2
            inside = [g for g in self.graphs if first <= g.frame <= last]
            inside.sort(key=lambda g: (abs(g.frame - middle), g.frame, g.view))
            found.append(inside[0] if inside else None)
        return found


def collate_graphs(rows: Sequence[Sequence[PackedGraph | None]]) -> SceneGraphBatch:
    """Pad the graphs of B x N blocks to a batch; boxes are divided by their picture's size."""
    shape = (len(rows), len(rows[0]) if rows else 0)
    there = [((b, n), g) for b, row in enumerate(rows) for n, g in enumerate(row) if g is not None]
    n_objects = max((len(graph.objects) for _, graph in there), default=0)
    n_relations = max((len(graph.relationships) for _, graph in there), default=0)
    object_class = np.full((*shape, n_objects), -1, dtype=np.int64)
    object_box = np.zeros((*shape, n_objects, 4), dtype=np.float32)
    relations = np.full((*shape, n_relations, 3), -1, dtype=np.int64)
    present = np.zeros(shape, dtype=np.bool_)
    for at, graph in there:
        present[at] = True
        if graph.objects:
            objects = slice(len(graph.objects))
            size = np.array([graph.width, graph.height] * 2, dtype=np.float32)
            object_class[at][objects] = [item.column for item in graph.objects]
            object_box[at][objects] = [item.box for item in graph.objects]
            object_box[at][objects] /= size
        places = {item.id: o for o, item in enumerate(graph.objects)}
        for r, item in enumerate(graph.relationships):
            if item.subject in places and item.object in places:
                relations[at][r] = places[item.subject], item.column, places[item.object]
    subject, predicate, target = torch.from_numpy(relations).unbind(-1)
    return SceneGraphBatch(
        torch.from_numpy(object_class),
        torch.from_numpy(object_box),
        subject.contiguous(),
        predicate.contiguous(),
        target.contiguous(),
        torch.from_numpy(present),
    )
