"""The script of one take: which atomic actions happen when, in whole seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from homage_sdk.synth.world.grammar import ActivityGrammar, seat
from homage_sdk.synth.world.verbs import VERBS, class_name

FPS = 30


@dataclass(frozen=True, slots=True)
class Beat:
    """One atomic action, from second ``begin_s`` up to ``end_s``; ``part`` is what does it."""

    verb: str
    thing: str
    tool: str
    part: str
    begin_s: int
    end_s: int

    @property
    def raw(self) -> str:
        """The atomic class, as published."""
        return class_name(self.verb, self.thing)

    @property
    def motion(self) -> str:
        """How the hand moves."""
        return VERBS[self.verb].motion

    @property
    def sound(self) -> str:
        """How it sounds."""
        return VERBS[self.verb].sound

    @property
    def first_frame(self) -> int:
        """1-based: 30 k + 1 (FORMAT.md, measured)."""
        return FPS * self.begin_s + 1

    @property
    def last_frame(self) -> int:
        """1-based and included: 30 m."""
        return FPS * self.end_s

    def active(self, time_s: float) -> bool:
        """Whether it is going on."""
        return self.begin_s <= time_s < self.end_s


@dataclass(frozen=True, slots=True)
class Script:
    """The beats of a take, in order of class-independent time, and how long the take is."""

    activity: ActivityGrammar
    seconds: int
    beats: tuple[Beat, ...]
    arrive_s: int
    """The person walks in until here."""
    settled_s: int
    """From here on the person is at the place, in posture."""

    def at(self, time_s: float, part: str) -> Beat | None:
        """What this part of the body is doing; the latest begun, where two would do."""
        for beat in reversed(self.beats):
            if beat.part == part and beat.active(time_s):
                return beat
        return None


_LENGTHS_S = (1, 1, 1, 2, 2, 2, 3, 4, 5, 6)


class _Draft:
    """Beats so far; refuses a class that would overlap itself (FORMAT.md: it never does)."""

    def __init__(self) -> None:
        self.beats: list[Beat] = []

    def add(self, verb: str, thing: str, tool: str, part: str, begin: int, end: int) -> bool:
        beat = Beat(verb, thing, tool, part, begin, end)
        if begin >= end or any(
            b.raw == beat.raw and b.begin_s < end and begin < b.end_s for b in self.beats
        ):
            return False
        self.beats.append(beat)
        return True


def write_script(activity: ActivityGrammar, seconds: int, rng: np.random.Generator) -> Script:
    """Unroll a grammar to a take of ``seconds``: intervals end on whole seconds, most overlap."""
    draft = _Draft()
    arrive = 1 if seconds < 9 else int(rng.integers(1, 3))
    draft.add("walk", "", "", "body", 0, arrive)
    settled = arrive
    if activity.posture == "sit":
        draft.add("sit", seat(activity.place), "", "body", arrive, arrive + 1)
        settled += 1
    first = activity.main[0].in_hand
    ready = min(settled + int(rng.integers(1, 3)), seconds - 2)
    draft.add("take", first, first, "right", max(settled - 1, 0), ready)
    closing = seconds - (1 if seconds < 9 else int(rng.integers(1, 3)))
    _main_track(draft, activity, ready, closing, rng)
    draft.add("put", first, first, "right", closing, seconds)
    released = closing if rng.random() < 0.5 else seconds
    _held_track(draft, activity, max(ready - 1, 0), released, rng)
    _side_track(draft, activity, settled, seconds, rng)
    beats = sorted(draft.beats, key=lambda b: (b.begin_s, b.end_s, b.raw))
    return Script(activity, seconds, tuple(beats), arrive, settled)


def _main_track(
    draft: _Draft, activity: ActivityGrammar, begin: int, end: int, rng: np.random.Generator
) -> None:
    weights = np.array([step.weight for step in activity.main])
    time = begin
    while time < end:
        step = activity.main[int(rng.choice(len(weights), p=weights / weights.sum()))]
        length = min(int(rng.choice(_LENGTHS_S)), end - time)
        draft.add(step.verb, step.thing, step.tool, "right", time, time + length)
        time += length


def _held_track(
    draft: _Draft, activity: ActivityGrammar, begin: int, end: int, rng: np.random.Generator
) -> None:
    time = begin
    while time < end:
        length = min(int(rng.integers(4, 10)), end - time)
        thing = activity.held[int(rng.integers(len(activity.held)))]
        draft.add("hold", thing, thing, "left", time, time + length)
        time += length + int(rng.integers(0, 2))


def _side_track(
    draft: _Draft, activity: ActivityGrammar, begin: int, end: int, rng: np.random.Generator
) -> None:
    time = begin + int(rng.integers(0, 3))
    while time < end:
        step = activity.side[int(rng.integers(len(activity.side)))]
        length = min(int(rng.integers(1, 3)), end - time)
        draft.add(step.verb, step.thing, "", "eyes", time, time + length)
        time += length + int(rng.integers(1, 5))
