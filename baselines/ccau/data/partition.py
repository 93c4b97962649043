"""Which sequences a configuration trains on, selects on and never sees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from baselines.ccau.config.config import Config
from baselines.ccau.data.novel_split import TRAIN_SPLIT, novel_split
from baselines.ccau.data.sensor_channels import sensor_channels
from baselines.ccau.random_streams import numpy_stream
from homage_sdk.errors import ConfigError, ShardError
from homage_sdk.loader.sampling import has
from homage_sdk.shards import ShardSet

TEST_SPLITS = ("val", "test")
"""HOMAGE's two test splits; ``val`` is one of them (FORMAT.md, "Activity labels")."""


@dataclass(frozen=True)
class Parts:
    """The sequences of the training split, divided. Ids in sorted order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    participants: tuple[str, ...]
    """Who the validation part consists of; empty when it could only be drawn by sequence."""


def selection_parts(config: Config, shards: ShardSet) -> Parts:
    """Who trains and who selects; raises ConfigError when there is nothing to select on."""
    selects_by_part = config.run.selection == "validation"
    parts = carve(
        shards,
        share=config.data.validation_share if selects_by_part else 0.0,
        seed=config.run.seed,
        exclude=excluded_activities(config, shards),
    )
    if selects_by_part and not parts.validation:
        raise ConfigError(
            "the validation part is empty",
            found=f"{len(parts.train)} training sequences",
            hint="raise data.validation_share, or set run.selection to 'last'",
        )
    if config.run.selection == "paper" and not paper_selection(config, shards):
        raise ConfigError(
            f"these shards have no split {TEST_SPLITS[0]!r} to select on as the paper does",
            hint="set run.selection to 'validation' or 'last'",
        )
    return parts


def excluded_activities(config: Config, shards: ShardSet) -> tuple[str, ...]:
    """The activities that training never sees, by name."""
    novel: tuple[str, ...] = ()
    if config.data.novel_share > 0:
        split = novel_split(shards, share=config.data.novel_share, seed=config.data.novel_seed)
        novel = split.novel
    return (*config.data.exclude_activities, *novel)


def selected_on(config: Config, shards: ShardSet, parts: Parts) -> tuple[str, ...]:
    """The sequences that a checkpoint is selected on."""
    on_paper = config.run.selection == "paper"
    return paper_selection(config, shards) if on_paper else parts.validation


def paper_selection(config: Config, shards: ShardSet) -> tuple[str, ...]:
    """The sequences the public code selects checkpoints on: a test split.

    Without those of activities that training never sees, which must not choose the weights either.
    """
    names = shards.taxonomy("activity")
    excluded = {names.find(name).id for name in excluded_activities(config, shards)}
    return tuple(
        sorted(
            {
                s.sequence
                for s in shards.samples
                if s.split == TEST_SPLITS[0] and s.activity_id not in excluded
            }
        )
    )


def carve(shards: ShardSet, *, share: float, seed: int, exclude: Iterable[str] = ()) -> Parts:
    """Set participants aside until they hold ``share`` of the training sequences.

    No participant is in both parts. A participant stays in train when they alone hold a class. With
    fewer than two participants who can be spared, sequences are drawn instead and ``participants``
    is empty. Activities named in ``exclude`` are in neither part.
    """
    activities = shards.taxonomy("activity")
    excluded = {activities.find(name).id for name in exclude}
    known = {
        s.sequence: s
        for s in shards.samples
        if s.split == TRAIN_SPLIT and s.activity_id not in excluded
    }
    if not known:
        raise ShardError(
            "no training sequences",
            found=f"splits {sorted({str(s.split) for s in shards.samples})}",
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


def require_modalities(config: Config, shards: ShardSet, parts: Parts) -> None:
    """Raise ConfigError, before anything is written, for a modality without training data."""
    if "sensors" in config.task.modalities:
        sensor_channels(config, shards)
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
    found = {s.sequence for s in shards.samples if s.sequence in wanted and has(s, modality)}
    return tuple(sorted(found))
