"""Statistics for a person: this dataset's figures beside the paper's, as text and as JSON."""

from __future__ import annotations

import json

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from homage_sdk.report.paper_statistics import MEASURED, MEASURED_ON, NOTES, PAPER
from homage_sdk.report.statistics import Named, Statistics, Tail

_SPLITS = (("train", "train"), ("val", "test_1"), ("test", "test_2"))
"""Published split and the paper's name of it."""


def statistics_json(figures: Statistics, *, path: str) -> str:
    """One document: ``dataset`` holds what was counted here, the other keys what others say."""
    document = {
        "format": "homage-statistics/1",
        "path": path,
        "dataset": figures.to_dict(),
        "paper": PAPER,
        "measured_on_a_public_part": MEASURED,
        "notes": NOTES,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def statistics_table(figures: Statistics, *, path: str) -> RenderableType:
    """What ``homage stats`` shows."""
    parts: list[RenderableType] = [Text(path, style="bold"), _figures(figures)]
    parts.append(Text(f"* {MEASURED_ON}\n", style="dim"))
    if figures.objects:
        parts.append(_named("most common objects", figures.objects, "objects"))
    if figures.predicates:
        parts.append(_named("most common relationships", figures.predicates, "predicates"))
    for title, tail in (("activities", figures.activities), ("atomic actions", figures.atomic)):
        if tail is not None:
            parts.append(_tail(title, tail))
    parts += [Text(f"- {note}", style="dim") for note in NOTES]
    return Group(*parts)


def _figures(figures: Statistics) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in ("this dataset", "paper", "measured*"):
        table.add_column(name, justify="right")

    def row(label: str, value: object, key: str) -> None:
        table.add_row(label, _text(value), _text(PAPER.get(key)), _text(MEASURED.get(key)))

    row("sequences", figures.sequences, "sequences")
    row("videos", figures.videos, "videos")
    row("hours of sequences", figures.hours, "hours")
    row("hours of video", figures.video_hours, "video_hours")
    row("participants", figures.participants, "participants")
    row("views a sequence", figures.views_a_sequence, "views_a_sequence")
    row("  with an ego view", figures.with_ego, "")
    row("  with sound", figures.with_audio, "")
    row("  with scene graphs", figures.with_scene_graphs, "")
    for views, count in figures.views.items():
        row(f"  with {views} view{'' if views == 1 else 's'}", count, "")
    row("types of sensor", len(figures.sensors), "sensor_types")
    for kind in ("activity", "atomic", "object", "relationship"):
        row(f"{kind} classes", figures.classes[kind], f"{kind}_classes")
    _split_rows(table, figures)
    row("instances in all", figures.instances, "instances")
    row("  of 2 s or less", _percent(figures.durations.up_to_2_s), "up_to_2_s")
    row("  under 5 s", _percent(figures.durations.under_5_s), "under_5_s")
    row("  median, seconds", figures.durations.median_s, "")
    row("  that overlap another", _percent(figures.overlapping), "overlapping")
    row("  most at once", figures.at_once, "at_once")
    row("annotated frames", figures.annotated_frames, "")
    row("boxes", figures.boxes, "boxes")
    row("relationships", figures.relationships, "relationships")
    return table


def _split_rows(table: Table, figures: Statistics) -> None:
    paper = dict(_SPLITS)
    names = [name for name, _ in _SPLITS if name in figures.splits]
    names += [name for name in figures.splits if name not in paper]
    for name in names:
        split, said = figures.splits[name], paper.get(name, "")
        label = f"{name} (paper: test {said[-1]})" if said.startswith("test") else name
        table.add_row(
            f"{label}: sequences", _text(split.sequences), _text(PAPER.get(f"{said}_sequences")), ""
        )
        table.add_row(
            f"{label}: instances", _text(split.instances), _text(PAPER.get(f"{said}_instances")), ""
        )


def _named(title: str, counts: Named, key: str) -> Text:
    return Text.assemble(
        (f"{title}: ", "bold"), _listed(counts), (f"\n  paper:  {PAPER[key]}", "dim")
    )


def _tail(title: str, tail: Tail) -> Text:
    once = f"{tail.once} of them once"
    if title == "atomic actions":
        once += f" (measured*: {MEASURED['classes_once']})"
    half = "1 class holds" if tail.half == 1 else f"{tail.half} classes hold"
    return Text.assemble(
        (f"classes of {title}: ", "bold"),
        f"{tail.occurring} occur, {once}; {half} half of the instances",
        f"\n  most:   {_listed(tail.most_common[:5])}",
        f"\n  fewest: {_listed(tail.rarest[:5])}",
    )


def _listed(counts: Named) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts)


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.1f} %"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
