"""Scores of clips, how they join to scores of sequences, and the file ``predictions.npz``.

Letters: S sequences, A activities, C atomic classes, D features. A sequence's activity scores are
the mean of its clips' softmax, its atomic scores the largest sigmoid of any clip (CCAU.md,
"Evaluation"), of scene graphs their mean; several third-person views are averaged after that.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.config.model_config import AtomicJoin
from homage_sdk.errors import CheckpointError, TrainingError
from homage_sdk.storage import write_file

Floats = NDArray[np.floating[Any]]


Clips = Mapping[str, NDArray[Any]]
"""Columns with a row a clip and view: ``sequence, view, clip, present, activity, atomic, context,
activity_label, atomic_label, atomic_known``, and ``attention`` of networks that attend. A clip that
the modality does not reach (a view shorter than its sequence) is there and not ``present``:
counted, not used."""


@dataclass(frozen=True)
class Predictions:
    """Scores of one modality for all clips of S sequences, ordered by sequence, view and number."""

    sequences: tuple[str, ...]  # sorted
    activity_label: NDArray[np.int64]  # [S], -1 unknown
    atomic_label: NDArray[np.uint8]  # [S, C]
    atomic_known: NDArray[np.bool_]  # [S], False without any atomic label: scored on none
    clip_sequence: NDArray[np.int64]  # [clips], row of the sequence
    clip_view: NDArray[np.int64]
    clip_number: NDArray[np.int64]
    clip_activity: Floats  # [clips, A]
    clip_atomic: Floats  # [clips, C]
    clip_atomic_label: NDArray[np.uint8]
    clip_embedding: Floats  # [clips, D]
    clip_attention: NDArray[np.float16] | None = None
    """``[clips, N, h * w]``: the weights of Eq. 2 at each of N blocks, over the cells of the grid
    row by row, each a sum of 1; None for a network without attention, and in older files."""
    atomic_join: AtomicJoin = "max"
    """How atomic scores of clips join: that of the network (``ModalityNet.atomic_join``)."""

    @cached_property
    def activity(self) -> Floats:
        """``[S, A]``, all views averaged."""
        return join_clips(self.clip_activity, self.clip_sequence, self.clip_view, "mean")

    @cached_property
    def atomic(self) -> Floats:
        """``[S, C]``, all views averaged."""
        return join_clips(self.clip_atomic, self.clip_sequence, self.clip_view, self.atomic_join)

    def one_view(self) -> Predictions:
        """The same of each sequence's view with the lowest number alone."""
        begins = np.searchsorted(self.clip_sequence, self.clip_sequence)
        return replace(self, **self._clips(self.clip_view == self.clip_view[begins]))

    def only(self, names: Collection[str]) -> Predictions:
        """The same of these sequences alone; those that are not here are left out."""
        rows = np.array([i for i, name in enumerate(self.sequences) if name in names], np.int64)
        place = np.full(len(self.sequences), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.clip_sequence] >= 0
        clips = self._clips(kept)
        return Predictions(
            sequences=tuple(self.sequences[row] for row in rows),
            activity_label=self.activity_label[rows],
            atomic_label=self.atomic_label[rows],
            atomic_known=self.atomic_known[rows],
            atomic_join=self.atomic_join,
            **{**clips, "clip_sequence": place[clips["clip_sequence"]]},
        )

    def _clips(self, kept: NDArray[np.bool_]) -> dict[str, Any]:
        """What is known of these clips (bool ``[clips]``), by the name of the field."""
        known = {f.name: getattr(self, f.name) for f in fields(self) if f.name.startswith("clip_")}
        return {name: values[kept] for name, values in known.items() if values is not None}

    @property
    def n_views(self) -> NDArray[np.int64]:
        """``[S]``."""
        pairs = np.unique(np.stack([self.clip_sequence, self.clip_view]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.sequences))


