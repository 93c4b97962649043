"""Allen's relations between intervals, and how far apart two may lie."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import SupportsIndex

from homage_sdk.errors import UsageError, require_known
from homage_sdk.time import Seconds

RELATIONS = (
    "before",
    "meets",
    "overlaps",
    "starts",
    "during",
    "finishes",
    "equals",
    "after",
    "met_by",
    "overlapped_by",
    "started_by",
    "contains",
    "finished_by",
)
"""Allen's thirteen relations between two intervals; exactly one holds for any pair."""


def checked_relations(relation: str | Iterable[str]) -> tuple[str, ...]:
    """One or several of Allen's relations; raises UsageError for another word."""
    names = (relation,) if isinstance(relation, str) else tuple(relation)
    for name in names:
        require_known("relation", name, RELATIONS)
    return names


Within = Seconds | int
"""The largest gap between two intervals: seconds, or a number of frames."""


def within_frames(within: Within) -> int:
    """A gap in frames; a gap in seconds allows as many frames as it fully holds.

    >>> within_frames(Seconds(2)), within_frames(15)
    (60, 15)
    """
    if isinstance(within, Seconds):
        return within.frame().index
    if not isinstance(within, SupportsIndex):
        expected = f"Seconds({within}) or a whole number of frames"
        raise UsageError("not a gap", found=str(within), expected=expected)
    frames = index(within)
    if frames < 0:
        raise UsageError("a gap cannot be negative", found=str(within))
    return frames
