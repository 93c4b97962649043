"""The page's sections about a dataset: what is in it, what is wrong with it, one sequence."""

from __future__ import annotations

from collections import Counter
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

_MOMENTS = 6
_PLACES = 3


def overview_section(dataset: Dataset) -> Section:
    """What the catalog holds, in numbers, a split and an activity a row."""
    rows = dataset.table("sequences").to_pylist()
    splits = Counter(row["split"] or "in no list" for row in rows)
    activities = Counter(
        dataset.taxonomy("activity")[row["activity_id"]].raw
        for row in rows
        if row["activity_id"] is not None
    )
    counts = {
        name: dataset.table(name).num_rows
        for name in ("views", "atomic_actions", "frames", "objects", "relationships", "sensors")
    }
    hours = sum(row["duration_s"] or 0.0 for row in rows) / 3600
    body = fill(
        "overview.html.j2",
        n_sequences=len(rows),
        counts=counts,
        hours=hours,
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
    """The sequence that shows most: ego and third views, sound, and the most relationships."""
    usable = {str(s.id): s for s in dataset if any(v.path is not None for v in s.views)}
    rows = [
        (row["has_ego"], row["n_views"] > 1, row["has_audio"], row["n_scene_graphs"], key)
        for row in dataset.table("sequences").to_pylist()
        if (key := row["sequence"]) in usable
    ]
    return usable[max(rows)[-1]] if rows else None


def sequence_section(sequence: Sequence) -> Section:
    """One sequence: a synchronized film strip, its scene graph on the picture, action lanes."""
    graph = max(sequence.scene_graphs, key=lambda g: (len(g.relationships), -g.frame), default=None)
    last = max(1, sequence.n_frames)  # a sequence that a list names and nothing else
    now = Frame(graph.frame if graph else max(1, last // 2))
    moments = sorted({now} | {Frame(1 + i * (last - 1) // (_MOMENTS - 1)) for i in range(_MOMENTS)})
    strips = []
    for view in sequence.views:
        pictures: list[tuple[str | None, bool]] = []
        for moment in moments:
            try:
                pictures.append((jpeg_url(view.frame(moment), 220), moment == now))
            except MediaError:  # past the end of a shorter view, or a broken file: shown as a gap
                pictures.append((None, moment == now))
        strips.append((view.kind, str(view.id), pictures))
    body = fill(
        "sequence.html.j2",
        sequence=sequence,
        activity=sequence.activity.name if sequence.activity else "no activity label",
        moments=[(m.number, m.seconds().value, m == now) for m in moments],
        strips=strips,
        overlay=Markup(_overlay(sequence, graph)) if graph else None,
        triples=list(dict.fromkeys(graph.triples)) if graph else [],
        frame=now.number,
        active=[a.name for a in sequence.atomic_actions.at(now)],
        lanes=Markup(lanes_svg(sequence.atomic_actions.lanes(), last, moment=now)),
        sound=_sound(sequence),
    )
    return Section("sequence", f"One sequence: {sequence.id}", body)


def _overlay(sequence: Sequence, graph: SceneGraph) -> str:
    view = sequence.view(graph.view)
    try:
        frame = view.frame(Frame(graph.frame))
    except MediaError:
        return ""
    height, width = frame.shape[:2]
    return overlay_svg(graph, jpeg_url(frame, 1024), width, height)


def _sound(sequence: Sequence) -> str | None:
    if not any(view.has_audio for view in sequence.views) or not sequence.duration_s:
        return None
    ends = [a.interval.end_s() for a in sequence.atomic_actions]
    end = max([sequence.duration_s, *ends])  # as far as the lanes above it
    try:
        samples = sequence.audio(Seconds(0.0), Seconds(end), sample_rate=16_000)
    except MediaError:
        return None
    return None if samples is None else spectrogram_url(samples, 16_000)


def dataset_sections(dataset: Dataset, sequence: Sequence | None = None) -> list[Section]:
    """All sections about a dataset, with ``sequence`` or the one that shows most.

    Without any video the sequence is shown by its labels alone.
    """
    sections = [overview_section(dataset), problems_section(dataset)]
    shown = sequence or example_sequence(dataset) or next(iter(dataset), None)
    return sections if shown is None else [*sections, sequence_section(shown)]
