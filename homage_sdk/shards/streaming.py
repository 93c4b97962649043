"""In which order a stream gives its clips, and what it must read for them: pure functions.

A stream reads forward, so an epoch shuffles shards whole and then moves each sample by a bounded
number of places. Ranks take contiguous slices of that one order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from homage_sdk.errors import ShardError
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.sampling import ClipChoice, stream
from homage_sdk.shards.format.index import Location
from homage_sdk.shards.format.manifest import INDEX, Manifest, SampleInfo, ShardInfo
from homage_sdk.shards.format.tar import BLOCK

Index = Mapping[str, Mapping[str, Location]]


class Stretch(NamedTuple):
    """What to read of one shard."""

    shard: ShardInfo
    fields: dict[str, frozenset[str]]  # of each sample that is wanted, in the order of the shard
    begin: int  # first byte; 0 unless much can be left out
    stop: int | None  # byte behind the last; None for the end of the shard


class Layout:
    """The shards' samples in the order in which they lie there.

    Raises ShardError when a sample is not in the index, or not in the shard of the manifest.
    """

    def __init__(self, manifest: Manifest, index: Index, place: str) -> None:
        self._begin: dict[str, int] = {}
        self._end: dict[str, int] = {}
        self._samples: dict[str, list[SampleInfo]] = {shard.name: [] for shard in manifest.shards}
        self.shards = {shard.name: shard for shard in manifest.shards}
        for sample in manifest.samples:
            members = index.get(sample.key)
            if not members or any(place[0] != sample.shard for place in members.values()):
                raise ShardError(
                    "a sample that the index and the manifest place elsewhere",
                    place=f"{place}/{INDEX}",
                    found=sample.key,
                    hint="run `homage repair SHARDS CATALOG`, or copy it again",
                )
            spans = [(offset, size) for _, offset, size, _ in members.values()]
            self._begin[sample.key] = min(offset for offset, _ in spans) - BLOCK
            self._end[sample.key] = max(offset + size + -size % BLOCK for offset, size in spans)
            self._samples[sample.shard].append(sample)
        for samples in self._samples.values():
            samples.sort(key=lambda sample: self._begin[sample.key])

    def samples(self, shard: str) -> list[SampleInfo]:
        """Every sample of a shard, in its order."""
        return self._samples[shard]

    def ordered(self, samples: Iterable[SampleInfo], shards: Sequence[str]) -> list[SampleInfo]:
        """The same samples in the order in which these shards, one after the other, hold them."""
        place = {name: number for number, name in enumerate(shards)}
        return sorted(samples, key=lambda s: (place[s.shard], self._begin[s.key], s.key))

    def stretch(
        self, name: str, fields: Mapping[str, frozenset[str]], worth_bytes: int | None
    ) -> Stretch:
        """What to read of a shard for these samples.

        What lies before the first and behind the last is left out where that saves more than
        ``worth_bytes``; None leaves nothing out.
        """
        inside = [s.key for s in self._samples[name] if s.key in fields]
        shard = self.shards[name]
        begin, end = self._begin[inside[0]], self._end[inside[-1]]
        least = shard.bytes if worth_bytes is None else worth_bytes
        return Stretch(
            shard,
            {key: fields[key] for key in inside},
            begin if begin > least else 0,
            end if shard.bytes - end > least else None,
        )


def stream_order(
    samples: Sequence[SampleInfo], layout: Layout, seed: int, epoch: int, buffer: int
) -> list[SampleInfo]:
    """The training samples of an epoch: a pure function of (seed, epoch).

    Shards come in random order, and each sample moves by less than ``buffer`` places from where
    it is read: no more than ``buffer`` samples ever wait, and a resume reads no more than that
    again.
    """
    names = sorted({sample.shard for sample in samples})
    shards = [names[i] for i in stream(seed, "shards", epoch).permutation(len(names))]
    read = layout.ordered(samples, shards)
    moved = np.arange(len(read)) + buffer * stream(seed, "mix", epoch).random(len(read))
    return [read[i] for i in np.argsort(moved, kind="stable")]


def fields_of(row: ClipChoice, options: LoaderOptions) -> set[str]:
    """The members that a row is made of."""
    sample = row.sample
    fields = {"ann.json"}
    if row.main and "ego" in options.modalities and sample.ego is not None:
        fields.add(sample.ego.field)
    if row.third is not None and "third" in options.modalities:
        fields.add(row.third.field)
    if row.main and "audio" in options.modalities and sample.sound is not None:
        fields.add(sample.sound.field)
    return fields


def most_bytes(sample: SampleInfo, members: Mapping[str, Location], options: LoaderOptions) -> int:
    """How many bytes a batch may need of a sample: no draw of clip and view needs more."""

    def size(field: str) -> int:
        return members[field][2] if field in members else 0

    always = {"ann.json"}
    if "ego" in options.modalities and sample.ego is not None:
        always.add(sample.ego.field)
    if "audio" in options.modalities and sample.sound is not None:
        always.add(sample.sound.field)
    third = sample.third if "third" in options.modalities else ()
    views = [size(view.field) for view in third[: 1 if options.third == "first" else None]]
    several = options.mode == "eval"  # rows of one sample may show each of its views
    return sum(map(size, always)) + (sum(views) if several else max(views, default=0))
