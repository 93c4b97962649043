"""Class names at the counts of the paper: 75 activities, 448 atomic actions, 86 objects, 29 predicates.

The names are made up in the manner of HOMAGE; only their number, their spelling (spaces and ``_``,
24 atomic classes with ``/``) and the most common ones are the published ones.
"""

from __future__ import annotations

OBJECTS = tuple(
    (
        "countertop clothes table sink cup plate book phone laptop kettle iron iron_board broom "
        "vacuum bottle knife fork spoon bowl pan pot lid towel sponge cloth bucket mop hanger shelf "
        "closet drawer door window curtain sofa chair bed pillow blanket lamp television remote "
        "fridge microwave oven stove dishwasher washing_machine dryer basket box/package bag "
        "trash_can paper_towel/paper_napkin/toilet_paper paper pen scissors tape toothbrush "
        "toothpaste soap shampoo mirror comb hairdryer watering_can plant guitar keyboard mouse "
        "headphones camera shoe sock hat glove coat belt bread vegetable/fruit egg meat coffee "
        "tea rice toy"
    ).split()
)
"""86, without ``person``."""

RELATIONSHIPS = (
    "in front of",
    "looking at",
    "holding",
    "behind",
    "on the side of",
    "touching",
    "not looking at",
    "above",
    "beneath",
    "in",
    "on",
    "sitting on",
    "standing on",
    "leaning on",
    "lying on",
    "carrying",
    "wearing",
    "opening",
    "closing",
    "wiping",
    "writing on",
    "drinking from",
    "eating",
    "cutting",
    "pouring into",
    "washing",
    "covered by",
    "twisting",
    "having it on the back",
)
"""29; the first three are the most common (paper, section 3)."""

ACTIVITIES = tuple(
    (
        "folding_clothes ironing_clothes washing_dishes drying_dishes reading_book using_phone "
        "sweeping_floor vacuuming_floor mopping_floor making_tea making_coffee drinking_coffee "
        "drinking_water cutting_vegetables washing_vegetables frying_eggs boiling_eggs cooking_rice "
        "baking_bread making_sandwich eating_snacks eating_dinner setting_table clearing_table "
        "wiping_table cleaning_window cleaning_mirror cleaning_sink cleaning_fridge cleaning_oven "
        "loading_dishwasher unloading_dishwasher loading_washing_machine unloading_dryer "
        "hanging_clothes sorting_clothes packing_suitcase packing_box unpacking_box opening_mail "
        "writing_letter drawing_picture typing_on_laptop video_calling watching_television "
        "playing_game playing_guitar playing_keyboard listening_to_music exercising stretching "
        "dancing brushing_teeth washing_face washing_hands brushing_hair drying_hair shaving "
        "putting_on_makeup getting_dressed undressing putting_on_shoes polishing_shoes making_bed "
        "sleeping_on_bed resting_on_sofa watering_plants potting_plants throwing_out_trash "
        "replacing_trash_bag assembling_toy wrapping_gift sewing_clothes changing_lamp "
        "feeding_pet"
    ).split()
)
"""75."""

_PATTERNS = (
    "take {} from swh",
    "put {} swh",
    "hold {}",
    "open {}",
    "close {}",
    "wash {}",
    "wipe {}",
    "move {}",
    "look at {}",
    "touch {}",
    "throw {} swh",
    "tidy {}",
    "shake {}",
    "turn {}",
)

_SPECIAL = (
    "walk to swh",
    "walk through doorway",
    "sit down on chair",
    "sit down on sofa",
    "stand up from chair",
    "lie down on bed",
    "turn on/turn off lamp",
    "turn on/turn off stove",
    "turn on/turn off television",
    "open/close fridge",
    "open/close microwave",
    "open/close dishwasher",
    "take sth/pour out from kettle",
    "take sth/pour out from bottle",
    "take sth/pour out from pot",
    "fold/unfold clothes",
    "fold/unfold blanket",
    "plug in/unplug hairdryer",
    "work/play on laptop",
    "work/play on phone",
)

_COUNT = 448
_WITH_SLASH = 24


def atomic_names() -> tuple[str, ...]:
    """448 raw atomic classes, 24 of them with ``/``.

    >>> names = atomic_names()
    >>> len(names), len(set(names)), sum("/" in n for n in names)
    (448, 448, 24)
    """
    names = list(dict.fromkeys(_SPECIAL))
    slashed = sum("/" in n for n in names)
    for k in range(len(OBJECTS) * len(_PATTERNS)):
        # Verb and object advance together, so that every object and every verb gets its share.
        thing, pattern = OBJECTS[k % len(OBJECTS)], _PATTERNS[(k + k // 86) % len(_PATTERNS)]
        name = pattern.format(thing)
        if name in names or len(names) == _COUNT:
            continue
        if "/" in name:
            if slashed == _WITH_SLASH:
                continue
            slashed += 1
        names.append(name)
    return tuple(names)
