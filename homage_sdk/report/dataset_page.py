"""The page's sections about a dataset: what is in it, what is wrong with it, one sequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import Markup

from homage_sdk.errors import MediaError
from homage_sdk.problems import Severity
from homage_sdk.report.html import Section, fill
from homage_sdk.report.inline_images import jpeg_url, spectrogram_url
from homage_sdk.report.svg import lanes_svg, overlay_svg
from homage_sdk.time import Frame, Seconds

if TYPE_CHECKING:
    from homage_sdk.annotations import SceneGraph
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.dataset.view import View

_MOMENTS = 6
_PLACES = 3


def overview_section(dataset: Dataset) -> Section:
    """What the catalog holds, in numbers, a split and an activity a row."""
    rows = dataset.table("sequences").to_pylist()
    splits = Counter(row["split"] or "in no list" for row in rows)
    activities = Counter(
        dataset.taxonomy("activity")[row["activity_id"]].name
        for row in rows
        if row["activity_id"] is not None
    )
    counts = {
        name: dataset.table(name).num_rows
        for name in ("views", "atomic_actions", "frames", "objects", "relationships", "sensors")
    }
    lengths = [row["duration_s"] for row in rows if row["duration_s"] is not None]
    hours = sum(lengths) / 3600
    body = fill(
        "overview.html.j2",
        n_sequences=len(rows),
        counts=counts,
        hours=hours,
        n_unknown=len(rows) - len(lengths),
        splits=sorted(splits.items()),
        activities=activities.most_common(),
        n_classes={k: len(dataset.taxonomy(k)) for k in ("activity", "atomic", "object")},
        n_ego=sum(row["has_ego"] for row in rows),
        n_sound=sum(row["has_audio"] for row in rows),
    )
    return Section("ingested", "What was ingested", body)


def problems_section(dataset: Dataset) -> Section:
    """Every problem of the catalog: grouped by code, with the first places."""
    groups: dict[str, list[dict[str, object]]] = {}
    for row in dataset.table("problems").to_pylist():
        groups.setdefault(str(row["code"]), []).append(row)
    order = [s.value for s in Severity]
    listed = sorted(groups.values(), key=lambda g: (order.index(str(g[0]["severity"])), -len(g)))
    body = fill("problems.html.j2", groups=listed, n_places=_PLACES)
    return Section("problems", "Problems found", body)


def example_sequence(dataset: Dataset) -> Sequence | None:
    """The sequence that shows most: videos that are there, ego and third, sound, relationships."""
    usable = {str(s.id): s for s in dataset if any(v.path is not None for v in s.views)}
    rows = [
        (row["has_ego"], row["n_views"] > 1, row["has_audio"], row["n_scene_graphs"], key)
        for row in dataset.table("sequences").to_pylist()
        if (key := row["sequence"]) in usable
    ]
    ranked = [usable[row[-1]] for row in sorted(rows, reverse=True)]
    there = (s for s in ranked if any(v.is_available for v in s.views))
    return next(there, next(iter(ranked), None))


@dataclass
class _Shown:
    """What could be shown of a sequence's media, and what could not."""

    n_shown: int = 0
    missing: dict[str, list[MediaError]] = field(default_factory=dict)

    def of(self, what: str, show: Callable[[], str]) -> str | None:
        """What ``show`` makes, or None: then ``what`` is missing."""
        try:
            made = show()
        except MediaError as error:  # moved, broken, or at a moment that was not recorded
            self.missing.setdefault(what, []).append(error)
            return None
        self.n_shown += 1
        return made

    @property
    def lines(self) -> tuple[str, ...]:
        """What is missing, how often, and the first reason."""
        return tuple(
            f"{what}: {len(errors)} not shown: {errors[0]}" for what, errors in self.missing.items()
        )


def sequence_section(sequence: Sequence) -> Section:
    """One sequence: a synchronized film strip, its scene graph on the picture, action lanes.

    What cannot be shown is named there, and in the section's ``missing``.
    """
    graph = max(sequence.scene_graphs, key=lambda g: (len(g.relationships), -g.frame), default=None)
    last = max(1, sequence.n_frames)  # a sequence that a list names and nothing else
    now = Frame(graph.frame if graph else max(1, last // 2))
    moments = sorted({now} | {Frame(1 + i * (last - 1) // (_MOMENTS - 1)) for i in range(_MOMENTS)})
    shown = _Shown()
    strips = [
        (view.kind, str(view.id), [(_picture(shown, view, m), m == now) for m in moments])
        for view in sequence.views
    ]
    overlay = _overlay(sequence, graph, shown) if graph else None
    sound = _sound(sequence, shown)
    body = fill(
        "sequence.html.j2",
        sequence=sequence,
        activity=sequence.activity.name if sequence.activity else "no activity label",
        moments=[(m.number, m.seconds().value, m == now) for m in moments],
        strips=strips,
        has_graph=graph is not None,
        overlay=overlay and Markup(overlay),
        triples=list(dict.fromkeys(graph.triples)) if graph else [],
        frame=now.number,
        active=[a.name for a in sequence.atomic_actions.at(now)],
        lanes=Markup(lanes_svg(sequence.atomic_actions.lanes(), last, moment=now)),
        sound=sound,
        missing=shown.lines,
    )
    return Section(
        "sequence",
        f"One sequence: {sequence.id}",
        body,
        missing=shown.lines,
        shows_media=shown.n_shown > 0 or not shown.missing,
    )


def _picture(shown: _Shown, view: View, moment: Frame) -> str | None:
    """The picture of a moment; a gap where the view has ended by then, or there is no video."""
    ended = view.duration_s is not None and moment.seconds().value >= view.duration_s
    if ended or not view.has_video:
        return None
    return shown.of(f"view {view.id}", lambda: jpeg_url(view.image(moment), 220))


def _overlay(sequence: Sequence, graph: SceneGraph, shown: _Shown) -> str | None:
    view = sequence.view(graph.view)
    if not view.has_video:
        return None

    def draw() -> str:
        frame = view.image(Frame(graph.frame))
        height, width = frame.shape[:2]
        return overlay_svg(graph, jpeg_url(frame, 1024), width, height)

    return shown.of(f"scene graph of frame {graph.frame} on view {view.id}", draw)


def _sound(sequence: Sequence, shown: _Shown) -> str | None:
    if not any(view.has_audio for view in sequence.views) or not sequence.duration_s:
        return None
    ends = [a.interval.end_s() for a in sequence.atomic_actions]
    end = max([sequence.duration_s, *ends])  # as far as the lanes above it

    def draw() -> str:
        samples = sequence.audio(Seconds(0.0), Seconds(end), sample_rate=16_000)
        return spectrogram_url(samples, 16_000)

    return shown.of("sound", draw)


def dataset_sections(dataset: Dataset, sequence: Sequence | None = None) -> list[Section]:
    """All sections about a dataset, with ``sequence`` or the one that shows most.

    Without any video the sequence is shown by its labels alone.
    """
    sections = [overview_section(dataset), problems_section(dataset)]
    shown = sequence or example_sequence(dataset) or next(iter(dataset), None)
    return sections if shown is None else [*sections, sequence_section(shown)]
