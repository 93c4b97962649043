"""Rules about the objects of annotated frames and their boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from homage_sdk.soundness import Reason
from homage_sdk.soundness.columns import Bools, Floats, Ints, repeated
from homage_sdk.validation.data import Data, where
from homage_sdk.validation.rule import Finding, error, info, warning

_SLACK_PX = 1.0  # a box may end on the far side of the last pixel, and be rounded
_TINY_PX = 2.0
_WHOLE = 0.995

_MAP_HINT = (
    "if all boxes are x, y, width, height, "
    'say `format = "xywh"` under [boxes] in a --scene-graph-map file'
)


@error(
    "HOM420",
    "box with its corners out of order",
    why="A box is left, top, right, bottom. Reversed or equal corners enclose nothing. When many "
    "boxes fail, they are usually x, y, width, height.",
    example='"bbox": [600, 410, 68, 60]',
    hint=_MAP_HINT,
)
def unordered(data: Data) -> Iterator[Finding]:
    """x2 <= x1 or y2 <= y1, all four given."""
    flat = data.objects.own == Reason.OBJECT_FLAT
    yield from _boxes(data, flat, "x1 < x2 and y1 < y2")


@warning(
    "HOM421",
    "box outside its frame",
    why="No pixel of the box is in the picture: it belongs to another size, another view or "
    "another format. It is kept as it is.",
    example='"bbox": [1400, 100, 1500, 200] in a picture 1280 wide',
    hint="check the frame size and the box format of the file",
)
def outside(data: Data) -> Iterator[Finding]:
    """Sound, and without a pixel in common with the frame."""
    boxes, (width, height) = data.objects.boxes, _sizes(data)
    away = (boxes[:, 2] <= 0) | (boxes[:, 3] <= 0) | (boxes[:, 0] >= width)
    away |= boxes[:, 1] >= height
    yield from _boxes(data, _sound(data) & away, "in the frame")


@warning(
    "HOM422",
    "box reaches over the edge of its frame",
    why="A part of the box is outside the picture. It is kept as it is; a crop made with it would "
    "wrap around or fail.",
    example='"bbox": [1200, 100, 1320, 200] in a picture 1280 wide',
    hint="clip the box to the frame",
)
def over_the_edge(data: Data) -> Iterator[Finding]:
    """Sound, partly inside, more than a pixel outside."""
    boxes, (width, height) = data.objects.boxes, _sizes(data)
    inside = (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
    over = (boxes[:, 0] < -_SLACK_PX) | (boxes[:, 1] < -_SLACK_PX)
    over |= (boxes[:, 2] > width + _SLACK_PX) | (boxes[:, 3] > height + _SLACK_PX)
    yield from _boxes(data, _sound(data) & inside & over, "inside the frame")


@warning(
    "HOM423",
    "tiny box",
    why=f"A side under {_TINY_PX:g} pixels: nothing can be seen in it. Most often a click without "
    "a drag, or normalised boxes read as pixels.",
    example='"bbox": [600, 410, 601, 411]',
    hint="remove the box or draw it again",
)
def tiny(data: Data) -> Iterator[Finding]:
    """Sound, one side under two pixels; files of normalised boxes are HOM424."""
    boxes = data.objects.boxes
    small = (boxes[:, 2] < boxes[:, 0] + _TINY_PX) | (boxes[:, 3] < boxes[:, 1] + _TINY_PX)
    fractions = np.isin(_files(data), _normalised_files(data))
    yield from _boxes(data, _sound(data) & small & ~fractions, f"{_TINY_PX:g} pixels or more")


@error(
    "HOM424",
    "boxes look normalised",
    why="All boxes of the file lie between 0 and 1: they are fractions of the frame, not pixels, "
    "and every one would be drawn as a dot in the corner.",
    example='"bbox": [0.31, 0.12, 0.52, 0.97]',
    hint="say `normalised = true` under [boxes] in a --scene-graph-map file",
)
def normalised(data: Data) -> Iterator[Finding]:
    """Once a file of at least two boxes."""
    files = _files(data)
    for file in _normalised_files(data):
        rows = where(files == file)
        found = f"{len(rows)} boxes between 0 and 1"
        yield data.at_file_of(data.objects.graph[rows[0]], found, "pixels")


@warning(
    "HOM425",
    "box covers the whole frame",
    why="No object fills the picture from edge to edge: a default, not a drawn box.",
    example='"bbox": [0, 0, 1280, 720] in a picture of 1280x720',
    hint="draw the box again or remove it",
)
def whole_frame(data: Data) -> Iterator[Finding]:
    """Sound, both sides at least 99.5 % of the frame's."""
    boxes, (width, height) = data.objects.boxes, _sizes(data)
    wide = np.minimum(boxes[:, 2], width) - np.maximum(boxes[:, 0], 0) >= _WHOLE * width
    high = np.minimum(boxes[:, 3], height) - np.maximum(boxes[:, 1], 0) >= _WHOLE * height
    over = (boxes[:, 2] > width + _SLACK_PX) | (boxes[:, 3] > height + _SLACK_PX)
    yield from _boxes(data, _sound(data) & wide & high & ~over, "a part of the frame")


