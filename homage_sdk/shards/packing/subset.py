"""A part of a large dataset that a first training run can learn from."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, zip_longest

from homage_sdk.dataset.dataset import Dataset
from homage_sdk.errors import UsageError


def busiest_activities(dataset: Dataset, limit: int) -> Dataset:
    """About ``limit`` sequences of few activities rather than of all: enough of each to learn from.

    The activities with the most sequences come first; the last one taken is cut so that there are
    ``limit`` in all, its sequences dealt over the splits in turn. Sequences without a video, an
    activity or a split are left out. The same dataset gives the same part.
    """
    if limit < 1:
        raise UsageError("not a number of sequences", found=str(limit), expected="1 or more")
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for sequence in dataset:
        if sequence.activity and sequence.split and any(v.path for v in sequence.views):
            groups[sequence.activity.name][sequence.split].append(str(sequence.id))
    chosen: list[str] = []
    for _, splits in sorted(
        groups.items(), key=lambda item: (-sum(map(len, item[1].values())), item[0])
    ):
        dealt = chain.from_iterable(zip_longest(*(splits[name] for name in sorted(splits))))
        chosen += [key for key in dealt if key is not None]
        if len(chosen) >= limit:
            break
    return dataset.select(chosen[:limit])
