"""Epochs that follow one another, and the place in them: the same for every loader."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from typing import Any

from homage_sdk.errors import UsageError
from homage_sdk.shards.batch import Batch
from homage_sdk.shards.options import LoaderOptions


class EpochLoader(ABC):
    """Iterates over the batches of one epoch, ``n_batches`` on every rank."""

    def __init__(self, options: LoaderOptions, n_batches: int) -> None:
        self.options = options
        self.epoch = 0
        self._position = 0
        self._resume_at = 0
        self._length = n_batches

    @abstractmethod
    def _batches(self, epoch: int, start: int) -> Generator[Batch]:
        """The batches of an epoch from ``start`` on."""

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank."""
        return self._length

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

    def __iter__(self) -> Iterator[Batch]:
        start, self._resume_at = self._resume_at, 0
        self._position = start
        epoch = self.epoch
        with contextlib.closing(self._batches(epoch, start)) as batches:
            for batch in batches:
                self._position += 1
                yield batch
                del batch
        self._position = 0
        if self.options.mode == "train" and self.epoch == epoch:
            self.epoch = epoch + 1
