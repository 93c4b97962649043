"""From shards to what a task takes: who trains, who validates, and tensors on the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from baselines.ccau.config.config import Config
from baselines.ccau.distributed import World
from baselines.ccau.models.augment import numpy_stream, prepare_video
from baselines.ccau.tasks import Targets
from homage_sdk.errors import ConfigError, ShardError
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.loader.batch import Batch
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.manifest import SampleInfo

TRAIN_SPLIT = "train"
TEST_SPLITS = ("val", "test")
"""HOMAGE's two test splits; ``val`` is one of them (FORMAT.md, "Activity labels")."""


@dataclass(frozen=True)
class Parts:
    """The sequences of the training split, divided. Ids in sorted order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    participants: tuple[str, ...]
    """Who the validation part consists of; empty when it could only be drawn by sequence."""


def carve(shards: ShardSet, *, share: float, seed: int, exclude: Iterable[str] = ()) -> Parts:
    """Set participants aside until they hold ``share`` of the training sequences.

    Nobody is in both parts. A participant stays in train when they alone hold a class. With fewer
    than two participants who can be spared, sequences are drawn instead and ``participants`` is
    empty. Activities named in ``exclude`` are in neither part.
    """
    names = shards.taxonomy("activity").names
    excluded = set()
    for name in exclude:
        excluded.add(shards.taxonomy("activity").find(name).raw)
    ids = list(shards.taxonomy("activity"))
    known = {
        s.sequence: s
        for s in shards.sequences
        if s.split == TRAIN_SPLIT
        and (s.activity_id is None or names[ids.index(s.activity_id)] not in excluded)
    }
    if not known:
        raise ShardError(
            "no training sequences",
            found=f"splits {sorted({str(s.split) for s in shards.sequences})}",
            expected=f"sequences of split {TRAIN_SPLIT!r}",
        )
    wanted = round(share * len(known))
    if wanted == 0:
        return Parts(tuple(sorted(known)), (), ())
    by_participant: dict[str, list[str]] = {}
    for sequence, info in sorted(known.items()):
        by_participant.setdefault(f"p{info.participant:04d}", []).append(sequence)
    activity = {sequence: info.activity_id for sequence, info in known.items()}

    chosen: list[str] = []
    taken: set[str] = set()
    order = sorted(by_participant)
    numpy_stream(seed, "validation").shuffle(order)
    for participant in order:
        trial = taken | set(by_participant[participant])
        left = {activity[s] for s in known if s not in trial}
        keeps_classes = left >= set(activity.values())
        if len(trial) <= wanted * 1.5 and len(chosen) < len(order) - 1 and keeps_classes:
            chosen.append(participant)
            taken = trial
        if len(taken) >= wanted:
            break
    if not taken:
        shuffled = sorted(known)
        numpy_stream(seed, "validation").shuffle(shuffled)
        taken = set(shuffled[: min(wanted, len(shuffled) - 1)])
    train = tuple(sorted(set(known) - taken))
    return Parts(train, tuple(sorted(taken)), tuple(sorted(chosen)))


def open_loader(
    shards: ShardSet,
    config: Config,
    *,
    modalities: Sequence[str],
    world: World,
    training: bool,
    sequences: tuple[str, ...] | None = None,
) -> ClipLoader:
    """The loader of one pass; evaluation reads dense clips in fixed order without augmentation."""
    data = config.data
    options = LoaderOptions(
        modalities=tuple(modalities),
        split=None,
        sequences=sequences,
        batch_size=data.batch_size if training else data.eval_batch_size,
        blocks=data.blocks,
        block_frames=data.block_frames,
        stride=data.stride,
        size=data.size,
        crop=data.crop or None,
        flip=data.flip,
        n_mels=data.n_mels,
        n_fft=data.n_fft,
        hop=data.hop,
        mode="train" if training else "eval",
        third_views="random" if training else data.eval_third_views,
        seed=config.run.seed,
        workers=data.workers,
        rank=world.rank,
        world_size=world.size,
    )
    return ClipLoader(shards, options)


def prepare(
    batch: Batch, config: Config, modalities: Sequence[str], *, epoch: int, training: bool
) -> tuple[dict[str, Any], Targets]:
    """A batch (already on the device) as the networks and losses take it."""
    inputs: dict[str, Any] = {}
    for modality in modalities:
        if modality == "audio":
            logmel = require(batch.logmel, modality)
            # Decibels below the reference, about -80 to 0, to about -1 to 1; [B, 1, n_mels, T].
            inputs[modality] = ((logmel + 40.0) / 40.0).unsqueeze(1)
        elif modality == "scene_graph":
            inputs[modality] = require(batch.scene_graph, modality)
        else:
            streams = [
                numpy_stream(config.run.seed, "augment", modality, epoch, sequence, int(clip))
                for sequence, clip in zip(batch.sequence, batch.clip.tolist(), strict=True)
            ]
            inputs[modality] = prepare_video(
                require(batch.video.get(modality), modality),
                config=config.augment if training else None,
                streams=streams,
            )
    return inputs, Targets.of(batch, modalities)


T = TypeVar("T")


def require(value: T | None, modality: str) -> T:
    """The value, or a ConfigError: the shards do not hold this modality."""
    if value is None:
        raise ConfigError(
            f"these shards hold no {modality}",
            hint="pack them with it, or leave it out of task.modalities",
        )
    return value


def require_modalities(config: Config, shards: ShardSet, parts: Parts) -> None:
    """Raise ConfigError, before anything is written, for a modality that nobody trains with."""
    for modality in config.task.modalities:
        if not having(shards, parts.train, modality):
            raise ConfigError(
                f"these shards hold no {modality} of any training sequence",
                place=shards.path,
                hint="pack them with it, or leave it out of task.modalities",
            )


def having(shards: ShardSet, sequences: Iterable[str], modality: str) -> tuple[str, ...]:
    """Those of ``sequences`` that hold ``modality``, sorted."""
    wanted = set(sequences)

    def holds(sample: SampleInfo) -> bool:
        return {
            "ego": sample.ego is not None,
            "third": bool(sample.third),
            "audio": sample.has_audio,
            "scene_graph": sample.n_scene_graphs > 0,
        }[modality]

    found = {s.sequence for s in shards.samples if s.sequence in wanted and holds(s)}
    return tuple(sorted(found))
