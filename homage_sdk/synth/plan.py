"""Which takes a release holds: who, where, what, in which split, seen by which cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from homage_sdk.ids import SequenceId
from homage_sdk.synth.grammar import ACTIVITIES, ActivityGrammar
from homage_sdk.synth.mess import deal_mess
from homage_sdk.synth.streams import stream

SPLIT_SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}

VIEW_SHARES = {2: 231, 3: 302, 4: 191, 5: 96}
"""Sequences with that many views (FORMAT.md, measured)."""


@dataclass(frozen=True, slots=True)
class Take:
    """One sequence as it will be recorded, and what is wrong with it."""

    sequence: SequenceId
    activity: ActivityGrammar
    split: str
    seconds: int
    views: tuple[int, ...]
    mess: frozenset[str] = frozenset()

    @property
    def third_views(self) -> tuple[int, ...]:
        """The views that are not the head-mounted one."""
        return tuple(v for v in self.views if v != 0)


def plan_takes(
    seed: int, sequences: int, activities: int, seconds: tuple[float, float], *, clean: bool
) -> tuple[Take, ...]:
    """Every take of a release, in order of its id; a pure function of its arguments."""
    rng = stream(seed, "plan")
    chosen = ACTIVITIES[:activities]
    kinds = [chosen[k % activities] for k in range(sequences)]
    splits = _splits(kinds, rng)
    numbers = _participant_numbers(sequences, rng)
    kept_out = numbers[-max(1, len(numbers) // 4) :] if len(numbers) >= 4 else ()
    regular = [n for n in numbers if n not in kept_out]
    order = [int(k) for k in rng.permutation(sequences)]
    takes: list[Take] = []
    next_take: dict[tuple[int, int], int] = {}
    for position, k in enumerate(order):
        group = regular
        if splits[k] != "train" and kept_out and position % 2:
            group = list(kept_out)
        number = group[position % len(group)]
        room = (0, 1, 3, 4)[int(rng.integers(4))]
        take = next_take.get((number, room), int(rng.integers(0, 3)))
        next_take[number, room] = take + 1 + int(rng.integers(0, 2))
        length = int(round(rng.uniform(*seconds)))
        views = _views(rng)
        takes.append(
            Take(SequenceId(number, room, take), kinds[k], splits[k], max(length, 4), views)
        )
    takes.sort(key=lambda take: take.sequence)
    if clean:
        return tuple(takes)
    dealt = deal_mess([t.split for t in takes], [len(t.views) for t in takes])
    return tuple(_spoil(take, dealt.get(k, frozenset())) for k, take in enumerate(takes))


def _splits(kinds: list[ActivityGrammar], rng: np.random.Generator) -> list[str]:
    """A split for each take: each activity in every split where it has three takes or more."""
    splits = ["train"] * len(kinds)
    quota = 0.0
    for activity in dict.fromkeys(kinds):
        mine = [k for k, kind in enumerate(kinds) if kind is activity]
        mine = [mine[int(k)] for k in rng.permutation(len(mine))]
        if len(mine) >= 3:
            held = max(1, round(SPLIT_SHARES["val"] * len(mine)))
        else:
            quota += len(mine) * 2 * SPLIT_SHARES["val"]
            held = 0
            if quota >= 1:
                quota -= 1
                splits[mine[0]] = ("val", "test")[int(quota * 10) % 2]
        for k in mine[:held]:
            splits[k] = "val"
        for k in mine[held : 2 * held]:
            splits[k] = "test"
    if len(kinds) >= 3:
        for split in ("val", "test"):
            if split not in splits:
                splits[splits.index("train")] = split
    return splits


def _participant_numbers(sequences: int, rng: np.random.Generator) -> list[int]:
    count = min(max(3, sequences // 5), 27)
    numbers, number = [], 1
    for _ in range(count):
        number += 1 + int(rng.random() < 0.3)
        numbers.append(number)
    return numbers


def _views(rng: np.random.Generator) -> tuple[int, ...]:
    counts = list(VIEW_SHARES)
    shares = np.array([VIEW_SHARES[c] for c in counts], np.float64)
    n = int(rng.choice(counts, p=shares / shares.sum()))
    third = list(range(1, n))
    if rng.random() < 0.2:
        third[-1] += 1
    return (0, *third)


def _spoil(take: Take, mess: frozenset[str]) -> Take:
    views = take.views
    if "no_ego" in mess:
        views = tuple(v for v in views if v != 0)
    if "one_view" in mess:
        views = views[:1]
    if "view_gap" in mess:
        views = (*views[:-1], views[-1] + 2)
    return replace(take, views=views, mess=mess)
