"""Scores of clips, and how they join to scores of sequences.

Letters: S sequences, A activities, C atomic classes, D features. A sequence's activity scores are
the mean of its clips' softmax, its atomic scores the largest sigmoid of any clip (CCAU.md,
"Evaluation"); several third-person views are averaged after that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from homage_sdk.errors import TrainingError

Floats = NDArray[np.floating[Any]]


Clips = Mapping[str, NDArray[Any]]
"""Columns with a row a clip and view: ``sequence, view, clip, present, activity, atomic, context,
activity_label, atomic_label``. A clip that the modality does not reach (a view shorter than its
sequence) is there and not ``present``: counted, not used."""


@dataclass(frozen=True)
class Predictions:
    """Scores of one modality for all clips of S sequences, ordered by sequence, view and number."""

    sequences: tuple[str, ...]  # sorted
    activity_label: NDArray[np.int64]  # [S], -1 unknown
    atomic_label: NDArray[np.uint8]  # [S, C]
    clip_sequence: NDArray[np.int64]  # [clips], row of the sequence
    clip_view: NDArray[np.int64]
    clip_number: NDArray[np.int64]
    clip_activity: Floats  # [clips, A]
    clip_atomic: Floats  # [clips, C]
    clip_atomic_label: NDArray[np.uint8]
    clip_embedding: Floats  # [clips, D]

    @cached_property
    def activity(self) -> Floats:
        """``[S, A]``, all views averaged."""
        return join_clips(self.clip_activity, self.clip_sequence, self.clip_view, "mean")

    @cached_property
    def atomic(self) -> Floats:
        """``[S, C]``, all views averaged."""
        return join_clips(self.clip_atomic, self.clip_sequence, self.clip_view, "max")

    def one_view(self) -> Predictions:
        """The same of each sequence's view with the lowest number alone."""
        begins = np.searchsorted(self.clip_sequence, self.clip_sequence)
        kept = self.clip_view == self.clip_view[begins]
        clips = {f.name: getattr(self, f.name) for f in fields(self) if f.name.startswith("clip_")}
        return replace(self, **{name: values[kept] for name, values in clips.items()})

    @property
    def n_views(self) -> NDArray[np.int64]:
        """``[S]``."""
        pairs = np.unique(np.stack([self.clip_sequence, self.clip_view]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.sequences))


def join_clips(
    scores: Floats,
    sequence: NDArray[np.integer[Any]],
    view: NDArray[np.integer[Any]],
    how: Literal["mean", "max"],
) -> Floats:
    """Clips ``[clips, ...]`` to sequences ``[S, ...]``: over each view's clips, then mean of views.

    ``sequence`` and ``view`` (``[clips]``) lie in order; each sequence has a clip.

    >>> join_clips(np.array([[0.2], [0.4], [0.9]]), np.array([0, 0, 0]), np.array([1, 1, 4]), "max")
    array([[0.65]])
    """
    changes = (np.diff(sequence, prepend=-1) != 0) | (np.diff(view, prepend=view[:1]) != 0)
    begins = np.flatnonzero(changes)
    if how == "max":
        by_view = np.maximum.reduceat(scores, begins)
    else:
        n_clips = np.diff(begins, append=len(scores))
        by_view = np.add.reduceat(scores, begins) / n_clips[:, None]
    firsts = np.flatnonzero(np.diff(sequence[begins], prepend=-1))
    n_views = np.diff(firsts, append=len(begins))
    return np.asarray(np.add.reduceat(by_view, firsts) / n_views[:, None])


def merge(clips: Clips, planned: Mapping[tuple[str, int], int]) -> Predictions | None:
    """Predictions from clips in any order, each view of each exactly once; None: none is present.

    ``planned`` says how many views each (sequence, clip) has to come with; see
    ``require_each_once``. A sequence's atomic label is that of all its clips, whatever the modality
    reaches, so that every modality is judged by the same labels.
    """
    require_each_once(clips, planned)
    order = np.lexsort((clips["clip"], clips["view"], clips["sequence"]))
    shown = {name: column[order[clips["present"][order]]] for name, column in clips.items()}
    names, rows = np.unique(shown["sequence"], return_inverse=True)
    if not len(names):
        return None
    everywhere = [clips["atomic_label"][clips["sequence"] == name].max(axis=0) for name in names]
    return Predictions(
        sequences=tuple(names.tolist()),
        activity_label=shown["activity_label"][np.searchsorted(rows, np.arange(len(names)))],
        atomic_label=np.stack(everywhere).astype(np.uint8),
        clip_sequence=rows,
        clip_view=shown["view"],
        clip_number=shown["clip"],
        clip_activity=shown["activity"],
        clip_atomic=shown["atomic"],
        clip_atomic_label=shown["atomic_label"].astype(np.uint8),
        clip_embedding=shown["context"],
    )


def require_each_once(clips: Clips, planned: Mapping[tuple[str, int], int]) -> None:
    """TrainingError unless every clip came with each of its views, and no view of it twice.

    ``planned`` maps (sequence, clip number) to a number of views.
    """
    sequence, clip, view = (clips[name].tolist() for name in ("sequence", "clip", "view"))
    came = Counter(zip(sequence, clip, strict=True))
    rows = zip(sequence, clip, view, clips["present"].tolist(), strict=True)
    shown = Counter(row[:3] for row in rows if row[3])
    for (sequence, clip, view), times in shown.items():
        if times > 1:
            raise TrainingError(f"{sequence} view {view} clip {clip} came twice")
    for sequence, clip in sorted(planned.keys() | came.keys()):
        found, expected = came[sequence, clip], planned.get((sequence, clip), 0)
        if found != expected:
            raise TrainingError(
                f"{sequence} was not evaluated in full, each view of a clip once",
                found=f"clip {clip} with {found} views",
                expected=str(expected),
            )
