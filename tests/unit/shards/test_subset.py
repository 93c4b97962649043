"""A part of a dataset holds enough of few activities to learn from."""

from collections import Counter
from pathlib import Path

import pytest

from homage_sdk import Dataset, HomageError
from homage_sdk.shards.packing.plan import busiest_activities


def test_the_busiest_activities_come_whole_before_the_next_begins(small_catalog: Path) -> None:
    dataset = Dataset(small_catalog)
    usable = [s for s in dataset if s.activity and s.split and any(v.path for v in s.views)]
    whole = Counter(s.activity.name for s in usable if s.activity)
    part = busiest_activities(dataset, 5)
    taken = Counter(s.activity.name for s in part if s.activity)
    assert len(part) == 5
    assert sum(taken[name] < whole[name] for name in taken) <= 1, "only the last one is cut"
    assert min(whole[name] for name in taken) >= max(
        (n for name, n in whole.items() if name not in taken), default=0
    )


def test_a_limit_above_the_dataset_gives_all_that_can_be_used(small_catalog: Path) -> None:
    dataset = Dataset(small_catalog)
    part = busiest_activities(dataset, 10_000)
    assert set(part.ids) == {
        str(s.id) for s in dataset if s.activity and s.split and any(v.path for v in s.views)
    }


def test_no_sequences_at_all_is_refused(small_catalog: Path) -> None:
    with pytest.raises(HomageError, match="1 or more"):
        busiest_activities(Dataset(small_catalog), 0)
