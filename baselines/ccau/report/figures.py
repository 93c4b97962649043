"""Pictures of a run as SVG text: how the losses fell, and each modality beside chance.

The same run gives the same bytes. Colours are Okabe and Ito's, told apart by colour-blind readers.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.ccau.evaluation.result_rows import TITLES, is_learned, middle
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.metrics_log import read_metrics
from homage_sdk.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "ego": "#0072B2",
    "third": "#D55E00",
    "audio": "#009E73",
    "scene_graph": "#CC79A7",
    "sensors": "#E69F00",
}
GREY = "#666666"


def loss_curves(run: Path) -> str:
    """Three panels over optimiser steps: activity loss, atomic loss, alignment of each pair.

    Thin lines are single steps, thick ones a running mean. Raises CheckpointError when the run has
    no metrics.
    """
    rows = list(read_metrics(run / "metrics.jsonl"))
    steps = [row for row in rows if row["kind"] == "step"]
    if not steps:
        raise CheckpointError("this run has not made a step", place=run / "metrics.jsonl")
    names = sorted({name for row in steps for name in row["losses"]})
    panels = [
        ("Activity loss (cross entropy)", [n for n in names if n.endswith("/activity")]),
        ("Atomic-action loss", [n for n in names if n.endswith("/atomic")]),
        (
            "Alignment loss of each pair",
            [n for n in names if n.startswith("alignment/") and n != "alignment/total"],
        ),
    ]
    shown = [(title, curves) for title, curves in panels if curves]
    figure, axes = new_figure(len(shown), width=3.6, height=2.9)
    best = [row["step"] for row in rows if row["kind"] == "validation" and row["is_best"]]
    for axis, (title, curves) in zip(axes, shown, strict=True):
        for position, name in enumerate(curves):
            x = np.array([row["step"] for row in steps if name in row["losses"]])
            y = np.array([row["losses"][name] for row in steps if name in row["losses"]])
            colour = COLOURS.get(name.split("/")[0], list(COLOURS.values())[position % 4])
            axis.plot(x, y, color=colour, alpha=0.2, linewidth=0.8)
            axis.plot(x, running_mean(y), color=colour, linewidth=1.8, label=_label(name))
        if best:
            axis.axvline(best[-1], color=GREY, linewidth=0.8, linestyle=":")
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_xlabel("step" + (" (dotted: chosen weights)" if best else ""), fontsize=8)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=7, frameon=False)
    return svg(figure)


def results(run: Path) -> str:
    """Accuracy and weighted mAP of each modality alone, with 95 % intervals, beside chance.

    Raises CheckpointError when the run has not been evaluated.
    """
    judged = read_json(run, "results.json")
    found = judged["modalities"]
    if not found:
        raise CheckpointError("no modality could be evaluated", place=run / "results.json")
    panels = [
        ("activity", "top1", "Activity: top-1 accuracy, %"),
        ("atomic", "weighted", "Atomic actions: support-weighted mAP, %"),
    ]
    learned = [panel for panel in panels if is_learned(judged, panel[0])]
    figure, axes = new_figure(len(learned), width=4.6, height=2.9)
    for axis, panel in zip(axes, learned, strict=True):
        _bars(axis, found, *panel)
    return svg(figure)


def running_mean(values: np.ndarray[Any, np.dtype[np.float64]], share: float = 0.1) -> Any:
    """Mean over a window that reaches back ``share`` of the curve.

    >>> running_mean(np.array([1.0, 3.0, 5.0, 7.0]), share=0.5).tolist()
    [1.0, 2.0, 4.0, 6.0]
    """
    window = max(1, round(len(values) * share))
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - window, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def _bars(axis: Axes, found: dict[str, Any], kind: str, metric: str, title: str) -> None:
    modalities = list(found)
    for place, modality in enumerate(modalities):
        value, low, high = (100 * v for v in found[modality][kind]["model"]["mean"][metric])
        axis.bar(place, value, width=0.5, color=COLOURS.get(modality, GREY), alpha=0.85)
        error = [[max(value - low, 0)], [max(high - value, 0)]]
        axis.errorbar(place, value, yerr=error, color="black", capsize=4, linewidth=1.2)
        axis.annotate(
            f"{value:.1f}", (place + 0.27, value), fontsize=8, va="center", annotation_clip=False
        )
    x = np.arange(len(modalities))
    for row, style, label in (
        ("prior", "-", "prior (class frequencies)"),
        ("random", ":", "random"),
    ):
        levels = [100 * middle(found[m][kind][row]["mean"][metric]) for m in modalities]
        look: dict[str, Any] = {
            "color": "black",
            "linestyle": style,
            "linewidth": 1.4,
            "label": label,
        }
        axis.hlines(levels, x - 0.36, x + 0.36, **look)
    counts = [sum(found[m]["counted"]["sequences"].values()) for m in modalities]
    names = [f"{TITLES.get(m, m)}\nn = {n}" for m, n in zip(modalities, counts, strict=True)]
    axis.set_xticks(range(len(modalities)), names, fontsize=9)
    axis.set_xlim(-0.6, len(modalities) - 0.2)
    axis.set_ylim(0, 118)  # room for the legend above the bars
    axis.set_yticks(range(0, 101, 20))
    axis.set_title(title, fontsize=9, loc="left")
    axis.legend(fontsize=7, frameon=False, loc="upper right", ncols=2)


def _label(name: str) -> str:
    first, _, second = name.partition("/")
    if first == "alignment":
        return " - ".join(TITLES.get(m, m) for m in second.split("-"))
    return TITLES.get(first, first)


def new_figure(
    n_panels: int, *, width: float, height: float, rows: int = 1
) -> tuple[Figure, Sequence[Axes]]:
    """Empty axes side by side (in ``rows``, one after another), open above and on the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * n_panels, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, n_panels, squeeze=False).ravel()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, list(axes)


def svg(figure: Figure) -> str:
    """The same figure gives the same bytes; without the XML prolog, to be put into a page."""
    import matplotlib

    buffer = io.StringIO()
    settings: Any = {"svg.hashsalt": "ccau", "svg.fonttype": "none", "font.family": "sans-serif"}
    with matplotlib.rc_context(settings):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def figure_of(page: Path) -> Path:
    """Where the figure of a page lies; UsageError for a page that is not ``.md``."""
    if page.suffix != ".md":
        raise UsageError("the page is Markdown", place=page, expected="a name that ends in .md")
    return page.with_suffix(".svg")
