"""Shards as a stream: read from beginning to end, from disk, http or an object store.

The same clips as ``ClipLoader`` gives for the same (seed, epoch), in another order, because a
stream cannot jump (``streaming.py``). Nothing is unpickled, no command is run: members are taken by
name, through the strict reader of ``tar.py``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.batch_layout import Form, Recycler
from homage_sdk.loader.epochs import EpochLoader
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.sampling import ClipChoice, Grid, eval_clips, train_clip, usable
from homage_sdk.shards.format.index import Index, index_of
from homage_sdk.shards.format.manifest import (
    INDEX,
    MANIFEST,
    MAX_BYTES,
    Manifest,
    SampleInfo,
    parse_manifest,
)
from homage_sdk.shards.forward import Members, read_stretch
from homage_sdk.shards.jobs import BatchJob, StreamWorkers
from homage_sdk.shards.remote import Patience, Remote
from homage_sdk.shards.streaming import Layout, fields_of, most_bytes, stream_order

_SKIP_BYTES = 1 << 20

Row = ClipChoice | None


class StreamLoader(EpochLoader[StreamWorkers]):
    """Batches of clips from a folder of shards anywhere that fsspec reads.

    The order is a pure function of (seed, epoch) and ``buffer``; ranks take slices of it and all
    see the same number of batches; the number of workers changes nothing but the speed: this
    process reads each byte once, workers decode. In training the next epoch begins by itself when
    one has been iterated to its end. Workers are kept until the loader ends, or ``close``.

    Args:
        url: a local folder or ``http(s)://``, ``s3://``, ``gs://``, ``az://`` address of one.
        options: as for ``ClipLoader``.
        buffer: by how many places a training sample may move from where it is read; about so many
            samples are held in memory.
        verify: read every shard that is touched whole, and raise ShardError at its end when its
            SHA-256 is not the manifest's. Without it each member is checked by its CRC-32.
        memory_bytes: hold no more than this of samples that wait for their batch. Workers get
            copies, which are no part of it: of at most (workers + 1) * prefetch + 1 batches at
            once, none larger than this.
        storage: options of the file system, such as credentials, as fsspec takes them.
        patience: with connections that are lost.

    Raises:
        UsageError: an address of another kind (``pipe:`` and the like are never run), no sequence
            fits, or fewer than one batch for each rank.
        ShardError: no manifest or index there, or one that cannot be used.

    """

    def __init__(
        self,
        url: str | Path,
        options: LoaderOptions | None = None,
        *,
        buffer: int = 64,
        verify: bool = False,
        memory_bytes: int = 4_000_000_000,
        storage: dict[str, Any] | None = None,
        patience: Patience | None = None,
    ) -> None:
        if buffer < 1:
            raise UsageError("a buffer holds at least one sample", found=str(buffer))
        options = options or LoaderOptions()
        self.verify = verify
        self._buffer, self._memory_bytes = buffer, memory_bytes
        self._remote = Remote(url, storage, patience)
        self.url = self._remote.url
        self.manifest, self._index = _open(self._remote)
        self.fingerprint = hashlib.sha256(self.manifest.to_bytes()).hexdigest()
        self._layout = Layout(self.manifest, self._index, self.url)
        self.grid = Grid.of(options, int(self.manifest.options["stride"]))
        samples = usable(self.manifest.samples, options)
        self._eval: list[ClipChoice] = []
        if options.mode == "eval":
            self._eval = _as_they_lie(eval_clips(samples, self.grid, options), self._layout)
        super().__init__(options, samples, len(self._eval or samples), order=f"stream-{buffer}")
        self._memory = Recycler(Form(self.manifest, options).n_bytes(options.batch_size))

    def rows(self, epoch: int) -> list[list[Row]]:
        """The rows of this rank's batches of an epoch, in order: what, not yet read."""
        options = self.options
        share = self._length * options.batch_size
        begin = options.rank * share
        rows: list[Row]
        if options.mode == "eval":
            rows = list(self._eval[begin : begin + share])
            rows += [None] * (share - len(rows))
        else:
            order = stream_order(self.samples, self._layout, options.seed, epoch, self._buffer)
            chosen = order[begin : begin + share]
            rows = [train_clip(sample, self.grid, options, epoch) for sample in chosen]
        return [rows[at : at + options.batch_size] for at in range(0, share, options.batch_size)]

    def _batches(self, epoch: int, start: int) -> Generator[Batch]:
        jobs = self._jobs(epoch, start)
        elsewhere = self.options.workers and start < self._length
        yield from self._in_workers(jobs) if elsewhere else self._here(jobs)

    def _here(self, jobs: Iterator[BatchJob]) -> Generator[Batch]:
        held: BatchJob | None = None

        def fetch(sample: SampleInfo, field: str) -> bytes:
            return held.member(sample, field) if held else b""

        assembler = Assembler(self.manifest, self.options, fetch)
        for held in jobs:
            yield assembler.batch(held.rows, held.epoch, self._memory())

    def _in_workers(self, jobs: Iterator[BatchJob]) -> Generator[Batch]:
        with self._pools.lend(self._start) as workers:
            yield from workers.run(jobs)

    def _start(self) -> StreamWorkers:
        """Workers with room for any batch: what is in it waited before, within ``memory_bytes``."""
        sizes = sorted(most_bytes(s, self._index[s.key], self.options) for s in self.samples)
        largest = sum(sizes[-self.options.batch_size :])
        return StreamWorkers(self.manifest, self.options, min(largest, self._memory_bytes))

    def _within_memory(self, n_bytes: int, what: str) -> int:
        if n_bytes > self._memory_bytes:
            raise ShardError(
                "the samples that wait are larger than the memory allowed for them",
                place=self.url,
                found=f"{n_bytes:,} bytes in {what}",
                expected=f"at most {self._memory_bytes:,} bytes",
                hint="choose a smaller buffer or batch, or pack smaller samples",
            )
        return n_bytes

    def _jobs(self, epoch: int, start: int) -> Iterator[BatchJob]:
        """The batches of this rank from ``start`` on, with all the bytes that they need."""
        steps = self.rows(epoch)[start:]
        fields: dict[str, set[str]] = {}
        samples: dict[str, SampleInfo] = {}
        uses: Counter[str] = Counter()
        for row in (row for step in steps for row in step if row is not None):
            key = row.sample.key
            fields.setdefault(key, set()).update(fields_of(row, self.options))
            samples[key] = row.sample
            uses[key] += 1
        feed = self._feed(steps, {key: frozenset(names) for key, names in fields.items()})
        held: dict[str, Members] = {}
        held_bytes = 0
        for step in steps:
            keys = [row.sample.key for row in step if row is not None]
            while not held.keys() >= set(keys):
                key, members = next(feed)
                held[key] = members
                held_bytes += sum(map(len, members.values()))
                self._within_memory(held_bytes, f"{len(held)} samples")
            yield BatchJob(epoch, step, {key: held[key] for key in keys})
            for key in keys:
                uses[key] -= 1
                if not uses[key]:
                    held_bytes -= sum(map(len, held.pop(key).values()))

    def _feed(
        self, steps: list[list[Row]], fields: dict[str, frozenset[str]]
    ) -> Iterator[tuple[str, Members]]:
        """The samples that these batches need, shard by shard in the order of first need."""
        shards = dict.fromkeys(row.sample.shard for step in steps for row in step if row)
        for name in shards:
            worth = None if self.verify else _SKIP_BYTES
            stretch = self._layout.stretch(name, fields, worth)
            yield from read_stretch(
                self._remote, self._layout, self._index, stretch, verify=self.verify
            )


def _as_they_lie(rows: list[ClipChoice], layout: Layout) -> list[ClipChoice]:
    """The same rows in the order in which the shards hold them."""
    ordered = layout.ordered([row.sample for row in rows], list(layout.shards))
    place = {sample.key: number for number, sample in enumerate(ordered)}
    return sorted(rows, key=lambda row: place[row.sample.key])


def _open(remote: Remote) -> tuple[Manifest, Index]:
    """The manifest and the index that it names; ShardError when they cannot be used."""
    manifest = parse_manifest(remote.read(MANIFEST, MAX_BYTES), remote.place(MANIFEST))
    data = remote.read(INDEX, manifest.index.bytes)
    return manifest, index_of(manifest, data, remote.place(INDEX))
