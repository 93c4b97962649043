"""Which faulty records a catalog leaves out, and how it counts them.

The policy, each part counted under its name in ``catalog.json``:

* an action without class, first or last frame, or whose frames are no interval, is dropped; one
  that repeats another exactly is dropped; one that runs past the end of the video is kept as
  labelled;
* a scene graph without sequence, view or frame is dropped with all it holds;
* an object without id, category or four finite numbers in order is dropped, and so is the second
  object with the same id in a frame; a box that leaves the picture is kept as labelled;
* a relationship without ids or category, or whose subject or object is not there (any more), is
  dropped; one that repeats another exactly is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LARGEST = 2**31 - 1
"""Of a frame or an object id: what an int32 column holds."""

MOST_VIEWS = 2**15 - 1
"""Of a view number: what an int16 column holds."""


@dataclass
class Dropped:
    """How many records each part of the policy left out."""

    counts: dict[str, int] = field(default_factory=dict)

    def note(self, reason: str, count: int) -> None:
        """Count records under a reason; nothing is noted for none."""
        if count:
            self.counts[reason] = self.counts.get(reason, 0) + int(count)
