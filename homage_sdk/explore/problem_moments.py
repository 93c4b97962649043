"""When a problem of a sequence is: the frames that it is about, where it says any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import orjson

from homage_sdk.explore.document import Stretch
from homage_sdk.problems import Problem
from homage_sdk.time import Frame, Seconds

_FRAME = re.compile(r"\bframes? (\d{1,9})(?: (?:to|and) (\d{1,9}))?\b")
_SECONDS = re.compile(r"\b(\d{1,6}(?:\.\d+)?) s(?: after\b| to (\d{1,6}(?:\.\d+)?) s\b)")
_LARGEST_LABELS = 64 << 20


class ProblemMoments:
    """Looks up moments; the label files of a release are read once each, where they are there."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._documents: dict[str, object] = {}

    def of(self, problem: Problem, n_frames: int) -> Stretch | None:
        """The frames of the label that the problem points at, else those that its text names.

        Within the ``n_frames`` of the sequence; None where there is no moment.
        """
        return _within(self._pointed(problem) or _said(problem), n_frames)

    def _pointed(self, problem: Problem) -> Stretch | None:
        place = problem.place
        if not place.pointer or not place.file.endswith(".json"):
            return None
        value, found = self._document(place.file), None
        for record in _along(value, place.pointer):
            found = _frames_of(record) or found
        return found

    def _document(self, file: str) -> object:
        if file not in self._documents:
            self._documents[file] = self._read(file)
        return self._documents[file]

    def _read(self, file: str) -> object:
        """The label file, or None: it may be gone, or be what the problem is about."""
        if self._root is None:
            return None
        path = self._root / file
        try:
            inside = path.resolve().is_relative_to(self._root.resolve())
            if not inside or path.stat().st_size > _LARGEST_LABELS:
                return None
            document: object = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        return document


def _along(value: object, pointer: str) -> Iterator[object]:
    """The values that a JSON pointer passes, as far as it leads."""
    for word in pointer.split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return
        yield value


def _frames_of(record: object) -> Stretch | None:
    if not isinstance(record, dict):
        return None
    first, last = record.get("frame_start"), record.get("frame_end")
    if isinstance(first, int) and isinstance(last, int):
        return min(first, last), max(first, last)
    frame = record.get("frame")
    return (frame, frame) if isinstance(frame, int) else None


def _said(problem: Problem) -> Stretch | None:
    for text in (problem.found, problem.message):
        if numbers := _FRAME.search(text):
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
            return min(first, last), max(first, last)
        if moments := _SECONDS.search(text):  # others are lengths
            first = Seconds(float(moments[1])).frame().number
            last = Seconds(float(moments[2] or moments[1])).frame().number
            return min(first, last), max(first, last)
    return None


def _within(frames: Stretch | None, n_frames: int) -> Stretch | None:
    if frames is None or frames[0] > n_frames or frames[1] < 1:
        return None
    return max(Frame(1).number, frames[0]), min(frames[1], n_frames)
