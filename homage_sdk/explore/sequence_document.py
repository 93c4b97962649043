"""The document of a sequence, from its handle: labels, sensors, problems; media are handed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from homage_sdk.explore.document import (
    PageAction,
    PageClass,
    PageGraph,
    PageObject,
    PageProblem,
    PageRelation,
    PageSound,
    PageView,
    RunTrack,
    SequenceCard,
    ViewDocument,
)
from homage_sdk.explore.problem_moments import ProblemMoments
from homage_sdk.explore.sensor_strips import sensor_strip
from homage_sdk.explore.verb_colours import ink_on, verb_colours, verb_of
from homage_sdk.taxonomy import class_key

if TYPE_CHECKING:
    from homage_sdk.annotations import SceneGraph
    from homage_sdk.dataset import sequence as handles
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.dataset.view import View

_PERSON = "#d55e00"
_OBJECTS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#999933", "#332288")


def page_frames(sequence: handles.Sequence) -> int:
    """How many frames the clock of a page has: the sequence's; where nothing says, the labels'."""
    labelled = [action.last_frame for action in sequence.atomic_actions]
    labelled += [graph.frame for graph in sequence.scene_graphs]
    return sequence.n_frames or max(labelled, default=1)


def view_card(view: View, *, missing: str) -> PageView:
    """A view without a video, and why."""
    return PageView(
        number=view.number,
        name=f"v{view.number:03d}",
        id=str(view.id),
        kind="ego" if view.kind == "ego" else "third",
        video=None,
        missing=missing,
        width=view.width,
        height=view.height,
    )


def sequence_document(
    dataset: Dataset,
    sequence: handles.Sequence,
    views: Sequence[PageView],
    sound: PageSound,
    runs: Sequence[RunTrack] = (),
) -> ViewDocument:
    """Everything that a page shows of a sequence of a dataset.

    ``views`` and ``sound`` say where their files are, or why there are none.
    """
    activity = sequence.activity
    n_frames = page_frames(sequence)
    wanted = {action.class_id for action in sequence.atomic_actions}
    wanted |= {score.class_id for track in runs for score in track.scores}
    return ViewDocument(
        version=1,
        sequence=SequenceCard(
            id=str(sequence.id),
            activity=activity.name if activity else None,
            split=sequence.split,
            participant=sequence.participant,
            room=sequence.room,
            n_frames=n_frames,
        ),
        views=tuple(views),
        sound=sound,
        classes=_classes(dataset, wanted),
        actions=tuple(
            PageAction(a.class_id, a.first_frame, a.last_frame) for a in sequence.atomic_actions
        ),
        graphs=tuple(_graph(graph, sequence) for graph in sequence.scene_graphs),
        sensors=tuple(sensor_strip(sensor, n_frames) for sensor in sequence.sensors),
        problems=_problems(dataset, sequence, n_frames),
        runs=tuple(runs),
    )


def _classes(dataset: Dataset, wanted: Iterable[int]) -> tuple[PageClass, ...]:
    taxonomy = dataset.taxonomy("atomic")
    colours = verb_colours(taxonomy.names)
    made = []
    for class_id in sorted(wanted):
        name = taxonomy[class_id].name
        verb = verb_of(name)
        made.append(PageClass(class_id, name, verb, colours[verb], ink_on(colours[verb])))
    return tuple(made)


def _graph(graph: SceneGraph, sequence: handles.Sequence) -> PageGraph:
    size = _picture_size(graph, sequence)
    objects = []
    for item in graph.objects:
        box = None
        if size is not None:
            (left, top, wide, high), (width, height) = item.box.xywh, size
            shares = (left / width, top / height, wide / width, high / height)
            box = (
                round(shares[0], 5),
                round(shares[1], 5),
                round(shares[2], 5),
                round(shares[3], 5),
            )
        is_person = class_key(item.name) == "person"
        colour = _PERSON if is_person else _OBJECTS[item.class_id % len(_OBJECTS)]
        objects.append(PageObject(item.object_id, item.name, colour, ink_on(colour), box))
    pairs: dict[tuple[int, int], list[str]] = {}
    for relation in graph.relationships:
        names = pairs.setdefault((relation.subject_id, relation.object_id), [])
        if relation.name not in names:
            names.append(relation.name)
    relations = tuple(PageRelation(*pair, names=tuple(names)) for pair, names in pairs.items())
    return PageGraph(graph.frame, graph.view, tuple(objects), relations)


def _picture_size(graph: SceneGraph, sequence: handles.Sequence) -> tuple[int, int] | None:
    """Of the picture that boxes are measured on: as the labels say, else as the video is."""
    if graph.width and graph.height:
        return graph.width, graph.height
    view = next((view for view in sequence.views if view.number == graph.view), None)
    return (view.width, view.height) if view and view.width and view.height else None


def _problems(
    dataset: Dataset, sequence: handles.Sequence, n_frames: int
) -> tuple[PageProblem, ...]:
    moments = ProblemMoments(dataset.root)
    return tuple(
        PageProblem(
            code=problem.code,
            severity=_severity(problem.severity.value),
            message=problem.message,
            place=str(problem.place),
            found=problem.found,
            expected=problem.expected,
            hint=problem.hint,
            frames=moments.of(problem, n_frames),
        )
        for problem in dataset.select([sequence.id]).problems
        if problem.sequence == str(sequence.id)
    )


def _severity(name: str) -> Literal["error", "warning", "info"]:
    return "error" if name == "error" else "warning" if name == "warning" else "info"
