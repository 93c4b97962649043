"""Batches made by other processes of bytes that this one has read.

Readers of streams stay in one process: each byte comes once, and workers need neither network nor
credentials. The bytes of a batch are laid into a slot of memory that the workers share.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import NamedTuple

import numpy as np

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.batch_layout import Allocate, Form
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pool import WorkerPool
from homage_sdk.loader.sampling import ClipChoice
from homage_sdk.loader.shared_memory import SharedMemory
from homage_sdk.shards.format.manifest import Manifest, SampleInfo
from homage_sdk.shards.forward import Members


@dataclass(frozen=True, slots=True)
class BatchJob:
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


class _Row(NamedTuple):
    """A ``ClipChoice`` that names its sample and view: the worker has the manifest."""

    key: str
    clip: int
    n_clips: int
    start: int
    third: int | None  # number of the view
    main: bool

    @classmethod
    def of(cls, row: ClipChoice) -> _Row:
        third = None if row.third is None else row.third.number
        return cls(row.sample.key, row.clip, row.n_clips, row.start, third, row.main)

    def choice(self, samples: Mapping[str, SampleInfo]) -> ClipChoice:
        sample = samples[self.key]
        third = next((view for view in sample.third if view.number == self.third), None)
        return ClipChoice(sample, self.clip, self.n_clips, self.start, third, self.main)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A job whose bytes lie in a slot."""

    epoch: int
    rows: list[_Row | None]
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
        maker = _FromJob(manifest, options, self._memory)
        form = Form(manifest, options)
        self._pool = WorkerPool(maker, form, options.batch_size, options.workers, options.prefetch)

    @property
    def open(self) -> bool:
        """Whether the processes are there."""
        return self._pool.open

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def run(self, jobs: Iterator[BatchJob]) -> Generator[Batch]:
        """The batches of these jobs, in their order; an error comes in its place."""
        reading = _Ahead(jobs, self._memory, range(self._slots))
        slots: list[int] = []

        def tasks() -> Iterator[_Placed | HomageError]:
            for item in reading.items():
                if isinstance(item, _Placed):
                    slots.append(item.slot)
                yield item

        try:
            for batch in self._pool.run(tasks(), reading.ready):
                reading.free(slots.pop(0))
                yield batch
        finally:
            reading.close()


class _FromJob:
    """Turns a job into its batch, in a worker."""

    def __init__(self, manifest: Manifest, options: LoaderOptions, memory: SharedMemory) -> None:
        self._manifest, self._options, self._memory = manifest, options, memory
        self._assembler: Assembler | None = None
        self._samples: dict[str, SampleInfo] = {}
        self._job: _Placed | None = None

    def __call__(self, job: _Placed | HomageError, allocate: Allocate) -> Batch:
        if isinstance(job, HomageError):
            raise job
        if self._assembler is None:
            self._assembler = Assembler(self._manifest, self._options, self._member)
            self._samples = {sample.key: sample for sample in self._manifest.samples}
        self._job = job
        rows = [None if row is None else row.choice(self._samples) for row in job.rows]
        return self._assembler.batch(rows, job.epoch, allocate)

    def _member(self, sample: SampleInfo, name: str) -> bytes:
        job = self._job
        if job is None or name not in job.spans.get(sample.key, ()):
            raise ShardError(f"sample {sample.key} has no member {name}", place=sample.shard)
        begin, end = job.spans[sample.key][name]
        return self._memory.slot(job.slot)[begin:end].tobytes()


class _Ahead:
    """Reads jobs in a thread and lays them into free slots; an error takes its place.

    Attributes:
        ready: something to read for each item that waits.

    """

    def __init__(self, jobs: Iterator[BatchJob], memory: SharedMemory, slots: range) -> None:
        self._jobs, self._memory = jobs, memory
        self._items: queue.SimpleQueue[_Placed | HomageError | None] = queue.SimpleQueue()
        self.ready, self._tell = Pipe(duplex=False)
        self._free: queue.Queue[int | None] = queue.Queue()
        for slot in slots:
            self._free.put(slot)
        self._thread = threading.Thread(target=self._run, name="shard stream", daemon=True)

    def items(self) -> Iterator[_Placed | HomageError]:
        """What was read, in order."""
        self._thread.start()
        while self.ready.recv_bytes() and (item := self._items.get()) is not None:
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

    def _put(self, item: _Placed | HomageError | None) -> None:
        self._items.put(item)
        self._tell.send_bytes(b".")

    def _run(self) -> None:
        try:
            for job in self._jobs:
                slot = self._free.get()
                if slot is None:
                    return
                self._put(self._place(job, slot))
        except HomageError as error:
            self._put(error)
        except BaseException as error:
            self._put(ShardError("reading ended", found=f"{type(error).__name__}: {error}"))
            raise
        finally:
            self._put(None)

    def _place(self, job: BatchJob, slot: int) -> _Placed:
        memory = self._memory.slot(slot)
        spans: dict[str, dict[str, tuple[int, int]]] = {}
        at = 0
        for key, members in job.members.items():
            for name, data in members.items():
                if at + len(data) > len(memory):
                    raise ShardError("a member larger than the index says", place=f"{key}.{name}")
                memory[at : at + len(data)] = np.frombuffer(data, np.uint8)
                spans.setdefault(key, {})[name] = (at, at + len(data))
                at += len(data)
        rows = [None if row is None else _Row.of(row) for row in job.rows]
        return _Placed(job.epoch, rows, slot, spans)
