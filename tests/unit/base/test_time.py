"""Frames, seconds and intervals: exact, 1-based, inclusive."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homage_sdk import Frame, HomageError, Interval, Seconds
from homage_sdk.query.relations import RELATIONS

intervals = st.tuples(st.integers(1, 12), st.integers(0, 11)).map(
    lambda t: Interval(t[0], t[0] + t[1])
)


@given(st.integers(1, 10**7), st.sampled_from([Fraction(30), Fraction(30000, 1001), Fraction(25)]))
def test_a_frame_names_itself_after_a_trip_through_seconds(n: int, fps: Fraction) -> None:
    assert Frame(n).seconds(fps).frame(fps) == Frame(n)


@pytest.mark.parametrize(("second", "frame"), [(0.0, 1), (0.0333, 1), (1 / 30, 2), (5.0, 151)])
def test_a_second_falls_on_the_frame_that_is_on_screen(second: float, frame: int) -> None:
    assert Seconds(second).frame() == Frame(frame)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_moments_that_cannot_be_are_refused(bad: float) -> None:
    with pytest.raises(HomageError):
        Seconds(bad)
    with pytest.raises(HomageError):
        Frame(0)


def _by_sets(a: Interval, b: Interval) -> str:
    """Allen's relation from the sets of frames alone: an oracle that knows no end points."""
    x, y = set(range(a.first, a.last + 1)), set(range(b.first, b.last + 1))
    if not x & y:
        first, second, names = (
            (x, y, ("before", "meets")) if max(x) < min(y) else (y, x, ("after", "met_by"))
        )
        return names[1] if max(first) + 1 == min(second) else names[0]
    if x == y:
        return "equals"
    if x < y:
        left, right = min(y) in x, max(y) in x
        return "starts" if left else "finishes" if right else "during"
    if x > y:
        left, right = min(x) in y, max(x) in y
        return "started_by" if left else "finished_by" if right else "contains"
    return "overlaps" if min(x) < min(y) else "overlapped_by"


@given(intervals, intervals)
def test_the_relation_of_two_intervals_is_what_their_frames_say(a: Interval, b: Interval) -> None:
    assert a.relation(b) == _by_sets(a, b)
    assert a.relation(b) in RELATIONS


@given(intervals, intervals)
def test_sharing_gap_and_intersection_agree_with_the_frames(a: Interval, b: Interval) -> None:
    x, y = set(range(a.first, a.last + 1)), set(range(b.first, b.last + 1))
    both = a.intersection(b)
    assert a.shares_frames(b) == bool(x & y)
    assert (set(range(both.first, both.last + 1)) if both else set()) == x & y
    between = set(range(min(x | y), max(x | y) + 1)) - x - y
    assert a.gap(b) == len(between)


@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 4), (-1, -1)])
def test_what_is_no_interval_is_refused(first: int, last: int) -> None:
    with pytest.raises(HomageError, match="interval"):
        Interval(first, last)


def test_an_interval_in_seconds_holds_the_frames_on_screen_then() -> None:
    assert Interval.of(Seconds(5.0), Seconds(6.0)) == Interval(151, 180)
    assert Interval(151, 180).begin_s() == 5.0
    assert Interval(151, 180).end_s() == 6.0
