"""The order of a stream, as a pure function: shards of any number and size, without any file."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from homage_sdk.shards.format.manifest import IndexInfo, Manifest, SampleInfo, ShardInfo
from homage_sdk.shards.streaming import Layout, stream_order

SIZES = st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any)


def layout_of(sizes: list[int]) -> tuple[list[SampleInfo], Layout]:
    """Shards of so many samples; keys come in another order than they lie in the shards."""
    samples, shards, index = [], [], {}
    for number, size in enumerate(sizes):
        name = f"train-{number:05d}.tar"
        shards.append(ShardInfo(name=name, bytes=10_000 * size, sha256="0" * 64, samples=size))
        for place in range(size):
            key = f"p{(place * 7919 + number) % 10_007:05d}_r{number:03d}_a000"
            samples.append(SampleInfo(key=key, sequence=key, shard=name, participant=1, n_frames=9))
            index[key] = {"ann.json": (name, 10_000 * place + 512, 9_000, 0)}
    samples.sort(key=lambda sample: sample.key)
    manifest = Manifest(
        schema_version=1,
        made_by={},
        options={},
        dataset="0" * 64,
        taxonomy={},
        index=IndexInfo(bytes=0, sha256="0" * 64),
        shards=tuple(shards),
        samples=tuple(samples),
    )
    return samples, Layout(manifest, index, "")


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(0, 5), st.integers(0, 5), st.integers(1, 100))
def test_an_epoch_holds_every_sample_once_and_moves_none_beyond_the_buffer(
    sizes: list[int], seed: int, epoch: int, buffer: int
) -> None:
    samples, layout = layout_of(sizes)
    order = stream_order(samples, layout, seed, epoch, buffer)
    assert sorted(s.key for s in order) == [s.key for s in samples]
    assert order == stream_order(samples, layout, seed, epoch, buffer)
    read = stream_order(samples, layout, seed, epoch, 1)  # nothing moves: as it is read
    place = {sample.key: i for i, sample in enumerate(read)}
    moved = [abs(place[sample.key] - i) for i, sample in enumerate(order)]
    assert max(moved) < buffer
    # a reader that goes forward never has more than ``buffer`` samples waiting
    done, most = -1, 0
    for i, sample in enumerate(order):
        done = max(done, place[sample.key])
        most = max(most, done + 1 - i)
    assert most <= buffer
    # as it is read, shards come whole and each in its own order
    names = [sample.shard for sample in read]
    assert len({*names}) == 1 + sum(a != b for a, b in pairwise(names))
    for name in {*names}:
        inside = [s for s in read if s.shard == name]
        assert inside == [s for s in layout.samples(name) if s in samples]


def test_shards_and_samples_are_mixed_anew_each_epoch() -> None:
    samples, layout = layout_of([25] * 8)
    orders = [stream_order(samples, layout, 0, epoch, 64) for epoch in range(6)]
    assert len({tuple(s.key for s in order) for order in orders}) == 6
    assert len({order[0].shard for order in orders}) > 2


def test_a_larger_buffer_mixes_more_shards() -> None:
    """How many of eight shards are met in eight samples that follow one another, on average."""
    samples, layout = layout_of([25] * 8)

    def met(buffer: int) -> float:
        orders = [stream_order(samples, layout, 0, epoch, buffer) for epoch in range(6)]
        near = [len({s.shard for s in order[at : at + 8]}) for order in orders for at in range(192)]
        return float(np.mean(near))

    assert met(1) < met(8) < met(32) < met(64) < met(128)
    assert met(64) > 2 * met(1)
