"""Rules about the objects of annotated frames and their boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from homage_sdk.problems import Severity
from homage_sdk.release.arrays import repeated
from homage_sdk.validation.columns import MISSING, Bools, where
from homage_sdk.validation.data import Data
from homage_sdk.validation.rule import Finding, rule

_SLACK_PX = 1.0  # a box may end on the far side of the last pixel, and be rounded
_TINY_PX = 2.0
_WHOLE = 0.995

_MAP_HINT = (
    "if all boxes are x, y, width, height, "
    'say `format = "xywh"` under [boxes] in a --scene-graph-map file'
)


@rule(
    "HOM420",
    "box with its corners out of order",
    why="A box is left, top, right, bottom. Reversed or equal corners enclose nothing. When many "
    "boxes fail, they are usually x, y, width, height.",
    example='"bbox": [600, 410, 68, 60]',
    hint=_MAP_HINT,
)
def unordered(data: Data) -> Iterator[Finding]:
    """x2 <= x1 or y2 <= y1, all four given."""
    boxes = data.boxes
    wrong = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    yield from _boxes(data, wrong, "x1 < x2 and y1 < y2")


@rule(
    "HOM421",
    "box outside its frame",
    why="No pixel of the box is in the picture: it belongs to another size, another view or "
    "another format.",
    example='"bbox": [1400, 100, 1500, 200] in a picture 1280 wide',
    hint="check the frame size and the box format of the file",
)
def outside(data: Data) -> Iterator[Finding]:
    """Ordered, and without a pixel in common with the frame."""
    boxes, (width, height) = data.boxes, _sizes(data)
    away = (boxes[:, 2] <= 0) | (boxes[:, 3] <= 0) | (boxes[:, 0] >= width)
    away |= boxes[:, 1] >= height
    yield from _boxes(data, _ordered(data) & away, "in the frame")


@rule(
    "HOM422",
    "box reaches over the edge of its frame",
    severity=Severity.WARNING,
    why="A part of the box is outside the picture. It is kept as it is; a crop made with it would "
    "wrap around or fail.",
    example='"bbox": [1200, 100, 1320, 200] in a picture 1280 wide',
    hint="clip the box to the frame",
)
def over_the_edge(data: Data) -> Iterator[Finding]:
    """Ordered, partly inside, more than a pixel outside."""
    boxes, (width, height) = data.boxes, _sizes(data)
    inside = (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
    over = (boxes[:, 0] < -_SLACK_PX) | (boxes[:, 1] < -_SLACK_PX)
    over |= (boxes[:, 2] > width + _SLACK_PX) | (boxes[:, 3] > height + _SLACK_PX)
    yield from _boxes(data, _ordered(data) & inside & over, "inside the frame")


@rule(
    "HOM423",
    "tiny box",
    severity=Severity.WARNING,
    why=f"A side under {_TINY_PX:g} pixels: nothing can be seen in it. Most often a click without "
    "a drag, or normalised boxes read as pixels.",
    example='"bbox": [600, 410, 601, 411]',
    hint="remove the box or draw it again",
)
def tiny(data: Data) -> Iterator[Finding]:
    """Ordered, one side under two pixels; files of normalised boxes are HOM424."""
    boxes = data.boxes
    small = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) < _TINY_PX
    fractions = np.isin(_files(data), _normalised_files(data))
    yield from _boxes(data, _ordered(data) & small & ~fractions, f"{_TINY_PX:g} pixels or more")


@rule(
    "HOM424",
    "boxes look normalised",
    why="All boxes of the file lie between 0 and 1: they are fractions of the frame, not pixels, "
    "and every one would be drawn as a dot in the corner.",
    example='"bbox": [0.31, 0.12, 0.52, 0.97]',
    hint="say `normalised = true` under [boxes] in a --scene-graph-map file",
)
def normalised(data: Data) -> Iterator[Finding]:
    """Once a file of at least two boxes."""
    graphs = _files(data)
    for file in _normalised_files(data):
        row = where(graphs == file)[0]
        yield Finding(
            data.file_place(file),
            data.frames["sequence"].iat[data.object_graph[row]],
            f"{int((graphs == file).sum())} boxes between 0 and 1",
            "pixels",
        )


@rule(
    "HOM425",
    "box covers the whole frame",
    severity=Severity.WARNING,
    why="No object fills the picture from edge to edge: a default box that nobody drew.",
    example='"bbox": [0, 0, 1280, 720] in a picture of 1280x720',
    hint="draw the box again or remove it",
)
def whole_frame(data: Data) -> Iterator[Finding]:
    """Ordered, both sides at least 99.5 % of the frame's."""
    boxes, (width, height) = data.boxes, _sizes(data)
    wide = np.minimum(boxes[:, 2], width) - np.maximum(boxes[:, 0], 0) >= _WHOLE * width
    high = np.minimum(boxes[:, 3], height) - np.maximum(boxes[:, 1], 0) >= _WHOLE * height
    over = (boxes[:, 2] > width + _SLACK_PX) | (boxes[:, 3] > height + _SLACK_PX)
    yield from _boxes(data, _ordered(data) & wide & high & ~over, "a part of the frame")


