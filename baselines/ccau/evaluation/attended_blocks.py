"""Where networks looked while a frame was annotated: weights, cells and boxes in one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader
from baselines.ccau.distributed import World
from baselines.ccau.evaluation.predictions import Predictions
from baselines.ccau.models.encoder import cell_middles, cell_spans
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.clip_targets import SampleLabels
from homage_sdk.loader.pictures.shown import Part, carried_back
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.annotations import PackedGraph
from homage_sdk.shards.format.manifest import SampleInfo
from homage_sdk.shards.format.sample_meta import PackedView

SPREAD = 0.25
"""Deviation of the centre's Gaussian, as a share of the side of what is shown."""
FINE = 8
"""Points a side at which a cell is held against the boxes."""

Floats = NDArray[np.float64]


class CellGrid:
    """The cells of a square picture of ``size`` pixels, row by row, and maps that look at nothing.

    Attributes:
        middles: [cells, 2], x and y of what each cell looks at most, as shares of the sides.
        points: [cells, FINE * FINE, 2], places spread evenly over each cell.
        corners: [cells, 2, 2], the upper left and the lower right one.
        blind: ``centre`` and ``uniform``: [cells], each a sum of 1.

    """

    def __init__(self, size: int) -> None:
        spans = np.array(cell_spans(size))
        middle = np.array(cell_middles(size))
        self.middles = _pairs(middle, middle)
        steps = (np.arange(FINE) + 0.5) / FINE
        within = spans[:, :1] + steps * (spans[:, 1:] - spans[:, :1])  # [side, FINE]
        self.points = np.stack([_pairs(x, y) for y in within for x in within])
        self.corners = np.stack([_pairs(edge, edge) for edge in spans.T], axis=1)
        centre = np.exp(-((self.middles - 0.5) ** 2).sum(axis=1) / (2 * SPREAD**2))
        n = len(centre)
        self.blind = {"centre": centre / centre.sum(), "uniform": np.full(n, 1 / n)}


def _pairs(x: Floats, y: Floats) -> Floats:
    """Every x with every y, row by row: [len(y) * len(x), 2]."""
    across, down = np.meshgrid(x, y)
    return np.stack([across.ravel(), down.ravel()], axis=1)


@dataclass(frozen=True)
class Looked:
    """One block of a test clip with an annotated frame, and where the network looked.

    Places are x and y as shares of the sides of the picture, of which ``part`` was shown.
    """

    sample: SampleInfo
    view: PackedView
    clip: int
    block: int
    graph: PackedGraph
    weights: Floats  # [cells]
    cells: CellGrid
    part: Part
    mirrored: bool

    @property
    def sequence(self) -> str:
        """Its id."""
        return self.sample.sequence

    def _in_picture(self, places: Floats) -> Floats:
        size = self.view.width, self.view.height
        return carried_back(places, self.part, *size, mirrored=self.mirrored)

    @cached_property
    def middles(self) -> Floats:
        """[cells, 2]."""
        return self._in_picture(self.cells.middles)

    @cached_property
    def points(self) -> Floats:
        """[cells, FINE * FINE, 2]."""
        return self._in_picture(self.cells.points)

    @cached_property
    def corners(self) -> Floats:
        """[cells, 2, 2]: two opposite ones; the left one comes second where it is mirrored."""
        return self._in_picture(self.cells.corners)


def annotated_blocks(
    shards: ShardSet, config: Config, modality: str, predictions: Predictions
) -> Iterator[Looked]:
    """Every block of every judged clip whose view has an annotated frame there.

    Of several the one nearest the block's middle, as networks of scene graphs see it. Blocks
    without a good picture of their own are left out. ``predictions`` hold attention.
    """
    loader = open_loader(
        shards, config, (modality,), predictions.sequences, World(), training=False
    )
    assembler = Assembler(shards.manifest, loader.options, shards.read)
    cells, grid = CellGrid(config.data.size), loader.grid
    names = [predictions.sequences[row] for row in predictions.clip_sequence]
    keys = zip(names, predictions.clip_view, predictions.clip_number, strict=True)
    place = {key: at for at, key in enumerate(keys)}
    attention = predictions.clip_attention
    if attention is None:
        return
    for row in loader.rows.clips(0):
        view = row.third if modality == "third" else row.sample.ego
        if view is None or (row.sample.sequence, view.number, row.clip) not in place:
            continue
        weights = attention[place[row.sample.sequence, view.number, row.clip]]
        labels = SampleLabels.of(shards.annotations(row.sample.key), with_graphs=True)
        own = tuple(graph for graph in labels.graphs if graph.view == view.number)
        labels = SampleLabels(labels.first_frame, labels.last_frame, labels.column, own)
        graphs = labels.block_graphs(assembler.frames(row), grid.step * shards.stride)
        positions = assembler.positions(row).reshape(grid.blocks, -1)
        part, mirrored = assembler.part(view, row, modality, 0)
        for n, graph in enumerate(graphs):
            if graph is not None and _is_recorded(view, positions[n]):
                yield Looked(
                    sample=row.sample,
                    view=view,
                    clip=row.clip,
                    block=n,
                    graph=graph,
                    weights=weights[n].astype(np.float64),
                    cells=cells,
                    part=part,
                    mirrored=mirrored,
                )


def _is_recorded(view: PackedView, positions: NDArray[np.int64]) -> bool:
    """Whether the view has a good picture of its own at each of these packed frames."""
    return bool(positions[-1] < view.n_frames) and not view.missing(positions).any()
