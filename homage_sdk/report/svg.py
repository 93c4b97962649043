"""Drawing a label as SVG: action lanes over time, a scene graph over its picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from homage_sdk.annotations import AtomicAction, SceneGraph
from homage_sdk.time import Frame, Interval

_LANE = 24
_GUTTER = 26


def colour(class_id: int) -> str:
    """A lasting colour for a class: neighbouring ids lie far apart (the golden angle)."""
    return f"hsl({class_id * 137.508 % 360:.0f} 62% 40%)"


def lanes_svg(
    lanes: Iterable[Sequence[AtomicAction]],
    last_frame: int,
    *,
    moment: Frame | None = None,
    width: int = 1040,
) -> str:
    """Atomic actions as bars over seconds, one lane for those that do not share a frame.

    ``last_frame`` is the end of the axis; ``moment`` draws a cursor.
    """
    rows = [list(lane) for lane in lanes]
    end = max([last_frame, *(a.last_frame for lane in rows for a in lane)])
    seconds = Interval(1, end).end_s()

    def x(at_s: float) -> float:
        return round(at_s / seconds * width, 2)

    height = max(1, len(rows)) * _LANE + _GUTTER
    parts = [
        f'<svg class="lanes" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="atomic actions over {seconds:.0f} seconds">'
    ]
    step = next(s for s in (1, 2, 5, 10, 30, 60, 300, 3600) if seconds / s <= 26 or s == 3600)
    for tick in range(0, int(seconds) + 1, step):
        parts.append(
            f'<line class="tick" x1="{x(tick)}" x2="{x(tick)}" y1="0" y2="{height - 18}"/>'
            f'<text class="axis" x="{x(tick)}" y="{height - 5}">{tick} s</text>'
        )
    for row, lane in enumerate(rows):
        for action in lane:
            span = action.interval
            left, right = x(span.begin_s()), x(span.end_s())
            label = escape(action.name.replace("_", " "))
            title = f"{label}: frames {action.first_frame} to {action.last_frame}"
            parts.append(
                f'<svg x="{left}" y="{row * _LANE + 2}" width="{max(2.0, right - left - 1.5)}" '
                f'height="{_LANE - 4}"><title>{title}</title>'
                f'<rect width="100%" height="100%" rx="3" fill="{colour(action.class_id)}"/>'
                f'<text class="bar" x="5" y="14">{label}</text></svg>'
            )
    if moment is not None:
        at = x(moment.seconds().value)
        parts.append(f'<line class="cursor" x1="{at}" x2="{at}" y1="0" y2="{height - 18}"/>')
    return "".join([*parts, "</svg>"])


def overlay_svg(graph: SceneGraph, picture: str, width: int, height: int) -> str:
    """A picture (a data URL of ``width`` x ``height`` pixels) with boxes and relationships on it.

    A line joins subject and object; its label is the predicate, several predicates share one line.
    """
    scale = width / 640
    parts = [
        f'<svg class="overlay" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="scene graph at frame {graph.frame}">',
        f'<image href="{picture}" width="{width}" height="{height}"/>',
    ]
    boxes = {item.object_id: item for item in graph.objects}
    for item in graph.objects:
        box, tint = item.box, colour(item.class_id)
        parts.append(
            f'<rect x="{box.x1:.1f}" y="{box.y1:.1f}" width="{box.x2 - box.x1:.1f}" '
            f'height="{box.y2 - box.y1:.1f}" fill="none" stroke="{tint}" '
            f'stroke-width="{2.5 * scale:.2f}"/>'
        )
    pairs: dict[tuple[int, int], list[str]] = {}
    for relation in graph.relationships:
        if relation.subject_id in boxes and relation.object_id in boxes:
            pairs.setdefault((relation.subject_id, relation.object_id), []).append(relation.name)
    for (subject, target), _ in pairs.items():
        a, b = boxes[subject].box, boxes[target].box
        parts.append(
            f'<line x1="{(a.x1 + a.x2) / 2:.1f}" y1="{(a.y1 + a.y2) / 2:.1f}" '
            f'x2="{(b.x1 + b.x2) / 2:.1f}" y2="{(b.y1 + b.y2) / 2:.1f}" stroke="white" '
            f'stroke-width="{1.5 * scale:.2f}" stroke-dasharray="{4 * scale:.1f}"/>'
        )
    placed: list[tuple[float, float]] = []
    for item in graph.objects:
        size = 13 * scale
        left = min(item.box.x1, width - 0.58 * size * len(item.name) - 6 * scale)
        top = max(item.box.y1 - size - 4 * scale, 0.0)
        while any(abs(left - x) < 60 * scale and abs(top - y) < size for x, y in placed):
            top += size + 4 * scale
        placed.append((left, top))
        label = escape(item.name.replace("_", " "))
        wide = (0.58 * len(item.name) + 0.8) * size
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{size + 4 * scale:.1f}"'
            f' fill="{colour(item.class_id)}"/>'
            f'<text x="{left + 0.4 * size:.1f}" y="{top + size:.1f}" fill="white" '
            f'font-size="{size:.1f}">{label}</text>'
        )
    return "".join([*parts, "</svg>"])
