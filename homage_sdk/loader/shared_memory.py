"""Memory that processes share, in slots of one size."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import weakref
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
import numpy.typing as npt


class SharedMemory:
    """Slots of memory that a process started with this object shares."""

    def __init__(self, slot_bytes: int, slots: int, handle: int | None = None) -> None:
        self.slot_bytes, self.slots = slot_bytes, slots
        if handle is None:
            handle = _anonymous_file()
            os.ftruncate(handle, max(1, slot_bytes * slots))
        self._handle = handle
        weakref.finalize(self, os.close, handle)
        self._map = mmap.mmap(handle, max(1, slot_bytes * slots))

    def slot(self, number: int) -> npt.NDArray[np.uint8]:
        """One slot, as an array of its own that shows when it is gone."""
        return np.frombuffer(self._map, np.uint8, self.slot_bytes, number * self.slot_bytes)

    def __reduce__(self) -> tuple[object, ...]:
        return _shared_memory, (self.slot_bytes, self.slots, DupFd(self._handle))


def _shared_memory(slot_bytes: int, slots: int, handle: Any) -> SharedMemory:
    return SharedMemory(slot_bytes, slots, handle.detach())


def _anonymous_file() -> int:
    """A file without a name, in memory where the system has such; no /dev/shm that may be small."""
    if sys.platform == "linux":
        return os.memfd_create("homage batches")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
