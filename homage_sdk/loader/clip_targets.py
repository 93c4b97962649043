"""What a sample's labels say about a clip: multi-hot targets and the scene graphs of its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from homage_sdk.errors import ShardError
from homage_sdk.loader.batch import SceneGraphBatch

MAX_GRAPH = 10_000
"""No annotated frame has more objects or relationships."""

Graph = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one sample, ready to be asked about clips; L atomic actions."""

    first_frame: npt.NDArray[np.int64]  # [L]
    last_frame: npt.NDArray[np.int64]  # [L], included
    column: npt.NDArray[np.int64]  # [L], of the atomic class
    graphs: tuple[Graph, ...]

    @classmethod
    def of(cls, annotations: dict[str, Any], n_classes: int, *, with_graphs: bool) -> Labels:
        """From a parsed ``ann.json``; graphs are left out unless they are wanted.

        Raises ShardError where a class is beyond the taxonomy, and KeyError or TypeError where the
        document has another form.
        """
        actions, graphs = annotations["atomic_actions"], tuple(annotations["scene_graphs"])
        first, last, column = (
            _whole_numbers([action[name] for action in actions])
            for name in ("first_frame", "last_frame", "column")
        )
        if (wrong := column[(column < 0) | (column >= n_classes)]).size:
            raise ShardError("a class beyond the taxonomy", found=f"atomic column {wrong[0]}")
        return cls(first, last, column, graphs if with_graphs else ())

    def atomic(self, frames: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float32]:
        """Float32 [N, C]: 1 where an action shares a frame with a block's span.

        ``frames`` is int64 [N, K]: a block spans its first to its last shown frame, both included.
        """
        out = np.zeros((len(frames), n_classes), dtype=np.float32)
        shares = (self.first_frame <= frames[:, -1:]) & (self.last_frame >= frames[:, :1])
        block, action = np.nonzero(shares)
        out[block, self.column[action]] = 1
        return out

    def block_graphs(self, frames: npt.NDArray[np.int64], stride: int) -> list[Graph | None]:
        """For each block the annotated frame within its time nearest its middle, or None.

        ``frames`` is int64 [N, K], ``stride`` frames apart: a block lasts until the next one
        begins, so that no annotated frame falls between two blocks.
        """
        found: list[Graph | None] = []
        for first, shown in zip(frames[:, 0].tolist(), frames[:, -1].tolist(), strict=True):
            last = shown + stride - 1
            middle = (first + last) / 2
            inside = [g for g in self.graphs if first <= g["frame"] <= last]
            nearest = min(
                inside, key=lambda g: (abs(g["frame"] - middle), g["frame"], g["id"]), default=None
            )
            if nearest is not None:
                _check_graph(nearest)
            found.append(nearest)
        return found


def _check_graph(graph: Graph) -> None:
    """Raise TypeError or KeyError for another form, ShardError for a size that no frame has."""
    objects, relations = graph["objects"], graph["relationships"]
    size = max(len(objects), len(relations))
    if size > MAX_GRAPH:  # a batch is padded to its largest graph
        raise ShardError(
            "a scene graph of absurd size",
            found=f"{size:,} objects or relationships in frame {graph['frame']}",
            expected=f"at most {MAX_GRAPH:,}",
        )
    _whole_numbers([item["column"] for part in (objects, relations) for item in part])
    names = [item["id"] for item in objects]
    names += [item[end] for item in relations for end in ("subject", "object")]
    boxes = [side for item in objects for side in item["box"]]
    if (
        not all(isinstance(name, str | int) for name in names)
        or any(len(item["box"]) != 4 for item in objects)
        or not all(type(side) in (int, float) for side in (*boxes, graph["width"], graph["height"]))
    ):
        raise TypeError("not a scene graph")
    if not graph["width"] or not graph["height"]:
        raise ShardError("a scene graph without a picture size", found=f"frame {graph['frame']}")


def _whole_numbers(values: list[Any]) -> npt.NDArray[np.int64]:
    if not all(type(value) is int and abs(value) < 2**62 for value in values):
        raise TypeError("not whole numbers")
    return np.array(values, dtype=np.int64)


def collate_graphs(
    rows: Sequence[Sequence[Graph | None]],
) -> SceneGraphBatch:
    """Pad the graphs of B x N blocks to a batch; boxes are divided by their picture's size."""
    n_objects = max((len(g["objects"]) for row in rows for g in row if g), default=0)
    n_relations = max((len(g["relationships"]) for row in rows for g in row if g), default=0)
    shape = (len(rows), len(rows[0]) if rows else 0)
    object_class = torch.full((*shape, n_objects), -1, dtype=torch.int64)
    object_box = torch.zeros((*shape, n_objects, 4), dtype=torch.float32)
    relations = torch.full((3, *shape, n_relations), -1, dtype=torch.int64)
    present = torch.zeros(shape, dtype=torch.bool)
    for b, row in enumerate(rows):
        for n, graph in enumerate(row):
            if graph is None:
                continue
            present[b, n] = True
            width, height = graph["width"], graph["height"]
            scale = torch.tensor([width, height, width, height], dtype=torch.float32)
            places = {}
            for o, item in enumerate(graph["objects"]):
                places[item["id"]] = o
                object_class[b, n, o] = item["column"]
                object_box[b, n, o] = torch.tensor(item["box"], dtype=torch.float32) / scale
            for r, item in enumerate(graph["relationships"]):
                if item["subject"] in places and item["object"] in places:
                    relations[0, b, n, r] = places[item["subject"]]
                    relations[1, b, n, r] = item["column"]
                    relations[2, b, n, r] = places[item["object"]]
    return SceneGraphBatch(
        object_class, object_box, relations[0], relations[1], relations[2], present
    )
