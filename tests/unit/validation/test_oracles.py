"""Vectorised rules against loops that anybody can read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.validation.tables import action, box, frame, link, pointers, release

_QUICK = settings(max_examples=60, deadline=None)
_ENDS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 30), st.sampled_from(["pour", "cut"])), max_size=8
)


def _actions(ends: list[tuple[int, int, str]]) -> list[dict[str, Any]]:
    return [
        action(index, first, first + more, class_raw=name)
        for index, (first, more, name) in enumerate(ends)
    ]


@_QUICK
@given(_ENDS)
def test_copies_and_self_overlaps_are_those_of_a_double_loop(
    ends: list[tuple[int, int, str]],
) -> None:
    copies, kept = set(), []
    for index, end in enumerate(ends):
        if end in [ends[i] for i in kept]:
            copies.add(f"/{index}")
        else:
            kept.append(index)
    ordered = sorted(kept, key=lambda i: (ends[i][0], ends[i][0] + ends[i][1], i))
    overlapping = {
        f"/{later}"
        for n, later in enumerate(ordered)
        for earlier in ordered[:n]
        if ends[earlier][2] == ends[later][2] and sum(ends[earlier][:2]) >= ends[later][0]
    }
    made = release(actions=_actions(ends))
    assert set(pointers(made, "HOM305")) == copies
    assert set(pointers(made, "HOM304")) == overlapping


@pytest.mark.slow
@_QUICK
@given(_ENDS, st.lists(st.integers(1, 100), max_size=12, unique=True))
def test_frames_outside_actions_and_the_sampling_rule_are_those_of_a_double_loop(
    ends: list[tuple[int, int, str]], numbers: list[int]
) -> None:
    # Long enough, and without copies: an action in doubt silences the comparison on purpose.
    ends = [(first, more + 1, name) for first, more, name in dict.fromkeys(ends)]
    graphs = [frame(index, number) for index, number in enumerate(numbers)]
    made = release(actions=_actions(ends), frames=graphs)
    spans = [(first, first + more) for first, more, _ in ends]
    outside = [
        f"/frames/{index}/frame"
        for index, number in enumerate(numbers)
        if ends and not any(first <= number <= last for first, last in spans)
    ]
    assert pointers(made, "HOM403") == sorted(outside)
    if outside or not numbers:
        assert pointers(made, "HOM404") == []
        return
    few = []
    for index, (first, last) in enumerate(spans):
        length = last - first + 1
        wanted = min(3 if length < 90 else 5, length)
        if sum(first <= number <= last for number in numbers) < wanted:
            few.append(f"/{index}")
    assert pointers(made, "HOM404") == sorted(few)


@_QUICK
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-2, 3)), max_size=8),
    st.lists(st.tuples(st.integers(0, 1), st.integers(-2, 4), st.integers(-2, 4)), max_size=8),
)
def test_dangling_ids_are_those_of_a_loop(
    objects: list[tuple[int, int]], links: list[tuple[int, int, int]]
) -> None:
    made = release(
        frames=[frame(0, 1), frame(1, 2)],
        objects=[box(g, i, n, "cup", (0, 0, 9, 9)) for i, (g, n) in enumerate(objects)],
        relationships=[link(g, i, s, o, "holding") for i, (g, s, o) in enumerate(links)],
    )
    for code, end, key in (("HOM440", 1, "subject"), ("HOM441", 2, "object")):
        expected = [
            f"/frames/{row[0]}/relationships/{index}/{key}"
            for index, row in enumerate(links)
            if (row[0], row[end]) not in objects
        ]
        assert pointers(made, code) == sorted(expected)


@_QUICK
@given(st.lists(st.tuples(*[st.integers(-20, 130)] * 4), max_size=10))
def test_each_box_has_at_most_the_one_fault_that_a_loop_finds(
    boxes: list[tuple[int, int, int, int]],
) -> None:
    made = release(
        frames=[frame(0, 1)],
        objects=[box(0, i, i, f"thing {i}", xyxy) for i, xyxy in enumerate(boxes)],
    )
    expected: dict[str, list[str]] = {"HOM420": [], "HOM421": [], "HOM422": []}
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        place = f"/frames/0/objects/{index}/bbox"
        if x1 >= x2 or y1 >= y2:
            expected["HOM420"].append(place)
        elif x2 <= 0 or y2 <= 0 or x1 >= 100 or y1 >= 80:
            expected["HOM421"].append(place)
        elif x1 < -1 or y1 < -1 or x2 > 101 or y2 > 81:
            expected["HOM422"].append(place)
    for code, places in expected.items():
        assert pointers(made, code) == sorted(places)
