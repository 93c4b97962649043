"""The picture of embeddings: a panel a run and modality, related classes in shades of a colour."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from baselines.ccau.evaluation.result_rows import TITLES, percent
from baselines.ccau.report.embedding import Embedding, Neighbours
from baselines.ccau.report.figures import new_figure, svg
from baselines.ccau.report.related_classes import shades, union_of
from homage_sdk.storage import write_file

MARKERS = "o^sDvP*X"
"""Of the classes of a group, told apart without colour."""
N_COLUMNS = 3


def draw(embeddings: Sequence[Embedding], folder: Path) -> tuple[Path, Path]:
    """Write ``tsne.svg`` and ``tsne.png``; the same points give the same SVG."""
    groups = union_of(each.groups for each in embeddings)
    colours = shades(groups)
    marker = {n: MARKERS[i % len(MARKERS)] for g in groups for i, n in enumerate(g.activities)}
    columns = min(N_COLUMNS, len(embeddings))
    rows = -(-len(embeddings) // columns)
    figure, axes = new_figure(columns, width=3.6, height=3.5 * rows + 0.9, rows=rows)
    several = len({each.run for each in embeddings}) > 1
    for axis in axes[len(embeddings) :]:
        axis.set_visible(False)
    for axis, each in zip(axes, embeddings, strict=False):
        for name, colour in colours.items():
            own = np.array([(p.x, p.y) for p in each.points if p.activity == name]).reshape(-1, 2)
            axis.scatter(
                own[:, 0], own[:, 1], s=16, color=colour, marker=marker[name], linewidths=0.3,
                edgecolors="white", label=name.replace("_", " "),
            )  # fmt: skip
        title = TITLES.get(each.modality, each.modality)
        where = f"{Path(each.run).parent.name}/{Path(each.run).name}: " if several else ""
        axis.set_title(f"{where}{title}", fontsize=9, loc="left")
        axis.set_xlabel(
            f"{len(each.points)} clips; of the nearest of other sequences\n"
            f"same class {_said(each.same_class)}\nsame group {_said(each.same_group)}",
            fontsize=7,
        )
        axis.set_xticks([])
        axis.set_yticks([])
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=min(4 * columns, 6), fontsize=7,
        frameon=False,
    )  # fmt: skip
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
    write_file(folder / "tsne.png", picture.getvalue())
    write_file(folder / "tsne.svg", svg(figure))
    return folder / "tsne.svg", folder / "tsne.png"


def _said(found: Neighbours) -> str:
    """A share beside chance.

    >>> _said(Neighbours(share=0.51, chance=0.17))
    '51.0 % (chance 17.0 %)'
    """
    return f"{percent(found.share)} % (chance {percent(found.chance)} %)"
