"""Scene graphs that follow from the world: what the camera sees and what the person does."""

from __future__ import annotations

from typing import Any

import numpy as np

from homage_sdk.synth.film.render_third import PERSON, ThirdView
from homage_sdk.synth.world.timeline import FPS, Beat

RELATIONSHIPS = (
    "behind",
    "carrying",
    "drinking from",
    "eating from",
    "holding",
    "in front of",
    "looking at",
    "on",
    "sitting on",
    "touching",
    "wiping",
    "writing on",
)
"""What this world can say; the real release has 29 (FORMAT.md)."""

_BY_VERB = {
    "drink": "drinking from",
    "eat": "eating from",
    "wipe": "wiping",
    "dry": "wiping",
    "write": "writing on",
}

Boxes = dict[str, list[int]]
"""What is seen, by name: xyxy pixels."""

SHORT_ACTION_S = 3
"""An action below this has 3 annotated frames, else 5 (paper, section 3)."""

_LEAST_PIXELS = 12


def annotated_frames(first: int, last: int) -> list[int]:
    """The frames of one action that carry a scene graph: 3 or 5, uniformly over it.

    >>> annotated_frames(31, 60), len(annotated_frames(1, 90))
    ([31, 46, 60], 5)
    """
    count = 3 if last - first + 1 < SHORT_ACTION_S * FPS else 5
    return [round(first + k * (last - first) / (count - 1)) for k in range(count)]


def document(view_id: str, view: ThirdView) -> dict[str, Any]:
    """The canonical document of FORMAT.md for one view of a take."""
    frames = []
    for frame, seen in _annotated(view).items():
        told = true_relationships(view, (frame - 1) / FPS)
        triples = [t for t in told if t[0] in seen and t[2] in seen]
        # As the paper's annotators: the person, and what takes part in something.
        boxes = {
            name: box
            for name, box in seen.items()
            if name == PERSON or any(name in (s, o) for s, _, o in triples)
        }
        ids = {name: view.names.index(name) for name in boxes}
        relationships = [
            {"subject": ids[s], "object": ids[o], "category": predicate}
            for s, predicate, o in triples
        ]
        frames.append(
            {
                "frame": frame,
                "objects": [
                    {"id": ids[name], "category": name, "bbox": box} for name, box in boxes.items()
                ],
                "relationships": relationships,
            }
        )
    return {
        "video": view_id,
        "width": view.camera.width,
        "height": view.camera.height,
        "frames": frames,
    }


def _annotated(view: ThirdView) -> dict[int, Boxes]:
    """What is seen in each annotated frame, in order of frames.

    Where the person is out of the picture (walking in), the annotator takes the next frame of the
    action that shows them.
    """
    last_of: dict[int, int] = {}
    for beat in view.scene.script.beats:
        for frame in annotated_frames(beat.first_frame, beat.last_frame):
            last_of[frame] = min(beat.last_frame, last_of.get(frame, beat.last_frame))
    seen = {frame: visible_boxes(view, (frame - 1) / FPS) for frame in last_of}
    for frame, last in last_of.items():
        if PERSON in seen[frame]:
            continue
        for later in range(frame + 1, last + 1):
            if later not in seen and PERSON in (boxes := visible_boxes(view, (later - 1) / FPS)):
                del seen[frame]
                seen[later] = boxes
                break
    return dict(sorted(seen.items()))


def visible_boxes(view: ThirdView, time_s: float) -> Boxes:
    """Xyxy pixels around what is seen of each thing; what is hidden has no box."""
    inks = view.inks(time_s)
    boxes: Boxes = {}
    for index, name in enumerate(view.names):
        seen = inks == index + 1
        rows = np.flatnonzero(seen.any(axis=1))
        if not len(rows):
            continue
        columns = np.flatnonzero(seen.any(axis=0))
        box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
        if (box[2] - box[0]) >= 2 and (box[3] - box[1]) >= 2 and int(seen.sum()) >= _LEAST_PIXELS:
            boxes[name] = box
    return boxes


def true_relationships(view: ThirdView, time_s: float) -> list[tuple[str, str, str]]:
    """What holds in the world at a moment, as subject, predicate, object."""
    script = view.scene.script
    hands = [b for b in (script.at(time_s, "right"), script.at(time_s, "left")) if b is not None]
    eyes = script.at(time_s, "eyes")
    triples: dict[tuple[str, str, str], None] = {}

    def say(predicate: str, name: str, subject: str = "person") -> None:
        if name in view.names:
            triples.setdefault((subject, predicate, name))

    in_hand = [b.tool or b.thing for b in hands]
    for name in in_hand:
        say("holding", name)
        if script.activity.posture == "walk":
            say("carrying", name)
    for beat in hands:
        _say_verb(beat, in_hand, say)
    if eyes is not None:
        say("looking at", eyes.thing)
    elif hands:
        say("looking at", hands[0].thing)
    furniture = view.furniture
    if time_s >= script.settled_s and furniture:
        if script.activity.posture == "sit":
            say("sitting on", view.seat)
        if furniture != view.seat:
            say("in front of" if view.faces_wall else "behind", furniture)
        for name in script.activity.things:
            if name not in in_hand and not any(b.thing == name for b in hands):
                say("on", furniture, subject=name)
    return list(triples)


def _say_verb(beat: Beat, in_hand: list[str], say: Any) -> None:
    if beat.thing not in in_hand and beat.tool:
        say("touching", beat.thing)
    predicate = _BY_VERB.get(beat.verb)
    if predicate is not None:
        say(predicate, beat.thing)
