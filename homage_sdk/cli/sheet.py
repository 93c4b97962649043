"""A sequence as text: what ``homage show`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from homage_sdk.time import Interval, Seconds

if TYPE_CHECKING:
    from homage_sdk.annotations import AtomicAction
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.dataset.view import View

_TOP = 8


def sheet(sequence: Sequence, width: int = 100) -> Iterator[str]:
    """The lines of a readable sheet, at most ``width`` characters wide."""
    activity = sequence.activity.name if sequence.activity else "no activity"
    length = "unknown length" if sequence.duration_s is None else f"{sequence.duration_s:.1f} s"
    split = f"split {sequence.split}" if sequence.split else "in no split list"
    yield f"{sequence.id}  {activity}"
    yield f"{split}, {length} ({sequence.n_frames} annotation frames)"
    yield ""
    yield "views" if sequence.views else "views: none, labels only"
    for view in sequence.views:
        yield f"  {_view(view)}"
    if sequence.sensors:
        kinds = Counter(each.kind for each in sequence.sensors)
        yield "sensors: " + ", ".join(f"{k} x{n}" if n > 1 else k for k, n in kinds.items())
    yield ""
    yield from _lanes(sequence, width)
    yield ""
    yield from _graphs(sequence)


def _view(view: View) -> str:
    facts = [f"v{view.number:03d} {view.kind:5}"]
    if view.width and view.height:
        facts.append(f"{view.width}x{view.height}")
    if view.fps:
        facts.append(f"{view.fps:.3f} fps")
    if view.n_frames is not None:
        facts.append(f"{view.n_frames} frames")
    facts.append("sound" if view.has_audio else "no sound")
    if view.path is None:
        facts.append("no file known")
    elif not view.is_available:
        facts.append(f"file not there: {view.path}")
    return "  ".join(facts)


def _lanes(sequence: Sequence, width: int) -> Iterator[str]:
    """Atomic actions as rows of bars over a ruler of seconds, then their names."""
    actions = sequence.atomic_actions
    if not actions:
        yield "atomic actions: none"
        return
    last = max(sequence.n_frames, *(a.last_frame for a in actions))
    columns = max(20, width - 4)
    lanes = actions.lanes()
    yield f"atomic actions: {len(actions)}, at most {len(lanes)} at once"
    number = {action.action_id: index for index, action in enumerate(actions, start=1)}
    yield "  " + _ruler(last, columns)
    for lane in lanes:
        row = [" "] * columns
        for action in lane:
            _bar(row, action, str(number[action.action_id]), last)
        yield "  " + "".join(row).rstrip()
    digits = len(str(len(actions)))
    yield f"  {'#':>{digits}}  {'seconds':^13} {'frames':>11}  action"
    for action in actions:
        begin, end = action.interval.begin_s(), action.interval.end_s()
        frames = f"{action.first_frame}-{action.last_frame}"
        yield f"  {number[action.action_id]:>{digits}}  {begin:6.1f}-{end:<6.1f} {frames:>11}  " + (
            action.name
        )


def _bar(row: list[str], action: AtomicAction, label: str, last: int) -> None:
    first = (action.first_frame - 1) * len(row) // last
    after = max(first + 1, action.last_frame * len(row) // last)
    for column in range(first, min(after, len(row))):
        row[column] = "━"
    room = min(after, len(row)) - first
    if room > 0:
        row[first] = "┣" if room > 1 else "┃"
    if len(label) < room:
        row[first + 1 : first + 1 + len(label)] = label


def _ruler(last: int, columns: int) -> str:
    """Ticks at whole seconds, as many as can be read."""
    seconds = Interval(1, last).end_s()
    step = next(
        s
        for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 10**9)
        if columns * s / seconds >= 8
    )
    row = [" "] * columns
    second = 0
    while (column := columns * Seconds(second).frame().index // last) < columns:
        for offset, character in enumerate(f"╵{second}s"):
            if column + offset < columns:
                row[column + offset] = character
        second += step
    return "".join(row).rstrip()


def _graphs(sequence: Sequence) -> Iterator[str]:
    graphs = sequence.scene_graphs
    if not graphs:
        yield "scene graphs: none"
        return
    objects = Counter(o.name for g in graphs for o in g.objects)
    triples = Counter(" ".join(t) for g in graphs for t in g.triples)
    views = ", ".join(f"v{number:03d}" for number in graphs.views)
    yield (
        f"scene graphs: {len(graphs)} frames of {views}, {objects.total()} boxes, "
        f"{triples.total()} relationships"
    )
    yield "  boxes: " + ", ".join(f"{name} {n}" for name, n in objects.most_common(_TOP))
    for name, count in triples.most_common(_TOP):
        yield f"  {count:5}  {name}"
