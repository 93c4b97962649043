"""Statistics as rows, as notes for a person, as JSON, beside what others say of HOMAGE.

What the paper says (section 3, Table 1) and what was measured on a public part are other people's
figures: they are shown beside a dataset's own, never as its own.
"""

from __future__ import annotations

import json
from typing import Final

from homage_sdk.problems import quantity
from homage_sdk.report.statistics import Named, Statistics

PAPER: Final[dict[str, float | str]] = {
    "sequences": 1752,
    "videos": 5700,
    "hours": 25.4,
    "participants": 27,
    "views_a_sequence": "more than 3",
    "sensor_types": 12,
    "activity_classes": 75,
    "atomic_classes": 453,
    "object_classes": 86,
    "relationship_classes": 29,
    "train_sequences": 1388,
    "test_1_sequences": 198,
    "test_2_sequences": 166,
    "train_instances": 20039,
    "test_1_instances": 2062,
    "test_2_instances": 2468,
    "instances": 24569,
    "up_to_2_s": "about 60 %",
    "under_5_s": "80 %",
    "boxes": 497534,
    "relationships": 583481,
    "objects": "countertop, clothes, table",
    "predicates": "in front of, looking at, holding",
}
"""By the name of the figure; the splits in the order in which the paper names them."""

MEASURED: Final[dict[str, float | str]] = {
    "atomic_classes": 448,
    "up_to_2_s": "59.9 %",
    "under_5_s": "74 to 77 %",
    "overlapping": "90 %",
    "at_once": 8,
    "classes_once": 13,
    "longest_frame": 7230,
}
"""By the name of the figure, where the paper is silent or says otherwise."""

MEASURED_ON: Final = "on 9,703 published instances of 825 sequences"

NOTES: Final[tuple[str, ...]] = (
    "The paper counts 453 atomic classes; 448 occur in the published labels, and the authors' code "
    "has 448.",
    "The paper says 80 % of the actions last under 5 s; on the published part it is 74 to 77 %.",
    "The paper's two test splits are the published val (198 sequences) and test (166).",
    "The paper's 86 object classes leave out person; here person is left out of the count too.",
)
"""Where published figures disagree, or need a word."""


_SPLITS = {"train": "train", "val": "test_1", "test": "test_2"}
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


def statistics_rows(figures: Statistics) -> list[dict[str, str]]:
    """A figure a row: of this dataset, of the paper, measured on a public part."""
    durations, rows = figures.durations, []

    def row(label: str, value: object, key: str = "") -> None:
        values = (value, PAPER.get(key), MEASURED.get(key))
        names = ("this dataset", "paper", "measured*")
        rows.append({"figure": label, **dict(zip(names, map(_text, values), strict=True))})

    row("sequences", figures.sequences, "sequences")
    row("videos", figures.videos, "videos")
    row("hours of sequences", figures.hours, "hours")
    row("hours of video", figures.video_hours, "video_hours")
    row("participants", figures.participants, "participants")
    row("views a sequence", figures.views_a_sequence, "views_a_sequence")
    row("- with an ego view", figures.with_ego)
    row("- with sound", figures.with_audio)
    row("- with scene graphs", figures.with_scene_graphs)
    for views, count in figures.views.items():
        row(f"- with {quantity(views, 'view')}", count)
    row("types of sensor", len(figures.sensors), "sensor_types")
    for kind in ("activity", "atomic", "object", "relationship"):
        row(f"{kind} classes", figures.classes[kind], f"{kind}_classes")
    published = [name for name in _SPLITS if name in figures.splits]
    for name in (*published, *(name for name in figures.splits if name not in _SPLITS)):
        split, said = figures.splits[name], _SPLITS.get(name, "")
        label = f"{name} (paper: test {said[-1]})" if said.startswith("test") else name
        row(f"{label}: sequences", split.sequences, f"{said}_sequences")
        row(f"{label}: instances", split.instances, f"{said}_instances")
    row("instances in all", figures.instances, "instances")
    row("- of 2 s or less", _percent(durations.up_to_2_s), "up_to_2_s")
    row("- under 5 s", _percent(durations.under_5_s), "under_5_s")
    row("- median, seconds", durations.median_s)
    row("- that overlap another", _percent(figures.overlapping), "overlapping")
    row("- most at once", figures.at_once, "at_once")
    row("annotated frames", figures.annotated_frames)
    row("boxes", figures.boxes, "boxes")
    row("relationships", figures.relationships, "relationships")
    return rows


def statistics_notes(figures: Statistics) -> list[str]:
    """Lines below the rows: the most common names, the tails, what published figures mean."""
    notes = [f"* {MEASURED_ON}", ""]
    for title, counts, key in (
        ("objects", figures.objects, "objects"),
        ("relationships", figures.predicates, "predicates"),
    ):
        if counts:
            notes += [f"most common {title}: {_listed(counts)}", f"  paper:  {PAPER[key]}"]
    for title, tail in (("activities", figures.activities), ("atomic actions", figures.atomic)):
        if tail is not None:
            measured = f" (measured*: {MEASURED['classes_once']})" if tail is figures.atomic else ""
            half = "1 class holds" if tail.half == 1 else f"{tail.half} classes hold"
            notes += [
                f"classes of {title}: {tail.occurring} occur, {tail.once} of them once{measured}; "
                f"{half} half of the instances",
                f"  most:   {_listed(tail.most_common[:5])}",
                f"  fewest: {_listed(tail.rarest[:5])}",
            ]
    return [*notes, *(f"- {note}" for note in NOTES)]


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
