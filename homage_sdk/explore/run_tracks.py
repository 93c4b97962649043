"""What the modalities of an evaluated run say of a sequence over time, from the run's own files.

``config.json`` says how long a clip is, ``predictions.npz`` (``ccau evaluate``) what each modality
said of each clip. Neither is trusted: nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from homage_sdk.dataset.dataset import Dataset
from homage_sdk.dataset.sequence import Sequence
from homage_sdk.errors import CheckpointError, UnknownIdError
from homage_sdk.explore.document import RunActivity, RunScore, RunTrack, Stretch
from homage_sdk.loader.grid import Grid, eval_starts

_UNLABELLED = 8
"""So many classes that the sequence is not labelled with are shown: those with the best scores."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Clips:
    """How clips lie in a sequence: frames of each, and the step between shown frames."""

    grid: Grid
    stride: int
    every: int | None

    def frames(self, n_frames: int) -> list[Stretch]:
        """First and last frame of each clip of a sequence; exact to one ``stride``."""
        starts = eval_starts(-(-n_frames // self.stride), self.grid, self.every)
        return [
            (1 + self.stride * start, min(n_frames, self.stride * (start + self.grid.span)))
            for start in starts
        ]


def run_tracks(folder: Path, dataset: Dataset, sequence: Sequence) -> tuple[RunTrack, ...]:
    """One track for each modality of the run in ``folder``.

    A sequence that the run was not judged on has tracks that say so. Raises CheckpointError where
    the folder holds no evaluated run, or one of classes that the catalog has not.
    """
    clips = _clip_length(folder / "config.json")
    arrays = _arrays(folder / "predictions.npz")
    try:
        return tuple(
            _track(folder.name, str(modality), arrays, clips, dataset, sequence)
            for modality in arrays["modalities"].tolist()
        )
    except UnknownIdError as error:
        raise CheckpointError(
            "a run with a class that this catalog does not have",
            place=folder,
            found=str(error),
            hint="name the catalog whose shards it was judged on",
        ) from error
    except (KeyError, IndexError, ValueError) as error:
        raise _not_whole(folder / "predictions.npz", error) from error


def _clip_length(path: Path) -> _Clips:
    try:
        data = orjson.loads(path.read_bytes())["config"]["data"]
        stride, every = int(data["stride"]), int(data.get("eval_every") or 0)
        grid = Grid(int(data["blocks"]), int(data["block_frames"]), 1)
        if min(stride, grid.blocks, grid.block_frames) < 1:
            raise ValueError(f"stride {stride}, {grid.blocks} blocks of {grid.block_frames}")
    except FileNotFoundError as error:
        raise CheckpointError("no run here", place=path.parent, hint="name its folder") from error
    except (KeyError, TypeError, ValueError) as error:
        raise _not_whole(path, error) from error
    return _Clips(grid, stride, every // stride or None)


def _arrays(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if not name.endswith("_attention")}
    except FileNotFoundError as error:
        raise CheckpointError(
            "no predictions here", place=path, hint="run `ccau evaluate` first"
        ) from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _not_whole(path, error) from error


def _not_whole(path: Path, error: Exception) -> CheckpointError:
    found = (str(error).splitlines() or [type(error).__name__])[0][:80]
    return CheckpointError(
        f"not a whole {path.name}", place=path, found=found, hint="run `ccau evaluate` again"
    )


def _track(
    run: str, modality: str, arrays: Arrays, clips: _Clips, dataset: Dataset, sequence: Sequence
) -> RunTrack:
    names = arrays[f"{modality}/sequences"].tolist()
    if str(sequence.id) not in names:
        return RunTrack(run, modality, f"not among the {len(names)} sequences that it judged")
    mine = arrays[f"{modality}/clip_sequence"] == names.index(str(sequence.id))
    numbers = arrays[f"{modality}/clip_number"][mine]
    frames = clips.frames(sequence.n_frames)
    if numbers.max() >= len(frames):
        return RunTrack(
            run, modality, f"it has {numbers.max() + 1} clips of a sequence of {len(frames)}"
        )
    shown = sorted(set(numbers.tolist()))
    spans = [frames[number] for number in shown]

    def means(kind: str) -> NDArray[np.floating[Any]]:
        """Scores [clips, classes], the mean of all views of a clip."""
        scores = arrays[f"{modality}/clip_{kind}"][mine]
        return np.stack([scores[numbers == number].mean(axis=0) for number in shown])

    atomic, activity = means("atomic"), means("activity")
    taxonomy = dataset.taxonomy("activity")
    activities = [taxonomy.find(name).name for name in arrays["classes/activity"].tolist()]
    best = activity.argmax(axis=1).tolist()
    return RunTrack(
        run,
        modality,
        missing="",
        scores=_scores(atomic, arrays["classes/atomic"].tolist(), spans, dataset, sequence),
        activities=tuple(
            RunActivity(first, last, activities[column], _share(activity[row, column]))
            for row, ((first, last), column) in enumerate(zip(spans, best, strict=True))
        ),
    )


def _scores(
    scores: NDArray[np.floating[Any]],
    names: list[str],
    spans: list[Stretch],
    dataset: Dataset,
    sequence: Sequence,
) -> tuple[RunScore, ...]:
    """Of the labelled classes, and of the others that are believed in most."""
    taxonomy = dataset.taxonomy("atomic")
    labelled = {action.class_id for action in sequence.atomic_actions}
    ids = [taxonomy.find(name).id for name in names]
    order = np.argsort(-scores.max(axis=0), kind="stable").tolist()
    others = [column for column in order if ids[column] not in labelled][:_UNLABELLED]
    kept = [column for column in range(len(ids)) if ids[column] in labelled]
    kept += [column for column in others if scores[:, column].max() >= 0.5]
    return tuple(
        RunScore(
            ids[column],
            tuple(
                (*span, _share(score))
                for span, score in zip(spans, scores[:, column].tolist(), strict=True)
            ),
        )
        for column in kept
    )


def _share(score: float) -> float:
    return round(min(1.0, max(0.0, float(score))), 3)
