"""Frames, seconds and intervals, and the only place where one becomes another.

Annotations speak **frames**: 1-based, inclusive at both ends, nominally 30 a second. Media speak
presentation timestamps; ``homage_sdk.media`` maps a moment to one of them through an index. Users
may speak seconds since the start of the sequence. Nowhere else is a frame divided by a rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering
from math import floor
from numbers import Real
from operator import index
from typing import SupportsIndex

from homage_sdk.errors import LabelError, UsageError, require_known

NOMINAL_FPS = Fraction(30)
"""The rate that HOMAGE's annotations count frames in."""


@dataclass(frozen=True, slots=True, order=True)
class Frame:
    """A frame number as the annotations count: the first frame of a video is ``Frame(1)``.

    >>> Frame(31).seconds()
    Seconds(value=1.0)
    >>> Frame(1).index
    0
    """

    number: int

    def __post_init__(self) -> None:
        if not isinstance(self.number, int | SupportsIndex):
            raise LabelError("not a frame", found=repr(self.number), expected="a whole number")
        if self.number < 1:
            raise LabelError("frames count from 1", found=str(self.number), expected="1 or more")

    def __int__(self) -> int:
        return self.number

    @property
    def index(self) -> int:
        """The 0-based position, for numpy."""
        return self.number - 1

    @classmethod
    def from_index(cls, index: int) -> Frame:
        """The frame at a 0-based position."""
        return cls(index + 1)

    def seconds(self, fps: Fraction = NOMINAL_FPS) -> Seconds:
        """When this frame begins, in seconds from the start of the sequence."""
        return Seconds(float((self.number - 1) / fps))


@total_ordering
@dataclass(frozen=True, slots=True)
class Seconds:
    """A moment in seconds from the start of the sequence.

    >>> Seconds(1.0).frame()
    Frame(number=31)
    >>> Seconds(0.999).frame()
    Frame(number=30)
    """

    value: float

    def __post_init__(self) -> None:
        if not isinstance(self.value, float | Real):
            raise LabelError("not a moment", found=repr(self.value), expected="a number of seconds")
        if not self.value >= 0 or self.value == float("inf"):
            raise LabelError("not a moment", found=f"{self.value} s", expected="0 or more seconds")

    def __float__(self) -> float:
        return self.value

    def __lt__(self, other: Seconds) -> bool:
        return self.value < other.value

    def frame(self, fps: Fraction = NOMINAL_FPS) -> Frame:
        """The frame on screen at this moment.

        A moment within a microsecond of a frame's beginning counts as that frame, so that
        ``Frame(n).seconds().frame() == Frame(n)`` whatever the rounding of the float.
        """
        return Frame(1 + floor(Fraction(self.value) * fps + Fraction(1, 10**6) * fps))


Moment = Frame | Seconds
"""What a user may name a moment by."""


def as_frame(moment: Moment | SupportsIndex | float, fps: Fraction = NOMINAL_FPS) -> Frame:
    """The annotation frame of a moment; a bare whole number is a frame, any other is seconds."""
    named = as_moment(moment)
    return named.frame(fps) if isinstance(named, Seconds) else named


def as_seconds(moment: Moment | float, fps: Fraction = NOMINAL_FPS) -> Seconds:
    """The moment in seconds; a bare ``float`` is seconds already."""
    if isinstance(moment, Frame):
        return moment.seconds(fps)
    return moment if isinstance(moment, Seconds) else Seconds(moment)


def as_moment(moment: Moment | SupportsIndex | float) -> Moment:
    """A moment as named: a whole number (numpy's too) is a frame, any other number is seconds.

    >>> as_moment(31), as_moment(1.5)
    (Frame(number=31), Seconds(value=1.5))
    """
    if isinstance(moment, Frame | Seconds):
        return moment
    if isinstance(moment, SupportsIndex):
        return Frame(index(moment))
    return Seconds(moment if isinstance(moment, float) else _real(moment))


def _real(value: object) -> float:
    if isinstance(value, Real):  # numpy's scalars too
        return float(value)
    raise LabelError(
        "not a moment", found=repr(value), expected="a frame number, seconds, Frame() or Seconds()"
    )


RELATIONS = (
    "before",
    "meets",
    "overlaps",
    "starts",
    "during",
    "finishes",
    "equals",
    "after",
    "met_by",
    "overlapped_by",
    "started_by",
    "contains",
    "finished_by",
)
"""Allen's thirteen relations between two intervals; exactly one holds for any pair."""


