"""Batches of clips from shards on local disk, in an order that can be resumed to the batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from homage_sdk.errors import HomageError, ShardError, UsageError
from homage_sdk.shards.batch import Batch
from homage_sdk.shards.clips import Assembler
from homage_sdk.shards.options import LoaderOptions
from homage_sdk.shards.read import ShardSet
from homage_sdk.shards.sampling import (
    ClipChoice,
    Grid,
    eval_clips,
    train_clip,
    train_order,
    usable,
)


class ClipLoader:
    """Iterates over the batches of one epoch.

    The order is a pure function of (seed, epoch); ranks take slices of it and all see the same
    number of batches; the number of workers changes nothing but the speed. In training the next
    epoch begins by itself when one has been iterated to its end.

    Args:
        shards: an opened folder.
        options: what a batch holds; see ``LoaderOptions``.

    Raises:
        UsageError: no sequence fits, or fewer than one batch for each rank.

    """

    def __init__(self, shards: ShardSet, options: LoaderOptions | None = None) -> None:
        self.shards = shards
        self.options = options or LoaderOptions()
        self.grid = Grid.of(self.options, shards.stride)
        self.samples = usable(shards.samples, self.options)
        self.epoch = 0
        self._position = 0
        self._resume_at = 0
        per_step = self.options.batch_size * self.options.world_size
        if self.options.mode == "eval":
            self._eval = eval_clips(self.samples, self.grid, self.options)
            self._length = -(-len(self._eval) // per_step)
        else:
            self._eval = []
            self._length = len(self.samples) // per_step
            if not self._length:
                raise UsageError(
                    "fewer sequences than one batch",
                    found=f"{len(self.samples)} sequences",
                    expected=f"at least {per_step} (batch size times ranks)",
                    hint="choose a smaller batch_size",
                )

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        return self._length

    @property
    def n_clips(self) -> int:
        """Rows of an epoch over all ranks, padding left out."""
        per_step = self.options.batch_size * self.options.world_size
        return len(self._eval) if self.options.mode == "eval" else self._length * per_step

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives; a position loaded for it is kept."""
        if epoch != self.epoch:
            self.epoch, self._position, self._resume_at = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """Where the stream stands: seed, epoch, and how many batches of it were handed out."""
        return {"seed": self.options.seed, "epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``: the next iteration begins with the batch after it."""
        if int(state["seed"]) != self.options.seed:
            raise UsageError(
                "the state of another stream",
                found=f"seed {state['seed']}",
                expected=f"seed {self.options.seed}",
            )
        self.epoch = int(state["epoch"])
        self._position = self._resume_at = int(state["position"])

    def rows(self, epoch: int, step: int) -> list[ClipChoice | None]:
        """The rows of this rank's batch at ``step``: what, not yet read."""
        options = self.options
        begin = (step * options.world_size + options.rank) * options.batch_size
        end = begin + options.batch_size
        if options.mode == "eval":
            chosen: list[ClipChoice | None] = list(self._eval[begin:end])
            return chosen + [None] * (options.batch_size - len(chosen))
        order = self._order(epoch)[begin:end]
        return [train_clip(sample, self.grid, options, epoch) for sample in order]

    def _order(self, epoch: int) -> list[Any]:
        cached = getattr(self, "_cached_order", None)
        if cached is None or cached[0] != epoch:
            cached = (epoch, train_order(self.samples, self.options.seed, epoch))
            self._cached_order = cached
        order: list[Any] = cached[1]
        return order

    def __iter__(self) -> Iterator[Batch]:
        start, self._resume_at = self._resume_at, 0
        self._position = start
        epoch = self.epoch
        source = _Batches(self, epoch)
        steps = range(start, self._length)
        batches: Iterator[Batch | _Failure]
        if self.options.workers and steps:
            batches = _from_workers(source, steps, self.options)
        else:
            batches = (source[step] for step in steps)
        for item in batches:
            if isinstance(item, _Failure):
                raise item.error
            self._position += 1
            yield item
        self._position = 0
        if self.options.mode == "train" and self.epoch == epoch:
            self.epoch = epoch + 1


class _Failure:
    """An error on its way from a worker: as a value, it keeps its one line."""

    def __init__(self, error: HomageError) -> None:
        self.error = error


class _Batches(Dataset["Batch | _Failure"]):
    """The batches of an epoch by step, for torch's DataLoader."""

    def __init__(self, loader: ClipLoader, epoch: int) -> None:
        self._loader = loader
        self._epoch = epoch
        self._assembler: Assembler | None = None

    def __getitem__(self, step: int) -> Batch | _Failure:
        if self._assembler is None:
            shards = self._loader.shards
            self._assembler = Assembler(
                shards.manifest,
                self._loader.options,
                lambda sample, field: shards.read(sample.key, field),
                shared=get_worker_info() is not None,
            )
        try:
            return self._assembler.batch(self._loader.rows(self._epoch, step), self._epoch)
        except HomageError as error:
            return _Failure(error)


def _from_workers(
    source: _Batches, steps: range, options: LoaderOptions
) -> Iterator[Batch | _Failure]:
    loader: DataLoader[Batch | _Failure] = DataLoader(
        source,
        batch_size=None,
        sampler=list(steps),
        num_workers=options.workers,
        prefetch_factor=options.prefetch,
        collate_fn=_as_is,
        pin_memory=torch.cuda.is_available(),
    )
    batches = iter(loader)
    while True:
        try:
            item = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            if "worker" not in str(error):
                raise
            raise ShardError(
                "a loading process died",
                found=str(error).splitlines()[0],
                hint="it was killed or ran out of memory: use fewer workers",
            ) from error
        yield item


def _as_is(item: Any) -> Any:
    return item
