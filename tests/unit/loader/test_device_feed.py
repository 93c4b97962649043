"""Batches are fed to a device in order, ahead of use, and every end of the feed is clean."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from homage_sdk.errors import ShardError
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.device_feed import AHEAD, feed
from homage_sdk.shards import ShardSet

CPU = torch.device("cpu")


def batch(number: int) -> Batch:
    return Batch(
        sequence=("p0001_r001_a001",),
        clip=torch.tensor([number]),
        n_clips=torch.tensor([1]),
        frames=torch.ones(1, 1, 1, dtype=torch.int64),
        block_valid=torch.ones(1, 1, dtype=torch.bool),
        activity=torch.tensor([0]),
        atomic_block=torch.zeros(1, 1, 1),
        atomic_clip=torch.zeros(1, 1),
        atomic_known=torch.ones(1, dtype=torch.bool),
    )


def numbers(fed: Iterator[Batch]) -> list[int]:
    return [int(each.clip[0]) for each in fed]


@pytest.mark.parametrize("threaded", [False, True])
def test_all_batches_come_in_order(threaded: bool) -> None:
    assert numbers(feed(map(batch, range(50)), CPU, threaded=threaded)) == list(range(50))


@pytest.mark.parametrize("threaded", [False, True])
def test_an_error_comes_after_the_batches_before_it(threaded: bool) -> None:
    def cut() -> Iterator[Batch]:
        yield batch(0)
        yield batch(1)
        raise ShardError("cut short")

    fed = feed(cut(), CPU, threaded=threaded)
    assert [int(next(fed).clip[0]) for _ in range(2)] == [0, 1]
    with pytest.raises(ShardError, match="cut short"):
        next(fed)


def test_no_more_than_the_stated_number_is_read_ahead() -> None:
    read: list[int] = []
    enough = threading.Event()

    def counted() -> Iterator[Batch]:
        for number in range(20):
            read.append(number)
            if len(read) == AHEAD + 2:  # one handed out, AHEAD waiting, one that finds no place
                enough.set()
            yield batch(number)

    fed = feed(counted(), CPU, threaded=True)
    next(fed)
    assert enough.wait(30)
    assert len(read) == AHEAD + 2
    fed.close()


def test_closing_early_ends_the_thread_and_the_source() -> None:
    closed = threading.Event()

    def endless() -> Iterator[Batch]:
        try:
            while True:
                yield batch(0)
        finally:
            closed.set()

    source = endless()
    before = threading.active_count()
    fed = feed(source, CPU, threaded=True)
    next(fed)
    fed.close()
    assert threading.active_count() == before
    source.close()
    assert closed.is_set()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_is_fed_as_it_iterates(shards: ShardSet, workers: int) -> None:
    options = LoaderOptions(
        modalities=("ego",), batch_size=2, blocks=2, block_frames=2, size=32, workers=workers
    )
    plain = [each.video["ego"].clone() for each in ClipLoader(shards, options)]
    loader = ClipLoader(shards, options)
    fed = [each.video["ego"].clone() for each in feed(loader, CPU, threaded=True)]
    loader.close()
    assert len(plain) == len(fed) > 0
    assert all(torch.equal(a, b) for a, b in zip(plain, fed, strict=True))


@pytest.mark.parametrize("threaded", [False, True])
def test_pictures_travel_as_decoded_at_half_the_bytes_and_arrive_the_same(
    shards: ShardSet, threaded: bool
) -> None:
    options = LoaderOptions(
        modalities=("ego", "third", "audio"), batch_size=3, blocks=3, block_frames=2, size=48
    )
    plain = list(ClipLoader(shards, options))
    loader = ClipLoader(shards, options.with_(pixels="i420"))
    for there, here in zip(feed(loader, CPU, threaded=threaded), plain, strict=True):
        assert there.sequence == here.sequence
        assert all(torch.equal(there.present[kind], here.present[kind]) for kind in here.present)
        for kind, pictures in here.video.items():
            assert torch.equal(there.video[kind], pictures), kind  # absent views too: black
    assert not all(each.present["ego"].all() for each in plain)
    travelled = next(iter(loader)).video["ego"]
    assert travelled.nbytes * 2 == plain[0].video["ego"].nbytes


def test_pictures_that_have_to_be_scaled_travel_in_rgb(shards: ShardSet) -> None:
    options = LoaderOptions(modalities=("ego",), batch_size=2, blocks=2, block_frames=2)
    for changes in ({"size": 32, "crop": 64}, {"size": 33}, {"size": 400}):
        scaled = ClipLoader(shards, options.with_(pixels="i420", **changes))
        assert next(iter(scaled)).video["ego"].shape[-1] == 3
