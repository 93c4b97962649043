"""Epochs that follow one another, and the place in them: the same for every loader."""

from __future__ import annotations

import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pool import closed_meanwhile
from homage_sdk.shards.format.manifest import SampleInfo


class Pool(Protocol):
    """Processes that one iteration at a time makes use of."""

    @property
    def open(self) -> bool:
        """Whether the processes are there."""

    def close(self) -> None:
        """End them."""


P = TypeVar("P", bound=Pool)


class Kept(Generic[P]):
    """The pools of a loader: one is kept from iteration to iteration, all end at ``close``."""

    def __init__(self) -> None:
        self._idle: P | None = None
        self._lent: list[P] = []

    @contextlib.contextmanager
    def lend(self, start: Callable[[], P]) -> Iterator[P]:
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


class EpochLoader(ABC, Generic[P]):
    """Iterates over the batches of one epoch, as many on every rank.

    Args:
        options: what a batch holds.
        samples: those of an epoch, in order of key.
        n_rows: rows of an epoch over all ranks; in training one of each sample.
        order: the name of the order in which the rows come.

    Attributes:
        n_clips: rows of an epoch over all ranks that are given, padding left out.

    Raises:
        UsageError: fewer training rows than one batch for each rank.

    """

    def __init__(
        self, options: LoaderOptions, samples: Sequence[SampleInfo], n_rows: int, order: str
    ) -> None:
        self.options = options
        self.samples = samples
        self.epoch = 0
        self._position = 0
        self._resume_at = 0
        self._pools: Kept[P] = Kept()
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
        keys = "\n".join(sample.key for sample in samples)
        self._stream: dict[str, int | str] = {
            "seed": options.seed,
            "order": order,
            "mode": options.mode,
            "batch_size": options.batch_size,
            "world_size": options.world_size,
            "samples": hashlib.sha256(keys.encode()).hexdigest()[:16],
        }

    @abstractmethod
    def _batches(self, epoch: int, start: int) -> Generator[Batch]:
        """The batches of an epoch from ``start`` on."""

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
