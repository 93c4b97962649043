"""Batches made by other processes of bytes that this one has read.

Readers of streams stay in one process: each byte comes once, and workers need neither network nor
credentials. The bytes of a batch are laid into a slot of memory that the workers share.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.shards.batch import Batch
from homage_sdk.shards.clips import Assembler
from homage_sdk.shards.form import Allocate, Form
from homage_sdk.shards.forward import Members
from homage_sdk.shards.manifest import Manifest, SampleInfo
from homage_sdk.shards.options import LoaderOptions
from homage_sdk.shards.sampling import ClipChoice
from homage_sdk.shards.workers import SharedMemory, WorkerPool


@dataclass(frozen=True, slots=True)
class Job:
    """The rows of one batch and the members that they are made of."""

    epoch: int
    rows: list[ClipChoice | None]
    members: dict[str, Members]  # by key of the sample

    def member(self, sample: SampleInfo, name: str) -> bytes:
        """The bytes of a member; ShardError when it was not read."""
        try:
            return self.members[sample.key][name]
        except KeyError:
            raise ShardError(
                f"sample {sample.key} has no member {name}", place=sample.shard
            ) from None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A job whose bytes lie in a slot."""

    epoch: int
    rows: list[ClipChoice | None]
    slot: int
    spans: dict[str, dict[str, tuple[int, int]]]


class StreamWorkers:
    """Processes that make batches of jobs, kept from epoch to epoch.

    Args:
        manifest: of the shards.
        options: of the loader.
        job_bytes: no job has more bytes.

    """

    def __init__(self, manifest: Manifest, options: LoaderOptions, job_bytes: int) -> None:
        outstanding = options.workers * options.prefetch
        self._slots = outstanding + 1 + options.prefetch
        self._memory = SharedMemory(job_bytes, self._slots)
        self._ahead = options.prefetch
        maker = _Maker(manifest, options, self._memory)
        form = Form(manifest, options)
        self._pool = WorkerPool(maker, form, options.batch_size, options.workers, options.prefetch)

    @property
    def open(self) -> bool:
        """Whether the processes are there."""
        return self._pool.open

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def run(self, jobs: Iterator[Job]) -> Generator[Batch]:
        """The batches of these jobs, in their order; an error comes in its place."""
        reading = _Ahead(jobs, self._memory, range(self._slots))
        slots: list[int] = []

        def tasks() -> Iterator[_Placed | HomageError]:
            for item in reading.items():
                if isinstance(item, _Placed):
                    slots.append(item.slot)
                yield item

        try:
            for batch in self._pool.run(tasks()):
                reading.free(slots.pop(0))
                yield batch
        finally:
            reading.close()


class _Maker:
    """Turns a job into its batch, in a worker."""

    def __init__(self, manifest: Manifest, options: LoaderOptions, memory: SharedMemory) -> None:
        self._manifest, self._options, self._memory = manifest, options, memory
        self._assembler: Assembler | None = None
        self._job: _Placed | None = None

    def __call__(self, job: _Placed | HomageError, allocate: Allocate) -> Batch:
        if isinstance(job, HomageError):
            raise job
        if self._assembler is None:
            self._assembler = Assembler(self._manifest, self._options, self._member)
        self._job = job
        return self._assembler.batch(job.rows, job.epoch, allocate)

    def _member(self, sample: SampleInfo, name: str) -> bytes:
        job = self._job
        if job is None or name not in job.spans.get(sample.key, ()):
            raise ShardError(f"sample {sample.key} has no member {name}", place=sample.shard)
        begin, end = job.spans[sample.key][name]
        return self._memory.slot(job.slot)[begin:end].tobytes()


class _Ahead:
    """Reads jobs in a thread and lays them into free slots; an error takes its place."""

    def __init__(self, jobs: Iterator[Job], memory: SharedMemory, slots: range) -> None:
        self._jobs, self._memory = jobs, memory
        self._ready: queue.Queue[_Placed | HomageError | None] = queue.Queue()
        self._free: queue.Queue[int | None] = queue.Queue()
        for slot in slots:
            self._free.put(slot)
        self._thread = threading.Thread(target=self._run, name="shard stream", daemon=True)

    def items(self) -> Iterator[_Placed | HomageError]:
        """What was read, in order."""
        self._thread.start()
        while (item := self._ready.get()) is not None:
            yield item

    def free(self, slot: int) -> None:
        """Let a slot be filled again."""
        self._free.put(slot)

    def close(self) -> None:
        """End the thread, also when nobody wants the rest."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._free.get_nowait()
        self._free.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout=5)  # it may wait for the network; no slot is left to it

    def _run(self) -> None:
        try:
            for job in self._jobs:
                slot = self._free.get()
                if slot is None:
                    return
                self._ready.put(self._place(job, slot))
        except HomageError as error:
            self._ready.put(error)
        except BaseException as error:
            self._ready.put(ShardError("reading ended", found=f"{type(error).__name__}: {error}"))
            raise
        finally:
            self._ready.put(None)

    def _place(self, job: Job, slot: int) -> _Placed:
        memory = self._memory.slot(slot)
        spans: dict[str, dict[str, tuple[int, int]]] = {}
        at = 0
        for key, members in job.members.items():
            for name, data in members.items():
                memory[at : at + len(data)] = np.frombuffer(data, np.uint8)
                spans.setdefault(key, {})[name] = (at, at + len(data))
                at += len(data)
        return _Placed(job.epoch, job.rows, slot, spans)
