"""The verbs of the world: how each is named, moves the hand, and sounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """How a verb is named, moves the hand, and sounds."""

    pattern: str
    motion: str
    sound: str = ""


VERBS: dict[str, Verb] = {
    "walk": Verb("walk to swh", "walk", "step"),
    "sit": Verb("sit down on {}", "sit", "thud"),
    "take": Verb("take {} from swh", "reach", "handle"),
    "put": Verb("put {} swh", "lay", "thud"),
    "hold": Verb("hold {}", "hold"),
    "look": Verb("look at {}", "hold"),
    "wash": Verb("wash {}", "circle", "water"),
    "rinse": Verb("rinse {} with water", "circle", "water"),
    "dry": Verb("dry {}", "circle", "rustle"),
    "wipe": Verb("wipe {}", "circle", "rustle"),
    "fold": Verb("fold/unfold {}", "fold", "rustle"),
    "spread": Verb("spread {}", "spread", "rustle"),
    "iron": Verb("iron {}", "stroke", "hiss"),
    "turn": Verb("turn page of {}", "flip", "rustle"),
    "tap": Verb("work/play on {}", "tap", "tick"),
    "swipe": Verb("swipe {}", "tap", "tick"),
    "sweep": Verb("sweep floor with {}", "stroke", "swish"),
    "vacuum": Verb("vacuum floor with {}", "push", "motor"),
    "pour": Verb("take sth/pour out from {}", "tilt", "pour"),
    "fill": Verb("fill {} with water", "tilt", "pour"),
    "boil": Verb("boil water with {}", "hold", "boil"),
    "drink": Verb("drink from {}", "lift", "sip"),
    "cut": Verb("cut {}", "chop", "chop"),
    "peel": Verb("peel {}", "stroke", "scrape"),
    "type": Verb("type on {}", "tap", "click"),
    "brush": Verb("brush teeth with {}", "shake", "scrape"),
    "fry": Verb("fry sth in {}", "shake", "sizzle"),
    "stir": Verb("stir sth in {}", "circle", "sizzle"),
    "pack": Verb("pack sth into {}", "lay", "thud"),
    "tape": Verb("tape {}", "stroke", "scrape"),
    "press": Verb("press button of {}", "tap", "click"),
    "watch": Verb("watch tv with {}", "hold", "voice"),
    "write": Verb("write on {}", "shake", "scrape"),
    "eat": Verb("eat sth from {}", "lift", "crunch"),
    "tie": Verb("tie {}", "fold", "rustle"),
    "shake": Verb("shake {}", "shake", "rustle"),
}


def class_name(verb: str, thing: str) -> str:
    """The raw atomic class of a verb on an object, as HOMAGE writes them.

    >>> class_name("take", "iron")
    'take iron from swh'
    """
    return VERBS[verb].pattern.format(thing)
