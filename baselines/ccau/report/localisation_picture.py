"""Where a network looked, to look at: test frames with the weights of their block and the boxes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.evaluation.attended_blocks import Floats, Looked
from baselines.ccau.evaluation.localise import TARGETS, attended, boxes_of
from baselines.ccau.report.figures import new_figure
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.shards import ShardSet
from homage_sdk.storage import write_file

if TYPE_CHECKING:
    from matplotlib.patches import Rectangle

COLOURS = {"person": "#FFFFFF", "objects": "#F0E442"}
N_COLUMNS = 3


def draw_looks(run: Path, shards_folder: Path, target: Path, *, n_frames: int = 6) -> None:
    """Write a PNG: the first annotated block of so many sequences, spread evenly over all.

    Red: each cell's weight, from the lowest of the frame (clear) to its highest; the title says how
    far these are apart. White boxes: the person; yellow: the rest. Raises as ``attended`` does.
    """
    shards, _, by_modality = attended(run, shards_folder)
    firsts: dict[tuple[str, str], Looked] = {}
    for modality, blocks in by_modality.items():
        for each in blocks:
            firsts.setdefault((modality, each.sequence), each)
    keys = sorted(firsts)
    chosen = [
        keys[at] for at in np.linspace(0, len(keys) - 1, min(n_frames, len(keys))).astype(int)
    ]
    rows = -(-len(chosen) // N_COLUMNS)
    figure, axes = new_figure(N_COLUMNS, width=3.4, height=2.9 * rows, rows=rows)
    for axis in axes[len(chosen) :]:
        axis.set_visible(False)
    for axis, key in zip(axes, chosen, strict=False):
        each = firsts[key]
        view = each.view
        axis.imshow(frame_of(shards, each), extent=(0, 1, 1, 0), aspect=view.height / view.width)
        ratio = each.weights * len(each.weights)
        shades = 0.6 * (ratio - ratio.min()) / max(float(np.ptp(ratio)), 1e-9)
        for corners, shade in zip(each.corners, shades, strict=True):
            axis.add_patch(_rectangle(corners, facecolor="#D55E00", alpha=shade, linewidth=0))
        for of in TARGETS:
            for box in boxes_of(each.graph, of).reshape(-1, 2, 2):
                axis.add_patch(_rectangle(box, fill=False, edgecolor=COLOURS[of], linewidth=1.3))
        axis.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])
        axis.set_title(
            f"{key[0]}: {each.sequence} view {view.number}\n"
            f"frame {each.graph.frame}: weights {ratio.min():.2f} to {ratio.max():.2f} x even",
            fontsize=7, loc="left",
        )  # fmt: skip
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=130, metadata={"Software": None})
    write_file(target, picture.getvalue())


def _rectangle(corners: Floats, **style: Any) -> Rectangle:
    """From two opposite corners [2, 2]."""
    from matplotlib.patches import Rectangle

    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return Rectangle((left, top), right - left, bottom - top, **style)


def frame_of(shards: ShardSet, looked: Looked) -> NDArray[np.uint8]:
    """The annotated frame, or the packed one nearest to it: uint8 [H, W, 3]."""
    sample, view = looked.sample, looked.view
    at = round((looked.graph.frame - sample.first_frame) / shards.stride)
    out = np.zeros((1, view.height, view.width, 3), np.uint8)
    data = shards.read(sample.key, view.field)
    positions = np.array([min(max(at, 0), view.n_frames - 1)])
    fps = shards.manifest.packed.fps
    decode_clip(data, positions, fps, None, out, place=f"{sample.key}.{view.field}")
    return np.asarray(out[0])
