"""Multi-hot targets: which atomic-action classes are active at a frame, over a span, per block."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from homage_sdk.dataset.atomic_actions import AtomicActions
from homage_sdk.errors import UsageError, require_known
from homage_sdk.taxonomy import Taxonomy
from homage_sdk.time import Interval, When, as_frame

Multihot = npt.NDArray[np.float32]
"""float32, 1 where active; the last axis is C, in the column order of the atomic taxonomy."""


class Targets:
    """The atomic actions of a sequence as vectors over C classes (C = ``len(taxonomy)``)."""

    def __init__(self, actions: AtomicActions, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._column = np.array([taxonomy.index(a.class_id) for a in actions], dtype=np.int64)
        self._first = np.array([a.first_frame for a in actions], dtype=np.int64)
        self._last = np.array([a.last_frame for a in actions], dtype=np.int64)

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self._taxonomy)

    @property
    def names(self) -> tuple[str, ...]:
        """What each column stands for."""
        return self._taxonomy.names

    def at(self, moment: When) -> Multihot:
        """Float32 [C]: 1 where an action of the class is going on at this moment."""
        number = as_frame(moment).number
        return self._spans(np.array([[number, number]])).reshape(-1)

    def over(
        self,
        begin: When | Interval,
        end: When | None = None,
        how: Literal["any", "fraction"] = "any",
    ) -> Multihot:
        """Float32 [C] over an interval, or ``begin`` to ``end``: frames included, seconds not.

        ``how="any"``: 1 where an action of the class shares a frame with it. ``how="fraction"``:
        the share of its frames during which the class is active, 0 to 1.
        """
        require_known("value of how", how, ("any", "fraction"))
        span = Interval.of(begin, end)
        if how == "any":
            return self._spans(np.array([[span.first, span.last]])).reshape(-1)
        active = np.zeros((self.n_classes, span.n_frames), dtype=bool)
        for column, first, last in zip(self._column, self._first, self._last, strict=True):
            low, high = max(first, span.first), min(last, span.last)
            active[column, low - span.first : max(low, high + 1) - span.first] = True
        share: Multihot = active.mean(axis=1).astype(np.float32)
        return share

    def blocks(self, frames: npt.NDArray[np.integer]) -> Multihot:
        """Float32 [N, C] for the frame numbers int [N, K] that N blocks of K frames show.

        1 where an action of the class shares a frame with the block's span, from its first shown
        frame to its last. Numbers below 1 are padding; a block of padding only gives zeros.
        """
        frames = np.asarray(frames)
        if frames.ndim != 2:
            raise UsageError(
                "not blocks of frames", found=f"shape {frames.shape}", expected="[N,K]"
            )
        real = frames >= 1
        first = np.where(real, frames, np.iinfo(np.int64).max).min(axis=1, initial=2**62)
        last = np.where(real, frames, 0).max(axis=1, initial=0)
        return self._spans(np.stack([first, last], axis=1))

    def _spans(self, spans: npt.NDArray[np.integer]) -> Multihot:
        """Float32 [N, C] for spans [N, 2] of first and last frame, both included."""
        hit = (self._first <= spans[:, 1:2]) & (spans[:, 0:1] <= self._last)  # [N, actions]
        out = np.zeros((len(spans), self.n_classes), dtype=np.float32)
        row, action = np.nonzero(hit)
        out[row, self._column[action]] = 1
        return out
