"""What people do: activities as small grammars over verb and object.

The activities are chosen so that each modality tells part of the truth. Washing and drying dishes
look alike close up and differ in place and sound; folding and ironing, reading and using the phone,
sweeping and vacuuming share place and posture and differ close up; folding, reading and making the
bed sound alike.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One production of a grammar: a verb on an object, with what in hand, and how often."""

    verb: str
    thing: str
    tool: str = ""
    weight: float = 1.0

    @property
    def in_hand(self) -> str:
        """What the hand holds meanwhile."""
        return self.tool or self.thing


@dataclass(frozen=True, slots=True)
class ActivityGrammar:
    """An activity: where, in which posture, and the steps of its beginning, middle and end.

    ``main`` steps alternate in one hand, ``held`` objects lie in the other, ``side`` steps happen
    beside both.
    """

    name: str
    place: str
    posture: str
    main: tuple[Step, ...]
    held: tuple[str, ...]
    side: tuple[Step, ...] = ()

    @property
    def things(self) -> tuple[str, ...]:
        """Every object in use, the most telling first."""
        names: dict[str, None] = {}
        for step in self.main:
            names.setdefault(step.in_hand)
            names.setdefault(step.thing)
        for step in self.side:
            names.setdefault(step.thing)
        return tuple(names)


def _one(
    name: str, place: str, posture: str, held: str, *main: Step, side: str = ""
) -> ActivityGrammar:
    beside = tuple(Step("look", t) for t in side.split()) or (Step("look", main[0].thing),)
    return ActivityGrammar(name, place, posture, main, tuple(held.split()), beside)


ACTIVITIES: tuple[ActivityGrammar, ...] = (
    _one(
        "washing_dishes",
        "sink",
        "stand",
        "plate",
        Step("wash", "plate", "cloth", 3),
        Step("rinse", "plate"),
    ),
    _one(
        "drying_dishes",
        "table",
        "stand",
        "plate",
        Step("dry", "plate", "cloth", 3),
        Step("wipe", "plate", "cloth"),
    ),
    _one(
        "folding_clothes",
        "board",
        "stand",
        "clothes",
        Step("fold", "clothes", weight=3),
        Step("spread", "clothes"),
    ),
    _one(
        "ironing_clothes",
        "board",
        "stand",
        "clothes",
        Step("iron", "clothes", "iron", 3),
        Step("spread", "clothes"),
    ),
    _one(
        "reading_book", "sofa", "sit", "book", Step("turn", "book", weight=3), Step("look", "book")
    ),
    _one(
        "using_phone",
        "sofa",
        "sit",
        "phone",
        Step("tap", "phone", weight=2),
        Step("swipe", "phone", weight=2),
    ),
    _one(
        "sweeping_floor",
        "floor",
        "walk",
        "broom",
        Step("sweep", "broom", weight=3),
        Step("look", "broom"),
    ),
    _one(
        "vacuuming_floor",
        "floor",
        "walk",
        "vacuum",
        Step("vacuum", "vacuum", weight=3),
        Step("look", "vacuum"),
    ),
    _one(
        "making_tea",
        "counter",
        "stand",
        "cup",
        Step("pour", "kettle", "kettle", 2),
        Step("boil", "kettle", "kettle", 2),
        side="cup",
    ),
    _one(
        "drinking_coffee",
        "table",
        "sit",
        "cup",
        Step("drink", "cup", weight=3),
        Step("look", "cup"),
    ),
    _one(
        "cutting_vegetables",
        "counter",
        "stand",
        "vegetable/fruit",
        Step("cut", "vegetable/fruit", "knife", 3),
        Step("peel", "vegetable/fruit", "knife"),
    ),
    _one(
        "brushing_teeth",
        "sink",
        "stand",
        "toothbrush",
        Step("brush", "toothbrush", weight=3),
        Step("rinse", "toothbrush"),
    ),
    _one(
        "typing_on_laptop",
        "desk",
        "sit",
        "laptop",
        Step("type", "laptop", weight=3),
        Step("look", "laptop"),
    ),
    _one(
        "writing_notes",
        "desk",
        "sit",
        "paper",
        Step("write", "paper", "pen", 3),
        Step("look", "paper", "pen"),
    ),
    _one(
        "watering_plants",
        "window",
        "stand",
        "watering_can",
        Step("pour", "watering_can", weight=2),
        Step("fill", "watering_can"),
        side="plant",
    ),
    _one(
        "frying_eggs",
        "counter",
        "stand",
        "pan",
        Step("fry", "pan", weight=2),
        Step("stir", "pan", weight=2),
    ),
    _one(
        "watching_tv",
        "sofa",
        "sit",
        "remote",
        Step("watch", "remote", weight=3),
        Step("press", "remote"),
    ),
    _one(
        "making_bed",
        "bed",
        "stand",
        "blanket",
        Step("spread", "blanket", weight=2),
        Step("shake", "blanket", weight=2),
    ),
    _one(
        "wiping_table",
        "table",
        "stand",
        "paper_towel/paper_napkin/toilet_paper",
        Step("wipe", "paper_towel/paper_napkin/toilet_paper", weight=3),
        Step("fold", "paper_towel/paper_napkin/toilet_paper"),
    ),
    _one(
        "packing_box",
        "bed",
        "stand",
        "box/package",
        Step("pack", "box/package", weight=2),
        Step("tape", "box/package", weight=2),
    ),
    _one(
        "eating_snacks", "sofa", "sit", "bowl", Step("eat", "bowl", weight=3), Step("look", "bowl")
    ),
    _one(
        "washing_vegetables",
        "sink",
        "stand",
        "vegetable/fruit",
        Step("wash", "vegetable/fruit", weight=2),
        Step("rinse", "vegetable/fruit", weight=2),
    ),
    _one(
        "throwing_out_trash",
        "counter",
        "stand",
        "trash_bag",
        Step("tie", "trash_bag", weight=2),
        Step("shake", "trash_bag", weight=2),
    ),
    _one(
        "drinking_on_sofa",
        "sofa",
        "sit",
        "cup",
        Step("drink", "cup", weight=3),
        Step("look", "cup"),
    ),
)
"""Every activity of the world, the first K are used; ids are not their order."""


def seat(place: str) -> str:
    """What one sits down on at a place."""
    return "sofa" if place == "sofa" else "chair"
