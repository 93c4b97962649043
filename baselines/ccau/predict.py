"""What one network says about sequences: every clip exactly once, then one row a sequence.

Letters: S sequences, V views of one, A activities, C atomic classes. A sequence's activity scores
are the mean of its clips' softmax, its atomic scores the largest sigmoid of any clip (CCAU.md,
"Evaluation"); several third-person views are averaged after that. The training mode of the network
and every random stream are left as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from baselines.ccau.config import Config
from baselines.ccau.data import having, open_loader, prepare
from baselines.ccau.distributed import World, gather
from baselines.ccau.network import ModalityNet
from homage_sdk.errors import TrainingError
from homage_sdk.shards import ShardSet
from homage_sdk.shards.batch import Batch

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ClipScores:
    """One clip of one view. ``embedding`` is the clip's context, ``[D]``.

    A clip that the modality does not reach (a view shorter than its sequence) is counted, not used.
    """

    sequence: str
    view: int
    clip: int
    n_clips: int
    present: bool
    activity: Floats
    atomic: Floats
    atomic_label: Floats
    activity_label: int
    embedding: Floats


@dataclass(frozen=True)
class Predictions:
    """Scores of one modality over S sequences in sorted order, and over all their clips."""

    sequences: tuple[str, ...]
    n_views: NDArray[np.int64]
    activity_label: NDArray[np.int64]  # [S], -1 unknown
    atomic_label: NDArray[np.uint8]  # [S, C]
    activity: Floats  # [S, A], all views averaged
    atomic: Floats  # [S, C]
    activity_one_view: Floats  # [S, A], the view with the lowest number
    atomic_one_view: Floats
    embedding: Floats  # [S, D], the mean over clips and views
    clip_sequence: NDArray[np.int64]  # [clips], row of the sequence
    clip_view: NDArray[np.int64]
    clip_number: NDArray[np.int64]
    clip_activity: Floats  # [clips, A]
    clip_atomic: Floats  # [clips, C]
    clip_atomic_label: NDArray[np.uint8]
    clip_embedding: Floats  # [clips, D]


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every part gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes.items():
            part.training = training


def predict(
    net: ModalityNet,
    modality: str,
    shards: ShardSet,
    config: Config,
    sequences: tuple[str, ...],
    *,
    world: World,
) -> Predictions | None:
    """Predictions of ``modality`` alone for those of ``sequences`` that have it, on every rank.

    None where none of them has it. Raises TrainingError when a clip is missing or comes twice.
    """
    sequences = having(shards, sequences, modality)
    if not sequences:
        return None
    loader = open_loader(
        shards, config, modalities=(modality,), world=world, training=False, sequences=sequences
    )
    own: list[ClipScores] = []
    with evaluation_mode(net):
        for batch in loader:
            on_device = batch.to(world.device)
            inputs, _ = prepare(on_device, config, (modality,), epoch=0, training=False)
            output = net(inputs[modality], on_device.block_valid)
            activity = torch.softmax(output.activity.float(), dim=1).cpu().numpy()
            atomic = torch.sigmoid(output.atomic.float()).cpu().numpy()
            context = output.clip.float().cpu().numpy()
            present = batch.present[modality].tolist()
            views = batch.view[modality].tolist() if modality in batch.view else [0] * len(batch)
            for row in range(len(batch)):
                if is_padding(batch, row):
                    continue
                own.append(
                    ClipScores(
                        sequence=batch.sequence[row],
                        view=int(views[row]),
                        clip=int(batch.clip[row]),
                        n_clips=int(batch.n_clips[row]),
                        present=bool(present[row]),
                        activity=activity[row],
                        atomic=atomic[row],
                        atomic_label=batch.atomic_clip[row].numpy(),
                        activity_label=int(batch.activity[row]),
                        embedding=context[row],
                    )
                )
    clips = [clip for part in gather(world, own) for clip in part]
    return merge(clips) if any(clip.present for clip in clips) else None


def is_padding(batch: Batch, row: int) -> bool:
    """Whether a row only fills the last batch."""
    return not batch.sequence[row]


def merge(clips: Iterable[ClipScores]) -> Predictions:
    """One row a sequence from clips in any order; every clip of every view exactly once."""
    everything = list(clips)
    require_each_once(everything)
    ordered = sorted(
        (clip for clip in everything if clip.present), key=lambda c: (c.sequence, c.view, c.clip)
    )
    groups: dict[str, dict[int, list[ClipScores]]] = {}
    for clip in ordered:
        groups.setdefault(clip.sequence, {}).setdefault(clip.view, []).append(clip)
    names = tuple(groups)
    rows = {name: row for row, name in enumerate(names)}

    def by_view(field: str, how: str) -> list[list[Floats]]:
        return [
            [
                getattr(np.stack([getattr(clip, field) for clip in found]), how)(axis=0)
                for found in views.values()
            ]
            for views in groups.values()
        ]

    activity, atomic = by_view("activity", "mean"), by_view("atomic", "max")
    labels, context = by_view("atomic_label", "max"), by_view("embedding", "mean")
    return Predictions(
        sequences=names,
        n_views=np.array([len(views) for views in groups.values()]),
        activity_label=np.array(
            [next(iter(views.values()))[0].activity_label for views in groups.values()]
        ),
        atomic_label=np.stack([np.max(v, axis=0) for v in labels]).astype(np.uint8),
        activity=np.stack([np.mean(v, axis=0) for v in activity]),
        atomic=np.stack([np.mean(v, axis=0) for v in atomic]),
        activity_one_view=np.stack([v[0] for v in activity]),
        atomic_one_view=np.stack([v[0] for v in atomic]),
        embedding=np.stack([np.mean(v, axis=0) for v in context]),
        clip_sequence=np.array([rows[clip.sequence] for clip in ordered]),
        clip_view=np.array([clip.view for clip in ordered]),
        clip_number=np.array([clip.clip for clip in ordered]),
        clip_activity=np.stack([clip.activity for clip in ordered]),
        clip_atomic=np.stack([clip.atomic for clip in ordered]),
        clip_atomic_label=np.stack([clip.atomic_label for clip in ordered]).astype(np.uint8),
        clip_embedding=np.stack([clip.embedding for clip in ordered]),
    )


def require_each_once(clips: Iterable[ClipScores]) -> None:
    """TrainingError unless every clip of every sequence came, and no view of it twice."""
    came: dict[str, set[int]] = {}
    expected: dict[str, int] = {}
    used: set[tuple[str, int, int]] = set()
    for clip in clips:
        came.setdefault(clip.sequence, set()).add(clip.clip)
        expected[clip.sequence] = clip.n_clips
        key = (clip.sequence, clip.view, clip.clip)
        if clip.present and key in used:
            raise TrainingError(f"{clip.sequence} view {clip.view} clip {clip.clip} came twice")
        used.add(key)
    for sequence, n_clips in expected.items():
        missing = sorted(set(range(n_clips)) - came[sequence])
        if missing:
            raise TrainingError(
                f"{sequence} was not evaluated in full",
                found=f"{len(came[sequence])} clips",
                expected=f"{n_clips}; the first missing is {missing[0]}",
            )
