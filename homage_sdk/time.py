"""Frames, seconds and intervals, and the only place where one becomes another.

Annotations speak **frames**: 1-based, inclusive at both ends, nominally 30 a second. Media speak
presentation timestamps; ``homage_sdk.media`` maps a moment to one of them through an index. Users
may speak seconds since the start of the sequence. Nowhere else is a frame divided by a rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering
from math import ceil, floor
from numbers import Real
from typing import SupportsIndex

from homage_sdk.errors import LabelError, UsageError

NOMINAL_FPS = Fraction(30)
"""The rate that HOMAGE's annotations count frames in."""


@dataclass(frozen=True, slots=True, order=True)
class Frame:
    """A frame number as the annotations count: the first frame of a video is ``Frame(1)``.

    >>> Frame(31).seconds()
    Seconds(1.0)
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

    def __repr__(self) -> str:
        return f"Frame({self.number})"

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
    Frame(31)
    >>> Seconds(0.999).frame()
    Frame(30)
    """

    value: float

    def __post_init__(self) -> None:
        if not isinstance(self.value, float | Real):
            raise LabelError(
                "not a frame number or a time",
                found=repr(self.value),
                expected="a number of seconds",
            )
        if not self.value >= 0 or self.value == float("inf"):
            raise LabelError(
                "not a frame number or a time",
                found=f"{self.value} s",
                expected="0 or more seconds",
            )

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"Seconds({float(self.value)})"

    def __lt__(self, other: Seconds) -> bool:
        return self.value < other.value if isinstance(other, Seconds) else NotImplemented

    def frame(self, fps: Fraction = NOMINAL_FPS) -> Frame:
        """The frame on screen at this moment.

        A moment within a microsecond of a frame's beginning counts as that frame, so that
        ``Frame(n).seconds().frame() == Frame(n)`` whatever the rounding of the float.
        """
        return Frame(1 + floor(Fraction(self.value) * fps + Fraction(1, 10**6) * fps))


When = Frame | Seconds
"""What a user names a moment by."""


def as_moment(moment: When) -> When:
    """The moment itself; raises UsageError for anything else, as no unit is ever guessed.

    >>> as_moment(Frame(31))
    Frame(31)
    >>> as_moment(31)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    homage_sdk.errors.UsageError: ...found 31; expected Frame(31) or Seconds(31.0)
    """
    if isinstance(moment, Frame | Seconds):
        return moment
    expected = "Frame(...) or Seconds(...)"
    if isinstance(moment, Real):  # numpy's numbers too
        number = float(moment)
        frame = f"{number:.0f}" if number.is_integer() and number >= 1 else "..."
        expected = f"Frame({frame}) or Seconds({number})"
    raise UsageError("not a frame number or a time", found=str(moment)[:80], expected=expected)


def as_frame(moment: When, fps: Fraction = NOMINAL_FPS) -> Frame:
    """The annotation frame on screen at a moment."""
    named = as_moment(moment)
    return named.frame(fps) if isinstance(named, Seconds) else named


def as_seconds(moment: When, fps: Fraction = NOMINAL_FPS) -> Seconds:
    """The moment in seconds; for a frame, when it begins."""
    named = as_moment(moment)
    return named.seconds(fps) if isinstance(named, Frame) else named


def as_seconds_range(begin: When | Interval, end: When | None) -> tuple[float, float]:
    """Begin and end of a range in seconds: a ``Frame`` at its end is shown to its own end.

    Raises UsageError for an empty range, and for one without an end.
    """
    if isinstance(begin, Interval):
        _require_alone(end)
        return begin.begin_s(), begin.end_s()
    if end is None:
        raise UsageError("a range without an end", found=f"{begin} alone")
    begin_s = as_seconds(begin).value
    end_s = Interval(1, end.number).end_s() if isinstance(end, Frame) else as_seconds(end).value
    if end_s <= begin_s:
        raise _no_range(begin, end)
    return begin_s, end_s


def _no_range(begin: object, end: object) -> UsageError:
    return UsageError("not a range", found=f"{begin} to {end}", expected="an end after the begin")


def _require_alone(end: object) -> None:
    if end is not None:
        raise UsageError("an interval has its own end", found=f"another: {end}")


def _frames_before(end_s: float, fps: Fraction = NOMINAL_FPS) -> int:
    """How many frames begin before a moment, to a microsecond."""
    return max(0, ceil((Fraction(end_s) - Fraction(1, 10**6)) * fps))


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

    def __repr__(self) -> str:
        return f"Interval({self.first}, {self.last})"

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
    def of(cls, begin: When | Interval, end: When | None = None) -> Interval:
        """The frames of a range: a ``Frame`` at its end is included, ``Seconds`` are not.

        Without an end, the one frame on screen at ``begin``. Raises UsageError for an empty range.

        >>> Interval.of(Frame(31), Frame(60)), Interval.of(Seconds(1.0), Seconds(2.0))
        (Interval(31, 60), Interval(31, 60))
        """
        if isinstance(begin, Interval):
            _require_alone(end)
            return begin
        first = as_frame(begin).number
        if end is None:
            return cls(first, first)
        last = end.number if isinstance(end, Frame) else _frames_before(as_seconds(end).value)
        if last < first:
            raise _no_range(begin, end)
        return cls(first, last)

    def __contains__(self, moment: When) -> bool:
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
        """Which of Allen's relations holds, one of the thirteen (``homage_sdk.query.relations``).

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