def checked_relations(relation: str | Iterable[str]) -> tuple[str, ...]:
    """One or several of Allen's relations; raises UsageError for another word."""
    names = (relation,) if isinstance(relation, str) else tuple(relation)
    for name in names:
        require_known("relation", name, RELATIONS)
    return names


Within = Seconds | int
"""The largest gap between two intervals: seconds, or a number of frames."""


def within_frames(within: Within) -> int:
    """A gap in frames; a gap in seconds allows as many frames as it fully holds.

    >>> within_frames(Seconds(2)), within_frames(15)
    (60, 15)
    """
    frames = within.frame().index if isinstance(within, Seconds) else within
    if frames < 0:
        raise UsageError("a gap cannot be negative", found=str(within))
    return frames


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Frames ``first`` to ``last``, both included (FORMAT.md: measured on the real release).

    >>> a, b = Interval(1, 30), Interval(31, 60)
    >>> a.relation(b), a.n_frames
    ('meets', 30)
    >>> Interval(10, 40).relation(Interval(20, 60))
    'overlaps'
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first < 1 or self.last < self.first:
            raise LabelError(
                "not an interval",
                found=f"[{self.first}, {self.last}]",
                expected="1 <= first <= last",
            )

    @property
    def n_frames(self) -> int:
        """How many frames the interval holds."""
        return self.last - self.first + 1

    def duration_s(self, fps: Fraction = NOMINAL_FPS) -> float:
        """How long it lasts, in seconds: the last frame is shown to its end."""
        return float(self.n_frames / fps)

    def begin_s(self, fps: Fraction = NOMINAL_FPS) -> float:
        """When it begins, in seconds from the start of the sequence."""
        return float((self.first - 1) / fps)

    def end_s(self, fps: Fraction = NOMINAL_FPS) -> float:
        """When its last frame leaves the screen, in seconds from the start of the sequence."""
        return float(self.last / fps)

    @classmethod
    def from_seconds(cls, begin_s: float, end_s: float, fps: Fraction = NOMINAL_FPS) -> Interval:
        """The frames on screen from ``begin_s`` up to, not including, ``end_s``."""
        first = Seconds(begin_s).frame(fps).number
        last = Seconds(end_s).frame(fps).number - 1
        return cls(first, max(first, last))

    def __contains__(self, moment: Moment | int) -> bool:
        return self.first <= as_frame(moment).number <= self.last

    def intersection(self, other: Interval) -> Interval | None:
        """The frames in both, or None."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return Interval(first, last) if first <= last else None

    def shares_frames(self, other: Interval) -> bool:
        """Whether at least one frame is in both (any relation but before, meets and inverses)."""
        return self.first <= other.last and other.first <= self.last

    def gap(self, other: Interval) -> int:
        """Frames strictly between the two; 0 when they touch or share frames."""
        return max(0, max(self.first, other.first) - min(self.last, other.last) - 1)

    def relation(self, other: Interval) -> str:
        """Which of Allen's relations holds, one of ``RELATIONS``.

        Frames are discrete and inclusive: ``a`` meets ``b`` when ``a.last + 1 == b.first``.
        """
        if self.last + 1 < other.first:
            return "before"
        if self.last + 1 == other.first:
            return "meets"
        if other.last + 1 < self.first:
            return "after"
        if other.last + 1 == self.first:
            return "met_by"
        begin = (self.first > other.first) - (self.first < other.first)
        end = (self.last > other.last) - (self.last < other.last)
        return {
            (-1, -1): "overlaps",
            (0, -1): "starts",
            (1, -1): "during",
            (1, 0): "finishes",
            (0, 0): "equals",
            (1, 1): "overlapped_by",
            (0, 1): "started_by",
            (-1, 1): "contains",
            (-1, 0): "finished_by",
        }[begin, end]


def n_frames_in(duration_s: float, fps: Fraction = NOMINAL_FPS) -> int:
    """How many annotation frames a duration holds, to the nearest frame.

    Containers keep time in rounded ticks (milliseconds in Matroska), so that ten seconds may read
    as 10.001 s: rounding to the nearest frame takes no notice of that.

    >>> n_frames_in(10.001), n_frames_in(46.1333)
    (300, 1384)
    """
    return floor(Fraction(duration_s) * fps + Fraction(1, 2))
