"""Batches of clips from shards on local disk, in an order that can be resumed to the batch."""

from __future__ import annotations

from collections.abc import Generator

from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.batch_layout import Allocate, Form, Recycler
from homage_sdk.loader.epochs import EpochLoader
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pool import WorkerPool
from homage_sdk.loader.sampling import ClipChoice, Grid, eval_clips, train_clip, train_order, usable
from homage_sdk.shards.format.manifest import SampleInfo
from homage_sdk.shards.format.shard_set import ShardSet


class ClipLoader(EpochLoader[WorkerPool]):
    """Iterates over the batches of one epoch.

    The order is a pure function of (seed, epoch); ranks take slices of it and all see the same
    number of batches; the number of workers changes nothing but the speed. In training the next
    epoch begins by itself when one has been iterated to its end.

    Workers are started by the first iteration and kept for the next ones; they end with the loader,
    or at ``close``.

    Args:
        shards: an opened folder.
        options: what a batch holds; see ``LoaderOptions``.

    Raises:
        UsageError: no sequence fits, or fewer than one batch for each rank.

    """

    def __init__(self, shards: ShardSet, options: LoaderOptions | None = None) -> None:
        self.shards = shards
        options = options or LoaderOptions()
        self._rows = _Rows(shards, options)
        super().__init__(options, self._rows.samples, self._rows.n_rows, order="index")
        self.grid = self._rows.grid
        self._maker = _FromIndex(shards, self._rows)
        self._form = Form(shards.manifest, options)
        self._memory = Recycler(self._form.n_bytes(options.batch_size))

    def rows(self, epoch: int, step: int) -> list[ClipChoice | None]:
        """The rows of this rank's batch at ``step``: what, not yet read."""
        return self._rows(epoch, step)

    def _batches(self, epoch: int, start: int) -> Generator[Batch]:
        steps = range(start, len(self))
        if not self.options.workers or not steps:
            for step in steps:
                yield self._maker((epoch, step), self._memory())
            return
        with self._pools.lend(self._start) as pool:
            yield from pool.run((epoch, step) for step in steps)

    def _start(self) -> WorkerPool:
        options = self.options
        return WorkerPool(
            self._maker, self._form, options.batch_size, options.workers, options.prefetch
        )


class _Rows:
    """What every batch of every epoch holds, before it is read."""

    def __init__(self, shards: ShardSet, options: LoaderOptions) -> None:
        self.options = options
        self.grid = Grid.of(options, shards.stride)
        self.samples = usable(shards.samples, options)
        self._order: tuple[int, list[SampleInfo]] | None = None  # of the last epoch asked for
        self._eval: list[ClipChoice] = []
        if options.mode == "eval":
            self._eval = eval_clips(self.samples, self.grid, options)

    @property
    def n_rows(self) -> int:
        """Rows of an epoch."""
        return len(self._eval if self.options.mode == "eval" else self.samples)

    def __call__(self, epoch: int, step: int) -> list[ClipChoice | None]:
        options = self.options
        begin = (step * options.world_size + options.rank) * options.batch_size
        end = begin + options.batch_size
        if options.mode == "eval":
            chosen: list[ClipChoice | None] = list(self._eval[begin:end])
            return chosen + [None] * (options.batch_size - len(chosen))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, train_order(self.samples, options.seed, epoch)
        return [train_clip(s, self.grid, options, epoch) for s in self._order[1][begin:end]]


class _FromIndex:
    """Makes the batch of (epoch, step), here or in a worker."""

    def __init__(self, shards: ShardSet, rows: _Rows) -> None:
        self._shards, self._rows = shards, rows
        self._assembler: Assembler | None = None

    def __call__(self, task: tuple[int, int], allocate: Allocate) -> Batch:
        if self._assembler is None:
            shards = self._shards
            self._assembler = Assembler(
                shards.manifest,
                self._rows.options,
                lambda sample, name: shards.read(sample.key, name),
            )
        epoch, step = task
        return self._assembler.batch(self._rows(epoch, step), epoch, allocate)
