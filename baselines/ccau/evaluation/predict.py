"""What one network says about sequences: every clip exactly once, then one row a sequence.

Letters: S sequences, V views of one, A activities, C atomic classes. A sequence's activity scores
are the mean of its clips' softmax, its atomic scores the largest sigmoid of any clip (CCAU.md,
"Evaluation"); several third-person views are averaged after that. The training mode of the network
and every random stream are left as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.data.partition import having
from baselines.ccau.distributed import World, gather, stop_together
from baselines.ccau.models.network import ModalityNet
from homage_sdk.errors import TrainingError
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.sampling import eval_clips
from homage_sdk.shards import ShardSet

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

    None where none of them has it. Raises TrainingError, on every rank, when a clip of a view is
    missing or comes twice, or when the network's answer to one is not finite.
    """
    sequences = having(shards, sequences, modality)
    if not sequences:
        return None
    loader = open_loader(
        shards, config, modalities=(modality,), world=world, training=False, sequences=sequences
    )
    own: list[ClipScores] = []
    fault: str | None = None
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
            fault = name_not_finite(modality, own[-len(batch) :])
            if fault is not None:
                break
    stop_together(world, fault)
    clips = [clip for part in gather(world, own) for clip in part]
    rows = eval_clips(loader.samples, loader.grid, loader.options)
    planned = Counter((row.sample.sequence, row.clip) for row in rows)
    require_each_once(clips, planned)
    return merge(clips, planned) if any(clip.present for clip in clips) else None


def name_not_finite(modality: str, clips: Iterable[ClipScores]) -> str | None:
    """A line about the first clip that a network answered with something not finite, or None.

    Nothing that a present clip says may be NaN or infinite; what the rows of others say is unused.
    """
    for clip in clips:
        said = {"activity": clip.activity, "atomic": clip.atomic, "context": clip.embedding}
        for name, values in said.items():
            if clip.present and not np.isfinite(values).all():
                return (
                    f"the {modality} network's {name} is not finite for {clip.sequence} "
                    f"clip {clip.clip} view {clip.view}"
                )
    return None


def is_padding(batch: Batch, row: int) -> bool:
    """Whether a row only fills the last batch."""
    return not batch.sequence[row]


def merge(
    clips: Iterable[ClipScores], planned: Mapping[tuple[str, int], int] | None = None
) -> Predictions:
    """One row a sequence from clips in any order; every clip of every view exactly once.

    ``planned`` says how many views each (sequence, clip) has to come with; see
    ``require_each_once``. A sequence's atomic label is that of all its clips, whatever the modality
    reaches, so that every modality is judged by the same labels.
    """
    everything = list(clips)
    require_each_once(everything, planned)
    labels: dict[str, Floats] = {}
    for clip in everything:
        known = labels.get(clip.sequence, clip.atomic_label)
        labels[clip.sequence] = np.maximum(known, clip.atomic_label)
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
    context = by_view("embedding", "mean")
    return Predictions(
        sequences=names,
        n_views=np.array([len(views) for views in groups.values()]),
        activity_label=np.array(
            [next(iter(views.values()))[0].activity_label for views in groups.values()]
        ),
        atomic_label=np.stack([labels[name] for name in names]).astype(np.uint8),
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


def require_each_once(
    clips: Iterable[ClipScores], planned: Mapping[tuple[str, int], int] | None = None
) -> None:
    """TrainingError unless every clip came with each of its views, and no view of it twice.

    ``planned`` maps (sequence, clip number) to a number of views. Left out, it is taken from the
    clips: the numbers 0 to ``n_clips`` - 1 of each sequence that came, all equally often.
    """
    came: Counter[tuple[str, int]] = Counter()
    n_clips: dict[str, int] = {}
    used: set[tuple[str, int, int]] = set()
    for clip in clips:
        came[clip.sequence, clip.clip] += 1
        n_clips[clip.sequence] = clip.n_clips
        key = (clip.sequence, clip.view, clip.clip)
        if clip.present and key in used:
            raise TrainingError(f"{clip.sequence} view {clip.view} clip {clip.clip} came twice")
        used.add(key)
    if planned is None:
        often: dict[str, int] = {}
        for (sequence, _), times in came.items():
            often[sequence] = max(often.get(sequence, 0), times)
        planned = {(s, number): often[s] for s, n in n_clips.items() for number in range(n)}
    for sequence, number in sorted(planned.keys() | came.keys()):
        found, expected = came[sequence, number], planned.get((sequence, number), 0)
        if found != expected:
            raise TrainingError(
                f"{sequence} was not evaluated in full, each view of a clip once",
                found=f"clip {number} with {found} views",
                expected=str(expected),
            )