def join_clips(
    scores: Floats,
    sequence: NDArray[np.integer[Any]],
    view: NDArray[np.integer[Any]],
    how: AtomicJoin,
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


def merge(
    clips: Clips, planned: Mapping[tuple[str, int], int], atomic_join: AtomicJoin = "max"
) -> Predictions | None:
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
    first = np.searchsorted(rows, np.arange(len(names)))
    return Predictions(
        sequences=tuple(names.tolist()),
        activity_label=shown["activity_label"][first],
        atomic_label=np.stack(everywhere).astype(np.uint8),
        atomic_known=shown["atomic_known"][first],
        clip_sequence=rows,
        clip_view=shown["view"],
        clip_number=shown["clip"],
        clip_activity=shown["activity"],
        clip_atomic=shown["atomic"],
        clip_atomic_label=shown["atomic_label"].astype(np.uint8),
        clip_embedding=shown["context"],
        clip_attention=shown.get("attention"),
        atomic_join=atomic_join,
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


_KINDS = ("activity", "atomic")


@dataclass(frozen=True)
class SavedPredictions:
    """Predictions of every modality, with what a metric needs beside them."""

    by_modality: Mapping[str, Predictions]
    split: Mapping[str, str]
    """Split of each sequence."""
    classes: Mapping[str, tuple[str, ...]]
    prior: Mapping[str, Floats]
    """Frequencies among the samples of the training part: ``activity [A]``, ``atomic [C]``."""


def save_predictions(path: Path, saved: SavedPredictions) -> None:
    """Write one npz file without pickles; the same bytes for the same content.

    Its members: ``modalities``; ``sequences`` and ``splits``; ``classes/KIND`` and ``prior/KIND``;
    of each modality ``MODALITY/FIELD`` for every field of ``Predictions`` that is not None.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "modalities": np.array(list(saved.by_modality), dtype=np.str_),
        "sequences": np.array(sorted(saved.split), dtype=np.str_),
        "splits": np.array([saved.split[s] for s in sorted(saved.split)], dtype=np.str_),
    }
    for kind in _KINDS:
        arrays[f"classes/{kind}"] = np.array(saved.classes[kind], dtype=np.str_)
        arrays[f"prior/{kind}"] = saved.prior[kind]
    for modality, predictions in saved.by_modality.items():
        arrays |= predictions_as_arrays(predictions, f"{modality}/")
    write_arrays(path, arrays)


def predictions_as_arrays(predictions: Predictions, prefix: str) -> dict[str, NDArray[Any]]:
    """Every field that is not None, under ``prefix`` and its name."""
    known = {f.name: getattr(predictions, f.name) for f in fields(predictions)}
    return {prefix + name: np.asarray(v) for name, v in known.items() if v is not None}


def predictions_from_arrays(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Predictions:
    """The same again; KeyError where a field is missing."""
    names = {f.name: prefix + f.name for f in fields(Predictions)}
    for field in ("clip_attention", "atomic_join"):  # not in older files
        if names[field] not in arrays:
            del names[field]
    values: dict[str, Any] = {field: arrays[name] for field, name in names.items()}
    values["sequences"] = tuple(values["sequences"].tolist())
    if "atomic_join" in values:
        values["atomic_join"] = str(values["atomic_join"])
    return Predictions(**values)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """One npz file, written whole."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_file(path, buffer.getvalue())


def load_predictions(path: Path) -> SavedPredictions:
    """Read them back; raises CheckpointError, never unpickles."""
    with read_arrays(path, "ccau evaluate") as arrays:
        names = arrays["modalities"].tolist()
        return SavedPredictions(
            by_modality={m: predictions_from_arrays(arrays, f"{m}/") for m in names},
            split=dict(zip(arrays["sequences"].tolist(), arrays["splits"].tolist(), strict=True)),
            classes={kind: tuple(arrays[f"classes/{kind}"].tolist()) for kind in _KINDS},
            prior={kind: arrays[f"prior/{kind}"] for kind in _KINDS},
        )


@contextmanager
def read_arrays(path: Path, made_by: str) -> Iterator[dict[str, NDArray[Any]]]:
    """The arrays of an npz file, to be used inside; CheckpointError where it is none or not whole.

    ``made_by`` is the command that writes such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        yield arrays
    except FileNotFoundError as error:
        raise CheckpointError(
            "no predictions here", place=path, hint=f"run `{made_by}` first"
        ) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            "not a whole predictions file",
            place=path,
            found=str(error).splitlines()[0][:80],
            hint=f"run `{made_by}` again",
        ) from error
