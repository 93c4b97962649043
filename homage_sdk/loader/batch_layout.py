"""The layout of a batch: which tensors it has, and the memory, shared or private, they lie in."""

from __future__ import annotations

import math
import mmap
import os
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Callable
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from homage_sdk.loader.batch import Batch
from homage_sdk.loader.clip_sound import ClipSound
from homage_sdk.loader.grid import Grid
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pictures.i420 import row_bytes
from homage_sdk.shards.format.manifest import Manifest

Allocate = Callable[[tuple[int, ...], torch.dtype], Tensor]
"""Gives a tensor of a shape and type, whatever it holds."""

_ALIGNMENT = 64


class BatchLayout:
    """What every batch of a loader looks like: shapes follow from shards and options alone.

    Attributes:
        grid: how a clip lies on the packed frames.
        sounds: how the sound of a clip is read.
        as_i420: whether pictures are handed over as decoded.

    """

    def __init__(self, manifest: Manifest, options: LoaderOptions) -> None:
        packed = manifest.packed
        self.grid = Grid.of(options, packed.stride)
        self.sounds = ClipSound(packed, self.grid, options)
        self._n_atomic = len(manifest.classes("atomic"))
        self._options = options
        self.as_i420 = options.pixels == "i420" and self._of_planes(manifest)

    def _of_planes(self, manifest: Manifest) -> bool:
        """Whether planes give the pictures: of whole ones, or where none has to be scaled."""
        size, fit = self._options.size, self._options.fit
        return fit == "stretch" or (
            fit == "crop"
            and size % 2 == 0
            and self._options.crop in (None, size)
            and all(
                min(view.width, view.height) >= size
                for sample in manifest.samples
                for view in sample.views
            )
        )

    @property
    def videos(self) -> tuple[str, ...]:
        """The modalities that are pictures."""
        return tuple(kind for kind in ("ego", "third") if kind in self._options.modalities)

    def blank(self, rows: int, allocate: Allocate) -> Batch:
        """A batch of ``rows`` clips whose tensors ``allocate`` gives, always in the same order."""
        options, grid = self._options, self.grid
        n, k, size, classes = grid.blocks, grid.block_frames, options.size, self._n_atomic

        def whole(*shape: int) -> Tensor:
            return allocate((rows, *shape), torch.int64)

        def real(*shape: int) -> Tensor:
            return allocate((rows, *shape), torch.float32)

        def flags(*shape: int) -> Tensor:
            return allocate((rows, *shape), torch.bool)

        picture = (row_bytes(size),) if self.as_i420 else (size, size, 3)
        sound = "audio" in options.modalities
        return Batch(
            sequence=("",) * rows,
            clip=whole(),
            n_clips=whole(),
            frames=whole(n, k),
            block_valid=flags(n),
            activity=whole(),
            atomic_block=real(n, classes),
            atomic_clip=real(classes),
            atomic_known=flags(),
            video={kind: allocate((rows, n, k, *picture), torch.uint8) for kind in self.videos},
            view={kind: whole() for kind in self.videos},
            logmel=real(*self.sounds.shape) if sound else None,
            sensors=real(n, options.sensor_samples, len(options.sensors))
            if "sensors" in options.modalities
            else None,
            present={modality: flags() for modality in options.modalities},
        )

    def n_bytes(self, rows: int) -> int:
        """How much memory ``Cutter`` needs for a batch of so many clips."""
        total = 0

        def count(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
            nonlocal total
            total += _aligned(math.prod(shape) * dtype.itemsize)
            return torch.empty(0, dtype=dtype)

        self.blank(rows, count)
        return total


class Cutter:
    """Cuts tensors out of one memory, one after the other; they keep it alive."""

    def __init__(self, memory: npt.NDArray[np.uint8]) -> None:
        self._memory = memory
        self._at = 0

    def __call__(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """The next tensor."""
        size = math.prod(shape) * dtype.itemsize
        part: Any = self._memory[self._at : self._at + size]
        self._at += _aligned(size)
        return torch.from_numpy(part).view(dtype).view(shape)


class Recycler:
    """Private memory for batches: once its last view is gone it is filled again.

    A fresh mapping costs a page fault for each 4 KiB, more than a tenth of the decoding.
    """

    def __init__(self, n_bytes: int, keep: int = 2) -> None:
        self._n_bytes = n_bytes
        self._idle: deque[memoryview] = deque(maxlen=keep)

    def __call__(self) -> Cutter:
        """Memory that no batch uses."""
        try:
            memory = self._idle.pop()
        except IndexError:
            memory = memoryview(bytearray(self._n_bytes))
        array = np.frombuffer(memory, dtype=np.uint8)
        weakref.finalize(array, self._idle.append, memory).atexit = False
        return Cutter(array)


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


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
