"""Which activities are novel: the few-shot split, published by its hash.

The paper takes 15 of 75 classes and does not name them (section 5.2.4). Here classes are sorted by
how many training sequences they have, cut into as many strata as there will be novel classes, and
one class of each stratum is drawn: frequent and rare ones are on both sides. The hash is over the
names, so two labs can see at once whether they use the same split.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from baselines.ccau.random_streams import numpy_stream
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet

TRAIN_SPLIT = "train"
PAPER_SHARE = 15 / 75


@dataclass(frozen=True)
class NovelSplit:
    """Raw names of activities, each side sorted."""

    base: tuple[str, ...]
    novel: tuple[str, ...]
    seed: int

    @property
    def sha256(self) -> str:
        """Hash of the split: base names, an empty line, novel names, one a line."""
        text = "\n".join((*self.base, "", *self.novel))
        return hashlib.sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "sha256": self.sha256}


def novel_split(shards: ShardSet, *, share: float = PAPER_SHARE, seed: int = 0) -> NovelSplit:
    """Split the activities that occur in train; raises ConfigError when too few classes are left.

    The number of novel classes is ``share`` of them, rounded, and at least 2.
    """
    taxonomy = shards.taxonomy("activity")
    counts = Counter(
        s.activity_id
        for s in shards.samples
        if s.split == TRAIN_SPLIT and s.activity_id is not None
    )
    n_novel = max(2, round(share * len(counts)))
    if len(counts) - n_novel < 2:
        raise ConfigError(
            "too few activities to set some aside",
            found=f"{len(counts)} in train",
            expected=f"at least {n_novel + 2}",
        )
    ranked = sorted(counts, key=lambda c: (-counts[c], taxonomy[c].name))
    return split_ranked([taxonomy[c].name for c in ranked], n_novel, seed)


def split_ranked(names: list[str], n_novel: int, seed: int) -> NovelSplit:
    """Draw one class of each of ``n_novel`` strata of ``names`` (most frequent first).

    >>> split_ranked(["a", "b", "c", "d", "e", "f"], 2, seed=0).novel
    ('c', 'd')
    """
    draw = numpy_stream(seed, "novel classes")
    bounds = [round(i * len(names) / n_novel) for i in range(n_novel + 1)]
    novel = set()
    for begin, end in pairwise(bounds):
        novel.add(names[begin + int(draw.integers(end - begin))])
    return NovelSplit(base=tuple(sorted(set(names) - novel)), novel=tuple(sorted(novel)), seed=seed)
