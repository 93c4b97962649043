"""Splits, takes and intervals are as FORMAT.md measured them on the real release."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import pytest

from homage_sdk.synth.takes import Take, plan_takes
from homage_sdk.synth.world.scene import script_of, used_classes


def _plan(n: int, activities: int, *, clean: bool = False, seed: int = 0) -> tuple[Take, ...]:
    return plan_takes(seed, n, activities, (8, 16), clean=clean)


@pytest.fixture(scope="module")
def scripts() -> list[list[tuple[str, int, int]]]:
    return [
        [(b.raw, b.first_frame, b.last_frame) for b in script_of(3, take).beats]
        for take in plan_takes(3, 150, 24, (8, 16), clean=False)
    ]


def test_intervals_are_whole_seconds_inside_the_take(
    scripts: list[list[tuple[str, int, int]]],
) -> None:
    for take, script in zip(plan_takes(3, 150, 24, (8, 16), clean=False), scripts, strict=True):
        for raw, first, last in script:
            assert first % 30 == 1, raw
            assert last % 30 == 0, raw
            assert 1 <= first < last <= 30 * take.seconds


def test_a_class_never_overlaps_itself(scripts: list[list[tuple[str, int, int]]]) -> None:
    for script in scripts:
        by_class = defaultdict(list)
        for raw, first, last in script:
            by_class[raw].append((first, last))
        for spans in by_class.values():
            spans.sort()
            assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_nine_in_ten_actions_overlap_another_and_most_are_short(
    scripts: list[list[tuple[str, int, int]]],
) -> None:
    overlapping = total = short = under_five = 0
    for script in scripts:
        for k, (_, first, last) in enumerate(script):
            others = [s for j, s in enumerate(script) if j != k]
            overlapping += any(a <= last and first <= b for _, a, b in others)
            total += 1
            short += last - first + 1 <= 60
            under_five += last - first + 1 < 150
    assert 0.87 < overlapping / total < 0.96
    assert 0.5 < short / total < 0.75
    assert 0.7 < under_five / total < 0.9


@pytest.mark.parametrize(("n", "activities"), [(24, 8), (60, 8), (120, 8), (90, 24)])
def test_every_activity_is_in_every_split(n: int, activities: int) -> None:
    seen = {(t.activity.name, t.split) for t in _plan(n, activities)}
    assert len(seen) == 3 * activities


@pytest.mark.parametrize("n", range(1, 30))
@pytest.mark.parametrize("clean", [True, False])
def test_nothing_is_tested_that_was_never_trained(n: int, clean: bool) -> None:
    takes = [t for t in _plan(n, 8, clean=clean) if "no_entry" not in t.mess]
    trained = {t.activity.name for t in takes if t.split == "train"}
    assert {t.activity.name for t in takes} <= trained


def test_training_has_several_takes_of_several_people() -> None:
    takes = _plan(120, 8)
    own = Counter(t.sequence.participant for t in takes if t.split == "train")
    assert len(own) >= 5
    assert min(own.values()) >= 3
    activities = defaultdict(set)
    for take in takes:
        if take.split == "train":
            activities[take.activity.name].add(take.sequence.participant)
    assert min(map(len, activities.values())) >= 4


def test_participants_of_the_splits_overlap_in_part_and_not_at_all_when_clean() -> None:
    def people(clean: bool) -> dict[str, set[int]]:
        takes = _plan(120, 8, clean=clean)
        return {
            s: {t.sequence.participant for t in takes if t.split == s}
            for s in ("train", "val", "test")
        }

    mixed = people(clean=False)
    for split in ("val", "test"):
        assert mixed[split] & mixed["train"]
        assert mixed[split] - mixed["train"]
    apart = people(clean=True)
    assert sum(map(len, apart.values())) == len(set().union(*apart.values()))


def test_ids_have_gaps_and_are_unique() -> None:
    takes = _plan(120, 8)
    assert len({t.sequence for t in takes}) == 120
    for numbers in (
        {t.sequence.participant for t in takes},
        {t.sequence.room for t in takes},
        {v for t in takes for v in t.views if len(t.views) > 2},
    ):
        assert numbers
    people = sorted({t.sequence.participant for t in takes})
    assert people != list(range(people[0], people[-1] + 1))
    assert any(set(range(max(t.views))) - set(t.views) for t in takes)


def test_atomic_names_have_slashes_and_underscores() -> None:
    names = used_classes(0, _plan(60, 24))
    assert any("/" in n for n in names)
    assert any("_" in n for n in names)
    assert any(" " in n for n in names)
