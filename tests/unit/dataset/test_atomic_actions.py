"""Intervals of a sequence: questions answered as brute force answers them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homage_sdk import AtomicAction, AtomicActions, Frame, Interval, Seconds
from homage_sdk.errors import UsageError
from homage_sdk.query.relations import RELATIONS, within_frames

spans = st.tuples(st.integers(1, 25), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1]))


@st.composite
def action_lists(draw: st.DrawFn) -> AtomicActions:
    names = ["pour tea", "pour_milk", "drink from cup"]
    made = []
    for index, (first, last) in enumerate(draw(st.lists(spans, max_size=9))):
        name = draw(st.sampled_from(names))
        fields = {"class_id": names.index(name), "first_frame": first, "last_frame": last}
        made.append(AtomicAction(action_id=index, name=name, **fields))
    return AtomicActions(made)


def frames(a: AtomicAction) -> set[int]:
    return set(range(a.first_frame, a.last_frame + 1))


@given(action_lists(), st.integers(1, 40))
def test_at_gives_the_actions_whose_frames_hold_the_moment(
    actions: AtomicActions, number: int
) -> None:
    assert set(actions.at(Frame(number))) == {a for a in actions if number in frames(a)}


@given(action_lists(), spans)
def test_between_overlapping_and_inside(actions: AtomicActions, span: tuple[int, int]) -> None:
    window = set(range(span[0], span[1] + 1))
    assert set(actions.between(*map(Frame, span))) == {a for a in actions if frames(a) & window}
    inside = actions.between(*map(Frame, span), how="inside")
    assert set(inside) == {a for a in actions if frames(a) <= window}


@given(action_lists(), st.sampled_from(RELATIONS), st.none() | st.integers(0, 20))
def test_related_is_the_relation_of_each_pair(
    actions: AtomicActions, relation: str, within: int | None
) -> None:
    for to in actions:
        expected = {
            a
            for a in actions
            if a is not to
            and a.interval.relation(to.interval) == relation
            and (within is None or len(between(frames(a), frames(to))) <= within)
        }
        assert set(actions.related(to, relation, within)) == expected


def between(a: set[int], b: set[int]) -> set[int]:
    """Frames strictly between two stretches that share none."""
    low, high = sorted((a, b), key=lambda s: (min(s), max(s)))
    return set(range(max(low) + 1, min(high)))


@given(action_lists())
def test_exactly_one_relation_holds_for_each_pair(actions: AtomicActions) -> None:
    for to in actions:
        found = [a for relation in RELATIONS for a in actions.related(to, relation)]
        assert sorted(a.action_id for a in found) == sorted(
            a.action_id for a in actions if a is not to
        )


@given(action_lists())
def test_before_and_after_are_the_everyday_words(actions: AtomicActions) -> None:
    for to in actions:
        assert set(actions.before(to)) == {a for a in actions if max(frames(a)) < min(frames(to))}
        assert set(actions.after(to)) == {a for a in actions if min(frames(a)) > max(frames(to))}
        overlapping = {a for a in actions if a is not to and frames(a) & frames(to)}
        assert set(actions.overlapping(to)) == overlapping


@given(action_lists())
def test_lanes_hold_every_action_once_and_are_as_few_as_can_be(actions: AtomicActions) -> None:
    lanes = actions.lanes()
    assert sorted(a.action_id for lane in lanes for a in lane) == list(range(len(actions)))
    for lane in lanes:
        for one, two in pairwise(lane):
            assert one.last_frame < two.first_frame
    at_once = max((len(actions.at(Frame(n))) for n in range(1, 45)), default=0)
    assert len(lanes) == at_once


@given(action_lists())
def test_order_is_by_time_and_tables_keep_it(actions: AtomicActions) -> None:
    keys = [(a.first_frame, a.last_frame, a.action_id) for a in actions]
    assert keys == sorted(keys)
    table = actions.to_arrow()
    assert [AtomicAction(**row) for row in table.to_pylist()] == list(actions)
    assert list(actions.to_pandas()["name"]) == [a.name for a in actions]


def test_names_fit_in_any_spelling() -> None:
    actions = AtomicActions(
        AtomicAction(action_id=i, class_id=i, name=n, first_frame=1, last_frame=2)
        for i, n in enumerate(["pour tea", "pour_milk", "take sth/pour out", "Pour Tea"])
    )
    assert [a.name for a in actions.named("POUR_tea")] == ["pour tea", "Pour Tea"]
    assert len(actions.named("pour*")) == 3 and len(actions.named("*pour*")) == 4
    assert [a.class_id for a in actions.of_class({1, 2})] == [1, 2]
    assert isinstance(actions[1:], AtomicActions) and len(actions[1:]) == 3


def test_a_gap_in_seconds_allows_the_frames_it_fully_holds() -> None:
    assert [within_frames(Seconds(s)) for s in (0, 0.99 / 30, 1 / 30, 2)] == [0, 0, 1, 60]
    with pytest.raises(UsageError):
        within_frames(-1)


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(UsageError, match="an end after the begin"):
        AtomicActions([]).between(Frame(10), Frame(5))
    with pytest.raises(UsageError, match="unknown relation 'near'"):
        AtomicActions([]).related(Interval(1, 2), "near")
    with pytest.raises(UsageError, match=r"unknown value of how 'within'; .* overlapping, inside"):
        AtomicActions([]).between(Frame(1), Frame(2), how="within")  # type: ignore[arg-type]
