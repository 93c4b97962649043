"""The ordinary mess of a real release (FORMAT.md), dealt to a third of the takes at most.

``no_ego``, ``one_view``, ``view_gap``, ``no_audio``: fewer or oddly numbered media.
``past_end``: an interval that runs past the end of its video. ``lying_header``: a header that
counts milliseconds as frames. ``no_labels``: listed, without atomic actions. ``no_entry``: labels
and video, in no list.
"""

from __future__ import annotations

KINDS = (
    "no_ego",
    "one_view",
    "view_gap",
    "no_audio",
    "past_end",
    "lying_header",
    "no_labels",
    "no_entry",
)

_GROUPS: dict[int, tuple[tuple[str, ...], ...]] = {
    24: tuple((kind,) for kind in KINDS),
    12: (
        ("no_ego", "view_gap"),
        ("one_view", "no_audio", "no_entry"),
        ("past_end", "lying_header"),
        ("no_labels",),
    ),
    6: (("no_ego", "past_end", "view_gap"), ("one_view", "no_audio", "lying_header")),
    3: (("no_ego", "past_end"),),
}
"""From so many takes on, these bundles go to one take each: at least two thirds stay ordinary."""


def deal_mess(
    splits: list[str], n_views: list[int], activities: list[str]
) -> dict[int, frozenset[str]]:
    """Who gets what: position among the takes to kinds. Training takes first, evenly spread.

    The last training take of an activity is never left out of the lists: what is tested is trained.
    """
    n = len(splits)
    groups = next((g for least, g in _GROUPS.items() if n >= least), ())
    train = [k for k in range(n) if splits[k] == "train"]
    trained = [activities[k] for k in train]
    rest = [k for k in range(n) if splits[k] != "train"]
    free = train[:: max(1, len(train) // max(len(groups), 1))]
    free += [k for k in train + rest if k not in free]
    dealt: dict[int, frozenset[str]] = {}
    for group in groups:
        needs_third = {"no_ego", "view_gap"} & set(group)
        for k in free:
            alone = trained.count(activities[k]) == 1 and splits[k] == "train"
            if "no_entry" in group and alone:
                continue
            if k not in dealt and not (needs_third and n_views[k] < 3):
                dealt[k] = frozenset(group)
                break
    return dealt


def past_end(frame_end: int) -> int:
    """An end that no video of this take reaches: five seconds late."""
    return frame_end + 150
