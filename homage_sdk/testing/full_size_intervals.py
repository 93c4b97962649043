"""Where the actions of a full-size release lie, with the measured shares (FORMAT.md).

59.9 % of the actions last 2 s or less and three quarters less than 5 s; nine in ten overlap
another, up to eight at once; the same class never overlaps itself; the last frame seen is 7,230.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from homage_sdk.synth.random_streams import stream

Ints = npt.NDArray[np.int64]

Action = tuple[str, int, int]
"""Raw class, begin and end in whole seconds."""

_LONGEST_TAKE_S = 241
_AT_ONCE = 8
_ALONE = 0.10
_DURATION_SHARES = {1: 0.300, 2: 0.299, 3: 0.093, 4: 0.063}
_MOST_ACTIONS = 44


def place_actions(
    seed: int,
    totals: dict[str, int],
    splits: list[str],
    activities: list[str],
    names: tuple[str, ...],
    singletons: int,
) -> list[list[Action]]:
    """The actions of every sequence, in order of time; counts per split and class are exact."""
    rng = stream(seed, "scale actions")
    counts = _counts(totals, splits, rng)
    total = int(counts.sum())
    durations = _durations(total, rng)
    alone = rng.permutation(total) < round(_ALONE * total)
    spans: list[list[tuple[int, int]]] = []
    at = 0
    # The busiest sequence shows eight at once, the next one runs to the last frame ever seen.
    busiest, longest = (int(k) for k in np.argsort(-counts, kind="stable")[:2])
    for k, n in enumerate(counts):
        mine, single = durations[at : at + n], alone[at : at + n]
        at += int(n)
        spans.append(_place(mine, single, rng, crowd=k == busiest, late=k == longest))
    classes = _class_deck(total, len(names), singletons, activities, counts, rng)
    _never_overlap_itself(classes, spans, counts, rng)
    placed: list[list[Action]] = []
    at = 0
    for own in spans:
        mine_named = [
            (names[int(c)], begin, end)
            for c, (begin, end) in zip(classes[at : at + len(own)], own, strict=True)
        ]
        at += len(own)
        placed.append(sorted(mine_named, key=lambda a: (a[1], a[2], a[0])))
    return placed


def _counts(totals: dict[str, int], splits: list[str], rng: np.random.Generator) -> Ints:
    """Actions per sequence: one at least, the split's total exactly."""
    counts = np.zeros(len(splits), np.int64)
    for split, total in totals.items():
        mine = np.flatnonzero(np.array(splits) == split)
        weights = np.clip(rng.lognormal(0, 0.5, len(mine)), 0.3, 2.2)
        own = np.clip(np.round(weights / weights.sum() * total), 1, _MOST_ACTIONS).astype(np.int64)
        while (gap := total - int(own.sum())) != 0:
            step = 1 if gap > 0 else -1
            free = np.flatnonzero((own + step >= 1) & (own + step <= _MOST_ACTIONS))
            own[rng.permutation(free)[: abs(gap)]] += step
        counts[mine] = own
    return counts


def _durations(total: int, rng: np.random.Generator) -> Ints:
    parts = [np.full(round(share * total), s) for s, share in _DURATION_SHARES.items()]
    n_long = total - sum(map(len, parts))
    parts.append(np.clip(np.round(5 + rng.exponential(4.0, n_long)), 5, 40))
    return rng.permutation(np.concatenate(parts).astype(np.int64))


def _place(
    durations: Ints,
    alone: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    crowd: bool,
    late: bool,
) -> list[tuple[int, int]]:
    """Intervals of one sequence: clusters that overlap within, and actions on their own."""
    for attempt in range(20):
        spans = _clusters(durations, alone, rng, 0.15 if attempt < 10 else 0.0)
        if crowd:
            begin = max(e for _, e in spans) if len(spans) < _AT_ONCE else spans[0][0]
            spans[:_AT_ONCE] = [(begin, begin + int(d)) for d in durations[:_AT_ONCE]]
        end = max(e for _, e in spans)
        if late and end <= _LONGEST_TAKE_S:
            last = max(range(len(spans)), key=lambda k: spans[k][1])
            tail = [k for k, s in enumerate(spans) if s[1] > spans[last][0]]
            for k in tail:
                spans[k] = tuple(t + _LONGEST_TAKE_S - end for t in spans[k])  # type: ignore[assignment]
        if max(e for _, e in spans) <= _LONGEST_TAKE_S and at_once(spans) <= _AT_ONCE:
            return spans
    return _anywhere(durations, rng)


