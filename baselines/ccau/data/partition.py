"""Which sequences a configuration trains on, selects on and never sees."""

from __future__ import annotations

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import TEST_SPLITS, Parts, carve
from baselines.ccau.data.novel_split import novel_split
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet


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