@rule(
    "HOM426",
    "object id given twice in a frame",
    why="Relationships name objects by id. With two of one id nobody can tell which is meant; the "
    "first is taken.",
    example='{"id": 3, "category": "iron"} and {"id": 3, "category": "shirt"}',
    hint="give the second object an id of its own",
)
def duplicate_id(data: Data) -> Iterator[Finding]:
    """The second and later objects of one id in one frame."""
    for row in where(repeated(data.object_graph, data.object_ids)):
        if data.object_ids[row] != MISSING:
            yield Finding(
                data.object_place(row, "id"),
                _sequence(data, row),
                f"id {data.object_ids[row]} again ({data.object_classes[row]})",
                "unique within the frame",
            )


@rule(
    "HOM427",
    "object annotated twice in a frame",
    severity=Severity.WARNING,
    why="Two objects of one class share the very same box: a copy, counted twice.",
    example='two "iron" at [600, 410, 668, 470]',
    hint="remove one of the two",
)
def duplicate_object(data: Data) -> Iterator[Finding]:
    """The second and later copies of class and box in one frame."""
    boxes = np.where(np.isnan(data.boxes), -1.0, data.boxes).astype(np.float64)
    columns = [boxes[:, i].view(np.int64) for i in range(4)]
    again = repeated(data.object_graph, data.object_classes.key_codes, *columns)
    ids = repeated(data.object_graph, data.object_ids)
    yield from _boxes(data, again & ~ids & _ordered(data), "each object once")


@rule(
    "HOM428",
    "annotated frame without a person",
    severity=Severity.WARNING,
    why="The person who performs the action was annotated in every frame (paper, section 3). "
    "Without one the relationships of the frame have no subject.",
    example="objects iron and shirt, no person",
    hint="annotate the person, or check the category's spelling",
)
def no_person(data: Data) -> Iterator[Finding]:
    """Frames with objects and no person, in a release in which nearly every frame has one."""
    frames = data.frames
    people = np.bincount(
        data.object_graph[data.object_classes.among({"person"})], minlength=len(frames)
    )
    filled = np.bincount(data.object_graph, minlength=len(frames)) > 0
    without = filled & (people == 0)
    if without.sum() > 0.1 * filled.sum():
        return  # this release does not annotate people in every frame: not a fault of a frame
    unnamed = data.object_graph[data.object_classes.codes < 0]
    without[unnamed] = False
    for row in where(without):
        yield Finding(data.frame_place(row), frames["sequence"].iat[row], "no person", "a person")


@rule(
    "HOM429",
    "several people in a frame",
    severity=Severity.INFO,
    why="One person performs the action. Others may be in the picture; who is the subject must "
    "then be read from the relationships.",
    example="two objects of category person",
    hint="nothing, if somebody else was in the room",
)
def several_people(data: Data) -> Iterator[Finding]:
    """More than one person, with different boxes."""
    frames = data.frames
    people = data.object_classes.among({"person"})
    people &= ~repeated(
        data.object_graph, *(data.boxes[:, i].copy().view(np.int64) for i in range(4))
    )
    people &= ~repeated(data.object_graph, data.object_ids)
    counts = np.bincount(data.object_graph[people], minlength=len(frames))
    for row in where(counts > 1):
        yield Finding(
            data.frame_place(row), frames["sequence"].iat[row], f"{counts[row]} people", "one"
        )


def _boxes(data: Data, rows: Bools, expected: str) -> Iterator[Finding]:
    for row in where(rows):
        yield Finding(
            data.object_place(row, "bbox"),
            _sequence(data, row),
            "[" + ", ".join(f"{value:g}" for value in data.boxes[row]) + "]",
            f"{expected}{data.frame_sizes[int(data.object_graph[row])]}",
        )


def _sequence(data: Data, row: int) -> str:
    return data.frame_sequences[int(data.object_graph[row])]


def _sizes(data: Data) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Width and height of each object's frame; infinite where not given or impossible."""
    sides = []
    for name in ("width", "height"):
        side = data.frames[name].to_numpy().astype(np.float64)
        side[side < 1] = np.inf
        sides.append(side[data.object_graph])
    return sides[0], sides[1]


def _ordered(data: Data) -> Bools:
    boxes = data.boxes
    return np.asarray((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]))


def _files(data: Data) -> NDArray[np.int64]:
    return np.asarray(data.frames["file"].to_numpy()[data.object_graph])


def _normalised_files(data: Data) -> list[int]:
    files, boxes = _files(data), data.boxes
    given = ~np.isnan(boxes).any(axis=1)
    small = given & (boxes >= 0).all(axis=1) & (boxes <= 1).all(axis=1)
    counts = np.bincount(files[given], minlength=1)
    fractions = np.bincount(files[small], minlength=len(counts))
    return [int(file) for file in where((fractions == counts) & (counts > 1))]
