"""The class files of Action Genome: its own classes at their published places, then ours.

Readers of that format (STTran and what was made from it) prepend ``__background__`` to the objects,
cut the relationships at 3 and 9, and write some names of their own over fixed places. All of that
is right only where the published classes stand first, in their order, used or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homage_sdk.taxonomy import class_key

PERSON = "person"

OBJECTS = (
    *(PERSON, "bag", "bed", "blanket", "book", "box", "broom", "chair", "closet/cabinet"),
    *("clothes", "cup/glass/bottle", "dish", "door", "doorknob", "doorway", "floor", "food"),
    *("groceries", "laptop", "light", "medicine", "mirror", "paper/notebook", "phone/camera"),
    *("picture", "pillow", "refrigerator", "sandwich", "shelf", "shoe", "sofa/couch", "table"),
    *("television", "towel", "vacuum", "window"),
)
"""The 36 published object classes; a reader counts them from 1."""

PUBLISHED = {
    "attention_relationship": ("looking_at", "not_looking_at", "unsure"),
    "spatial_relationship": ("above", "beneath", "in_front_of", "behind", "on_the_side_of", "in"),
    "contacting_relationship": (
        *("carrying", "covered_by", "drinking_from", "eating", "have_it_on_the_back", "holding"),
        *("leaning_on", "lying_on", "not_contacting", "other_relationship", "sitting_on"),
        *("standing_on", "touching", "twisting", "wearing", "wiping", "writing_on"),
    ),
}
"""The 26 published relationship classes by group."""

GROUPS = tuple(PUBLISHED)
ATTENTION, SPATIAL, CONTACTING = GROUPS


def group_of(predicate: str, groups: Mapping[str, str] | None = None) -> str:
    """Which of the three groups a relationship belongs to.

    ``groups`` maps names to ``attention``, ``spatial`` or ``contacting`` and goes first; then come
    Action Genome's own words. Every other word is in the last group, the only one that can grow:
    readers take the first two to have three and six classes.

    >>> group_of("looking at"), group_of("in front of"), group_of("holding")
    ('attention_relationship', 'spatial_relationship', 'contacting_relationship')
    """
    key = class_key(predicate)
    named = {class_key(name): group for name, group in (groups or {}).items()}
    if key in named:
        return f"{named[key]}_relationship"
    return next((group for group, words in PUBLISHED.items() if key in words), CONTACTING)


def object_classes(names: Iterable[str]) -> list[str]:
    """The lines of ``object_classes.txt``: the published ones, then the other ``names``."""
    return list(dict.fromkeys((*OBJECTS, *map(class_key, names))))


def relationship_classes(
    names: Iterable[str], groups: Mapping[str, str] | None = None
) -> tuple[list[str], dict[str, tuple[int, int]]]:
    """The lines of ``relationship_classes.txt``, and of each group its first line and the one after
    its last, counted from 0.

    >>> lines, bounds = relationship_classes(["holding", "cutting"])
    >>> lines[2:4], lines[-1], bounds["contacting_relationship"]
    (['unsure', 'above'], 'cutting', (9, 27))
    """
    words = list(dict.fromkeys(map(class_key, names)))
    lines: list[str] = []
    bounds = {}
    for group, published in PUBLISHED.items():
        first = len(lines)
        candidates = dict.fromkeys((*published, *words))
        lines += [word for word in candidates if group_of(word, groups) == group]
        bounds[group] = (first, len(lines))
    return lines, bounds
