"""What workers of a stream are given: no more than they need, within the memory allowed."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from homage_sdk.errors import ShardError
from homage_sdk.loader import LoaderOptions, StreamLoader
from homage_sdk.loader.shared_memory import SharedMemory
from homage_sdk.shards import ShardSet
from homage_sdk.shards.jobs import BatchJob, _Ahead, _Placed, _Row
from homage_sdk.shards.streaming import most_bytes
from tests.unit.loader.batches import all_same

EVERYTHING = ("ego", "third", "audio", "scene_graph")
OPTIONS = LoaderOptions(modalities=EVERYTHING, batch_size=1, blocks=4, size=64)


def n_bytes(job: BatchJob) -> int:
    return sum(len(data) for members in job.members.values() for data in members.values())


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("third", [None, "first", "random"])
@pytest.mark.parametrize("modalities", [("audio",), ("ego",), ("third", "audio"), EVERYTHING])
def test_the_most_bytes_of_a_sample_are_those_of_its_largest_draw(
    barcode_shards: Path, mode: str, third: str | None, modalities: tuple[str, ...]
) -> None:
    chosen = OPTIONS.with_(mode=mode, modalities=modalities, third_views=third)
    loader = StreamLoader(barcode_shards, chosen)
    seen: dict[str, int] = {}
    for epoch in range(12 if mode == "train" else 1):
        for job in loader._jobs(epoch, 0):
            for key in job.members:
                seen[key] = max(seen.get(key, 0), n_bytes(job))
    most = {s.key: most_bytes(s, loader._index[s.key], chosen) for s in loader.samples}
    assert seen == most or (seen.keys() == most.keys() and mode == "eval" and third == "random")
    assert all(seen[key] <= most[key] for key in seen)


def test_the_memory_allowed_suffices_whatever_the_number_of_workers(barcode_shards: Path) -> None:
    """What is held decides, of the members that are asked for; one byte less is refused by all."""
    chosen = OPTIONS.with_(modalities=("audio",), batch_size=2)

    def run(allowed: int, workers: int) -> StreamLoader:
        made = chosen.with_(workers=workers)
        return StreamLoader(barcode_shards, made, buffer=1, memory_bytes=allowed)

    needed = max(n_bytes(job) for job in run(10**9, 0)._jobs(0, 0))
    truth = list(run(needed, 0))
    for workers in (1, 2):
        assert all_same(truth, list(run(needed, workers)))
    for workers in (0, 1):
        with pytest.raises(
            ShardError, match=f"larger than the memory allowed.*at most {needed - 1:,}"
        ):
            list(run(needed - 1, workers))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_task_names_its_samples_and_views(shards: ShardSet, mode: str) -> None:
    """Few bytes a row, of which the worker makes the very row again."""
    loader = StreamLoader(shards.path, OPTIONS.with_(mode=mode))
    samples = {sample.key: sample for sample in shards.samples}
    chosen = [row for (row,) in itertools.chain(*map(loader.rows, range(4))) if row]
    named = [_Row.of(row) for row in chosen]
    assert [row.choice(samples) for row in named] == chosen
    assert len(pickle.dumps(named[:1] * 2)) < 250


def test_a_member_larger_than_the_index_says_is_named(shards: ShardSet) -> None:
    job = BatchJob(0, [], {"p0001_r000_a000": {"ann.json": bytes(11)}})

    def jobs() -> Iterator[BatchJob]:
        yield job

    for room, good in ((11, True), (10, False)):
        ahead = _Ahead(jobs(), SharedMemory(room, 1), range(1))
        (item,) = ahead.items()
        ahead.close()
        assert isinstance(item, _Placed) == good
    assert isinstance(item, ShardError)
    assert "p0001_r000_a000.ann.json: a member larger than the index says" in str(item)
