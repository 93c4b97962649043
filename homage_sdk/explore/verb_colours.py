"""Colours of classes: one a verb, told apart also by readers who do not see red and green apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from homage_sdk.taxonomy import class_key

_HUES = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442"),  # Okabe, Ito
    *("#332288", "#44aa99", "#999933", "#882255", "#88ccee"),  # and Tol's muted ones
)
_STEPS = (0.0, 0.35, -0.3)
"""Each round through the hues is lighter or darker than the one before."""

PALETTE = tuple(
    "#"
    + "".join(
        f"{round(part + (255 - part) * step if step > 0 else part * (1 + step)):02x}"
        for part in bytes.fromhex(hue[1:])
    )
    for step in _STEPS
    for hue in _HUES
)
"""Thirty-six colours; beyond them they begin again."""


def verb_of(name: str) -> str:
    """The first word of a class name, however it is spelt.

    >>> verb_of("take_cup_from_table"), verb_of("Hold a bottle")
    ('take', 'hold')
    """
    return class_key(name).split("_", 1)[0].split(" ", 1)[0] or name


def verb_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each verb of these class names: the commonest verbs get the most distinct ones.

    >>> verb_colours(["take cup", "put cup", "take spoon"])
    {'take': '#0072b2', 'put': '#e69f00'}
    """
    count = Counter(map(verb_of, names))
    order = sorted(count, key=lambda verb: (-count[verb], verb))
    return {verb: PALETTE[rank % len(PALETTE)] for rank, verb in enumerate(order)}


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour (WCAG's contrast).

    >>> ink_on("#f0e442"), ink_on("#332288")
    ('#000000', '#ffffff')
    """
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (byte / 255 for byte in bytes.fromhex(colour[1:]))
    ]
    light = sum(
        weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )
    return "#000000" if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else "#ffffff"
