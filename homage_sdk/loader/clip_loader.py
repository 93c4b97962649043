"""Batches of clips from shards on local disk, in an order that can be resumed to the batch."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch.utils.data import get_worker_info

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.batch_layout import Allocate, Recycler
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pool import WorkerPool, closed_meanwhile
from homage_sdk.loader.sampling import EpochRows
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
        grid: how a clip lies on the packed frames.
        n_clips: rows of an epoch over all ranks that are given, padding left out.

    Raises:
        UsageError: no sequence fits, or fewer than one batch for each rank.

    """

    def __init__(self, shards: ShardSet, options: LoaderOptions | None = None) -> None:
        self.shards = shards
        self.options = options = options or LoaderOptions()
        self.epoch = 0
        self._position = 0
        self._resume_at = 0
        self._pools: list[WorkerPool] = []
        self._lent: set[WorkerPool] = set()  # to iterations that go on
        self._n_closings = 0
        self.rows = EpochRows(shards.manifest, options)
        self.samples, self.grid = self.rows.samples, self.rows.grid
        n_rows, per_step = self.rows.n_rows, options.batch_size * options.world_size
        self._length = -(-n_rows // per_step) if options.mode == "eval" else n_rows // per_step
        self.n_clips = min(n_rows, self._length * per_step)
        if not self._length:
            rows = "atomic actions" if options.train_unit == "action" else "sequences"
            raise UsageError(
                f"fewer {rows} than one batch for each rank",
                found=f"{n_rows} {rows}",
                expected=f"at least {per_step} (batch size times ranks)",
                hint="choose a smaller batch_size",
            )
        assembler = Assembler(shards.manifest, options, shards.read)
        self._maker, self._layout = _BatchMaker(self.rows, assembler), assembler.layout
        self._memory = Recycler(self._layout.n_bytes(options.batch_size))
        keys = "\n".join(sample.key for sample in self.samples)
        self._stream: dict[str, int | str] = {
            "seed": options.seed,
            "order": "index",  # other orders were there before, and are refused
            "mode": options.mode,
            "batch_size": options.batch_size,
            "world_size": options.world_size,
            "train_unit": options.train_unit,
            "samples": hashlib.sha256(keys.encode()).hexdigest()[:16],
        }

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        return self._length

    def close(self) -> None:
        """End the workers, where there are any; another iteration starts new ones.

        An iteration that is not at its end raises UsageError when it is asked for more.
        """
        self._n_closings += 1
        while self._pools:
            self._pools.pop().close()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives; a position loaded for it is kept."""
        if epoch != self.epoch:
            self.epoch, self._position, self._resume_at = epoch, 0, 0

    def state_dict(self) -> dict[str, int | str]:
        """Where the stream stands: epoch, how many batches of it were handed out (``position``).

        And which stream it is: seed, order, mode, batch_size, world_size, train_unit, and a hash of
        the keys of its samples. The same on every rank, whatever the number of workers.
        """
        return {**self._stream, "epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state_dict``: the next iteration begins with the batch after it.

        Raises UsageError for the state of another loader: every entry that says which one must be
        this loader's. Seed, epoch and position must be there; a state without the others, as older
        versions gave it, is taken for one of this loader.
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
                    "this state belongs to another loader",
                    found=f"{name} {found[name]}",
                    expected=f"{name} {value}",
                    hint="resume with the shards, the kind of loader and the options of the state",
                )
        if epoch < 0 or not 0 <= position <= self._length:
            raise UsageError(
                "this state belongs to another loader",
                found=f"batch {position} of epoch {epoch}",
                expected=f"at most {self._length} batches an epoch",
            )
        self.epoch = epoch
        self._position = self._resume_at = position

    def __iter__(self) -> Iterator[Batch]:
        if get_worker_info() is not None:
            raise UsageError(
                "a ClipLoader inside a worker of torch's DataLoader",
                hint="it has processes of its own (workers=...), and each worker would give every "
                "clip: iterate over it itself, or give DataLoader num_workers=0",
            )
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

    def _batches(self, epoch: int, start: int) -> Generator[Batch]:
        tasks = [(epoch, step) for step in range(start, self._length)]
        if self.options.workers and tasks:
            with self._pool() as pool:
                yield from pool.run(tasks)
        else:
            for task in tasks:
                yield self._maker(task, self._memory())

    @contextlib.contextmanager
    def _pool(self) -> Iterator[WorkerPool]:
        """A pool that no other iteration uses; of those given back, one is kept."""
        options = self.options
        self._pools = [pool for pool in self._pools if pool.open]
        pool = next((pool for pool in self._pools if pool not in self._lent), None)
        if pool is None:
            pool = WorkerPool(
                self._maker, self._layout, options.batch_size, options.workers, options.prefetch
            )
            self._pools.append(pool)
        self._lent.add(pool)
        try:
            yield pool
        finally:
            self._lent.remove(pool)
            others = [other for other in self._pools if other is not pool]
            if any(other not in self._lent for other in others):
                self._pools = others
                pool.close()


@dataclass(frozen=True)
class _BatchMaker:
    """Makes the batch of (epoch, step), here or in a worker."""

    rows: EpochRows
    assembler: Assembler

    def __call__(self, task: tuple[int, int], allocate: Allocate) -> Batch:
        epoch, step = task
        return self.assembler.batch(self.rows(epoch, step), epoch, allocate)