def _clusters(
    durations: Ints, alone: npt.NDArray[np.bool_], rng: np.random.Generator, gap: float
) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    order = rng.permutation(len(durations))
    placed: dict[int, tuple[int, int]] = {}
    cluster: list[int] = []
    time = 0
    paired = [int(k) for k in order if not alone[k]]
    free = {int(k) for k in order if alone[k]}
    last_paired = paired[-1] if paired else -1
    for k in (int(k) for k in order):
        if k in free:
            continue
        length = int(durations[k])
        fresh = len(cluster) >= 2 and k != last_paired and rng.random() < 0.3
        if not cluster or fresh:
            cluster = [k]
            time += int(rng.integers(0, 8)) if rng.random() < gap * 4 else 0
            placed[k] = (time, time + length)
        else:
            anchor = placed[cluster[int(rng.integers(len(cluster)))]]
            begin = int(rng.integers(anchor[0], anchor[1]))
            placed[k] = (begin, begin + length)
            cluster.append(k)
        time = max(time, placed[k][1])
        if fresh:
            continue
    for k in sorted(free):
        time += int(rng.integers(0, 4)) if rng.random() < gap else 0
        placed[k] = (time, time + int(durations[k]))
        time = placed[k][1]
    spans = [placed[k] for k in range(len(durations))]
    return spans


def _anywhere(durations: Ints, rng: np.random.Generator) -> list[tuple[int, int]]:
    """The way out for a sequence that will not fit: anywhere, at most eight at once."""
    busy = np.zeros(_LONGEST_TAKE_S, np.int64)
    spans = []
    for length in durations:
        starts = [
            s for s in range(_LONGEST_TAKE_S - int(length)) if busy[s : s + length].max() < _AT_ONCE
        ]
        begin = starts[int(rng.integers(len(starts)))]
        busy[begin : begin + length] += 1
        spans.append((begin, begin + int(length)))
    return spans


def at_once(spans: list[tuple[int, int]]) -> int:
    """How many intervals share a second at most.

    >>> at_once([(0, 2), (1, 3), (2, 4)])
    2
    """
    return max(sum(b <= t < e for b, e in spans) for t, _ in spans)


def _class_deck(
    total: int,
    n_classes: int,
    singletons: int,
    activities: list[str],
    counts: Ints,
    rng: np.random.Generator,
) -> Ints:
    """A class for every action: a long tail, ``singletons`` classes once, others twice or more.

    Classes have a home among the activities, so that sequences of one activity share actions.
    """
    weights = 1.0 / (np.arange(n_classes - singletons) + 15.0)
    spare = total - singletons - 2 * len(weights)
    own = np.floor(weights / weights.sum() * spare).astype(np.int64) + 2
    own[0] += total - singletons - int(own.sum())
    deck = np.repeat(np.arange(n_classes), np.concatenate([own, np.ones(singletons, np.int64)]))
    home = rng.random(n_classes)[deck]
    spread = np.where(deck < 20, 10.0, 0.05)
    key = (home + spread * rng.standard_normal(total)) % 1.0
    deck = deck[np.argsort(key, kind="stable")]
    names = {name: k for k, name in enumerate(dict.fromkeys(sorted(activities)))}
    owner = np.repeat([names[a] for a in activities], counts)
    classes = np.zeros(total, np.int64)
    classes[np.argsort(owner, kind="stable")] = deck
    return classes


def _never_overlap_itself(
    classes: Ints, spans: list[list[tuple[int, int]]], counts: Ints, rng: np.random.Generator
) -> None:
    """Swap classes between sequences until no class overlaps itself; counts stay."""
    offsets = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(len(counts)), counts)

    def clashes(position: int, value: int) -> bool:
        k = int(owner[position])
        begin, end = spans[k][position - int(offsets[k])]
        return any(
            int(classes[other]) == value and b < end and begin < e and other != position
            for other, (b, e) in enumerate(spans[k], int(offsets[k]))
        )

    waiting = [p for p in range(len(classes)) if clashes(p, int(classes[p]))]
    while waiting:
        position = waiting.pop()
        while clashes(position, int(classes[position])):
            other = int(rng.integers(len(classes)))
            mine, theirs = int(classes[position]), int(classes[other])
            if owner[other] == owner[position]:
                continue
            if not clashes(position, theirs) and not clashes(other, mine):
                classes[position], classes[other] = theirs, mine
