"""Batches of clips from shards on local disk, in an order that can be resumed to the batch."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.batch_layout import Allocate, Form, Recycler
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pool import WorkerPool, closed_meanwhile
from homage_sdk.loader.sampling import ClipChoice, Grid, eval_clips, train_clip, train_order, usable
from homage_sdk.shards.format.manifest import SampleInfo
from homage_sdk.shards.format.shard_set import ShardSet


class ClipLoader:
    """Iterates over the batches of one epoch.

    The order is a pure function of (seed, epoch); ranks take slices of it and all see the same
    number of batches; the number of workers changes nothing but the speed. In training the next
    epoch begins by itself when one has been iterated to its end.

    Workers are started by the first iteration and kept for the next ones; they end with the loader,
    or at ``close``.

    Args:
        shards: an opened folder.
        options: what a batch holds; see ``LoaderOptions``.

    Attributes:
        samples: those of an epoch, in order of key.
        n_clips: rows of an epoch over all ranks that are given, padding left out.

    Raises:
        UsageError: no sequence fits, or fewer than one batch for each rank.

    """

    def __init__(self, shards: ShardSet, options: LoaderOptions | None = None) -> None:
        self.shards = shards
        self.options = options = options or LoaderOptions()
        self._rows = _Rows(shards, options)
        self.samples, n_rows = self._rows.samples, self._rows.n_rows
        self.grid = self._rows.grid
        self.epoch = 0
        self._position = 0
        self._resume_at = 0
        self._pools = _Kept()
        self._n_closings = 0
        per_step = options.batch_size * options.world_size
        if options.mode == "eval":
            self._length, self.n_clips = -(-n_rows // per_step), n_rows
        else:
            self._length = n_rows // per_step
            self.n_clips = self._length * per_step
        if not self._length:
            raise UsageError(
                "fewer sequences than one batch for each rank",
                found=f"{n_rows} sequences",
                expected=f"at least {per_step} (batch size times ranks)",
                hint="choose a smaller batch_size",
            )
        keys = "\n".join(sample.key for sample in self.samples)
        self._stream: dict[str, int | str] = {
            "seed": options.seed,
            "order": "index",  # other orders were there before, and are refused
            "mode": options.mode,
            "batch_size": options.batch_size,
            "world_size": options.world_size,
            "samples": hashlib.sha256(keys.encode()).hexdigest()[:16],
        }
        self._maker = _FromIndex(shards, self._rows)
        self._form = Form(shards.manifest, options)
        self._memory = Recycler(self._form.n_bytes(options.batch_size))

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        return self._length

    def close(self) -> None:
        """End the workers, where there are any; another iteration starts new ones.

        An iteration that is not at its end raises UsageError when it is asked for more.
        """
        self._n_closings += 1
        self._pools.close()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives; a position loaded for it is kept."""
        if epoch != self.epoch:
            self.epoch, self._position, self._resume_at = epoch, 0, 0

    def state_dict(self) -> dict[str, int | str]:
        """Where the stream stands: epoch, how many batches of it were handed out (``position``).

        And which stream it is: seed, order, mode, batch_size, world_size, and a hash of the keys of
        its samples. The same on every rank, whatever the number of workers.
        """
        return {**self._stream, "epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state_dict``: the next iteration begins with the batch after it.

        Raises UsageError for the state of another stream: every entry that says which one must be
        this loader's. Seed, epoch and position must be there; a state without the others, as older
        versions gave it, is taken for one of this stream.
        """
        try:
            epoch, position = int(state["epoch"]), int(state["position"])
            found = {name: state[name] for name in ("seed", *(self._stream.keys() & state.keys()))}
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                "not the state of a loader",
                found=repr(state)[:120],
                expected="seed, epoch and position, as state_dict gives them",
            ) from error
        for name, value in self._stream.items():
            if found.get(name, value) != value:
                raise UsageError(
                    "the state of another stream",
                    found=f"{name} {found[name]}",
                    expected=f"{name} {value}",
                    hint="resume with the shards, the kind of loader and the options of the state",
                )
        if epoch < 0 or not 0 <= position <= self._length:
            raise UsageError(
                "the state of another stream",
                found=f"batch {position} of epoch {epoch}",
                expected=f"at most {self._length} batches an epoch",
            )
        self.epoch = epoch
        self._position = self._resume_at = position

    def __iter__(self) -> Iterator[Batch]:
        start, self._resume_at = self._resume_at, 0
        self._position = start
        epoch, n_closings = self.epoch, self._n_closings
        given = start
        with contextlib.closing(self._batches(epoch, start)) as batches:
            for batch in batches:
                self._position += 1
                given += 1
                yield batch
                del batch
                if self._n_closings != n_closings and given < self._length:
                    raise closed_meanwhile()
        if given != self._length:  # an epoch that ends early must not pass for a whole one
            raise ShardError(
                "the batches of an epoch are not as many as planned",
                found=f"{given} batches",
                expected=f"{self._length} batches",
            )
        self._position = 0
        if self.options.mode == "train" and self.epoch == epoch:
            self.epoch = epoch + 1

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


class _Kept:
    """The pools of a loader: one is kept from iteration to iteration, all end at ``close``."""

    def __init__(self) -> None:
        self._idle: WorkerPool | None = None
        self._lent: list[WorkerPool] = []

    @contextlib.contextmanager
    def lend(self, start: Callable[[], WorkerPool]) -> Iterator[WorkerPool]:
        """The pool that is kept, or one that ``start`` makes where it is gone or in use."""
        pool, self._idle = self._idle, None
        if pool is None or not pool.open:
            pool = start()
        self._lent.append(pool)
        try:
            yield pool
        finally:
            self._lent = [other for other in self._lent if other is not pool]
            if self._idle is None and pool.open:
                self._idle = pool
            else:
                pool.close()

    def close(self) -> None:
        """End the pool that is kept and those that iterations still use."""
        pools, self._idle = [*self._lent, self._idle], None
        for pool in pools:
            if pool is not None:
                pool.close()


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
