"""Which takes a release holds: who, where, what, in which split, seen by which cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from homage_sdk.ids import SequenceId
from homage_sdk.synth.mess import deal_mess
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.world.grammar import ACTIVITIES, ActivityGrammar

World = Literal["home", "shared", "apart"]
"""What the videos show: people at home, or the gratings of ``film/pattern_view.py``.

``shared``: both views of a take show one content. ``apart``: in training, the third-person view
shows that of another take of its activity; in ``val`` and ``test`` it is as in ``shared``.
"""

HELD_OUT: dict[World, float] = {"home": 0.15, "shared": 0.25, "apart": 0.25}
"""The share of an activity's takes in ``val``, and again in ``test``."""

ROOMS = (0, 1, 3, 4)
"""Room numbers; the gap is the published kind."""

MOST_PARTICIPANTS = 27

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
    partner: SequenceId | None = None
    """Of a training take: another one of its activity (itself where there is one alone)."""

    @property
    def third_views(self) -> tuple[int, ...]:
        """The views that are not the head-mounted one."""
        return tuple(v for v in self.views if v != 0)


def plan_takes(
    seed: int,
    sequences: int,
    activities: int,
    seconds: tuple[float, float],
    *,
    clean: bool,
    world: World = "home",
) -> tuple[Take, ...]:
    """Every take of a release, in order of its id; a pure function of its arguments."""
    rng = stream(seed, "plan")
    chosen = ACTIVITIES[: max(1, min(activities, sequences // 2))]
    kinds = [chosen[k % len(chosen)] for k in range(sequences)]
    splits = _splits(kinds, rng, HELD_OUT[world])
    who = _participants(splits, rng, apart=clean)
    takes: list[Take] = []
    next_take: dict[tuple[int, int], int] = {}
    for kind, split, number in zip(kinds, splits, who, strict=True):
        room = ROOMS[int(rng.integers(len(ROOMS)))]
        take = next_take.get((number, room), int(rng.integers(0, 3)))
        next_take[number, room] = take + 1 + int(rng.integers(0, 2))
        length = max(round(rng.uniform(*seconds)), 4)
        views = _views(rng) if world == "home" else (0, 1)
        takes.append(Take(SequenceId(number, room, take), kind, split, length, views))
    takes.sort(key=lambda take: take.sequence)
    if world != "home":
        takes = _with_partners(takes)
    if clean:
        return tuple(takes)
    dealt = deal_mess(
        [t.split for t in takes], [len(t.views) for t in takes], [t.activity.name for t in takes]
    )
    return tuple(_spoil(take, dealt.get(k, frozenset())) for k, take in enumerate(takes))


def _with_partners(takes: list[Take]) -> list[Take]:
    """Each training take of an activity gets the next one, in a circle; others themselves."""
    circles: dict[str, list[SequenceId]] = {}
    for take in takes:
        circles.setdefault(take.activity.name, []).extend(
            [take.sequence] if take.split == "train" else []
        )
    following = {
        a: b
        for circle in circles.values()
        for a, b in zip(circle, circle[1:] + circle[:1], strict=True)
    }
    return [replace(take, partner=following.get(take.sequence, take.sequence)) for take in takes]


def _splits(kinds: list[ActivityGrammar], rng: np.random.Generator, share: float) -> list[str]:
    """A split for each take.

    An activity with three takes or more is in every split, one with two is trained and tested, one
    with a single take is trained: nothing is tested that was never trained.
    """
    splits = ["train"] * len(kinds)
    turn = 0
    for activity in dict.fromkeys(kinds):
        mine = [k for k, kind in enumerate(kinds) if kind is activity]
        mine = [mine[int(k)] for k in rng.permutation(len(mine))]
        if len(mine) == 2:
            splits[mine[0]] = ("test", "val")[turn % 2]
            turn += 1
        elif len(mine) >= 3:
            held = max(1, round(share * len(mine)))
            for k in mine[:held]:
                splits[k] = "val"
            for k in mine[held : 2 * held]:
                splits[k] = "test"
    return splits


def _participants(splits: list[str], rng: np.random.Generator, *, apart: bool) -> list[int]:
    """A participant for each take; ``apart`` keeps the participants of the splits apart.

    Otherwise they overlap in part, as published: half of the held-out takes are of people whom
    training has not seen.
    """
    count = min(max(3, len(splits) // 5), MOST_PARTICIPANTS)
    numbers = [int(n) for n in 1 + np.cumsum(1 + (rng.random(count) < 0.3))]
    n_held = max(1, round(0.2 * count))
    groups = {
        "val": numbers[count - 2 * n_held : count - n_held],
        "test": numbers[count - n_held :],
        "train": numbers[: count - 2 * n_held],
    }
    dealt = dict.fromkeys(groups, 0)
    who = [0] * len(splits)
    for k in (int(i) for i in rng.permutation(len(splits))):
        turn = dealt[splits[k]]
        dealt[splits[k]] += 1
        known = splits[k] != "train" and not apart and turn % 2 == 0
        group = groups["train" if known else splits[k]]
        who[k] = group[turn % len(group)]
    return who


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