@error(
    "HOM426",
    "object id given twice in a frame",
    why="Relationships name objects by id. Which of two of one id is meant cannot be told; the "
    "first is taken, the others are left out.",
    example='{"id": 3, "category": "iron"} and {"id": 3, "category": "shirt"}',
    hint="give the second object an id of its own",
)
def duplicate_id(data: Data) -> Iterator[Finding]:
    """The second and later objects of one id in one frame."""
    objects = data.objects
    for row in where(objects.own == Reason.OBJECT_REPEATED):
        found = f"id {objects.ids[row]} again ({objects.classes[row]})"
        yield data.at_object(row, found, "unique within the frame", key="id")


@warning(
    "HOM427",
    "object annotated twice in a frame",
    why="Two objects of one class share the very same box: a copy, counted twice.",
    example='two "iron" at [600, 410, 668, 470]',
    hint="remove one of the two",
)
def duplicate_object(data: Data) -> Iterator[Finding]:
    """The second and later copies of class and box in one frame."""
    objects = data.objects
    rows = np.flatnonzero(_sound(data))
    graph, classes = objects.graph[rows], objects.classes.key_codes[rows]
    rows = rows[np.isin(graph, graph[repeated(graph, classes)])]
    copies = np.zeros(len(objects.graph), dtype=np.bool_)
    copies[rows[_same_box(data, rows, objects.classes.key_codes[rows])]] = True
    yield from _boxes(data, copies, "each object once")


def _same_box(data: Data, rows: Ints, classes: Ints) -> Bools:
    """Which of some objects share frame, class and box with an earlier one of them."""
    table = pd.DataFrame(data.objects.boxes[rows])
    table["graph"], table["class"] = data.objects.graph[rows], classes
    return table.duplicated().to_numpy()


@warning(
    "HOM428",
    "annotated frame without a person",
    why="The person who performs the action was annotated in every frame (paper, section 3). "
    "Without one the relationships of the frame have no subject.",
    example="objects iron and shirt, no person",
    hint="annotate the person, or check the category's spelling",
)
def no_person(data: Data) -> Iterator[Finding]:
    """Frames with objects and no person; one finding for all where over a tenth have none."""
    objects, n_frames = data.objects, len(data.frames)
    people = objects.graph[objects.classes.among({"person"})]
    people = np.bincount(people, minlength=n_frames)
    filled = np.bincount(objects.graph, minlength=n_frames) > 0
    without = filled & (people == 0)
    if without.sum() > 0.1 * filled.sum():
        found = f"no person in {without.sum()} of {filled.sum()} annotated frames"
        yield data.at_frame(int(without.argmax()), found, "a person in each")
        return
    without[objects.graph[objects.classes.codes < 0]] = False
    for row in where(without):
        yield data.at_frame(row, "no person", "a person")


@info(
    "HOM429",
    "several people in a frame",
    why="One person performs the action. Others may be in the picture; who is the subject must "
    "then be read from the relationships.",
    example="two objects of category person",
    hint="nothing, if another person was in the room",
)
def several_people(data: Data) -> Iterator[Finding]:
    """More than one person, with different boxes."""
    objects = data.objects
    people = objects.classes.among({"person"}) & _sound(data)
    counts = np.bincount(objects.graph[people], minlength=len(data.frames))
    rows = np.flatnonzero(people & (counts > 1)[objects.graph])
    rows = rows[~_same_box(data, rows, np.zeros_like(rows))]
    counts = np.bincount(objects.graph[rows], minlength=len(data.frames))
    for row in where(counts > 1):
        yield data.at_frame(row, f"{counts[row]} people", "one")


def _boxes(data: Data, rows: Bools, expected: str) -> Iterator[Finding]:
    for row in where(rows):
        box = "[" + ", ".join(f"{value:g}" for value in data.objects.boxes[row]) + "]"
        size = data.frame_sizes[int(data.objects.graph[row])]
        yield data.at_object(row, box, f"{expected}{size}", key="bbox")


def _sizes(data: Data) -> tuple[Floats, Floats]:
    """Width and height of each object's frame; infinite where not known."""
    width, height = data.records.frames.size[:, data.objects.graph]
    return np.where(width, width, np.inf), np.where(height, height, np.inf)


def _sound(data: Data) -> Bools:
    return np.asarray(data.objects.own == Reason.SOUND)


def _files(data: Data) -> Ints:
    return np.asarray(data.frames["file"].to_numpy()[data.objects.graph])


def _normalised_files(data: Data) -> list[int]:
    files, boxes = _files(data), data.objects.boxes
    given = ~np.isnan(boxes).any(axis=1)
    small = given & (boxes >= 0).all(axis=1) & (boxes <= 1).all(axis=1)
    counts = np.bincount(files[given], minlength=1)
    fractions = np.bincount(files[small], minlength=len(counts))
    return [int(file) for file in where((fractions == counts) & (counts > 1))]
