"""Batches made by other processes of bytes that this one has read.

Readers of streams stay in one process: each byte comes once, and workers need neither network nor
credentials. A job goes to a worker as one block of shared memory, its batch comes back as another.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.shards.batch import Batch
from homage_sdk.shards.clips import Assembler
from homage_sdk.shards.forward import Members
from homage_sdk.shards.manifest import Manifest, SampleInfo
from homage_sdk.shards.options import LoaderOptions
from homage_sdk.shards.sampling import ClipChoice


@dataclass
class Job:
    """The rows of one batch and the members that they are made of."""

    epoch: int
    rows: list[ClipChoice | None]
    members: dict[str, Members]  # by key of the sample
    block: Tensor | None = None  # uint8: the members one after the other, when on its way
    spans: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def member(self, sample: SampleInfo, name: str) -> bytes:
        """The bytes of a member; ShardError when it was not read."""
        if self.block is not None and (span := self.spans.get((sample.key, name))):
            data: bytes = self.block.numpy()[span[0] : span[1]].tobytes()
            return data
        try:
            return self.members[sample.key][name]
        except KeyError:
            raise ShardError(
                f"sample {sample.key} has no member {name}", place=sample.shard
            ) from None

    def packed(self) -> Job:
        """The same job in shared memory."""
        total = sum(len(data) for members in self.members.values() for data in members.values())
        block = torch.empty(total, dtype=torch.uint8)
        block.share_memory_()  # type: ignore[no-untyped-call]
        view: Any = memoryview(block.numpy())  # type: ignore[arg-type]
        spans, at = {}, 0
        for key, members in self.members.items():
            for name, data in members.items():
                spans[key, name] = (at, at + len(data))
                view[at : at + len(data)] = data
                at += len(data)
        return Job(self.epoch, self.rows, {}, block, spans)


class Failure:
    """An error on its way from a worker: as a value, it keeps its one line."""

    def __init__(self, error: HomageError) -> None:
        self.error = error


def from_workers(
    jobs: Iterator[Job], manifest: Manifest, options: LoaderOptions
) -> Generator[Batch | Failure]:
    """The batches of these jobs in their order, made by ``options.workers`` processes."""
    ahead = _Ahead(jobs, options.prefetch)
    loader: DataLoader[Batch | Failure] = DataLoader(
        _Making(manifest, options),
        batch_size=None,
        sampler=ahead,
        num_workers=options.workers,
        prefetch_factor=options.prefetch,
        collate_fn=_as_is,
        pin_memory=torch.cuda.is_available(),
    )
    batches: Any = iter(loader)
    try:
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
    finally:
        ahead.close()
        del batches  # its processes end with its last reference: now


class _Making(Dataset["Batch | Failure"]):
    """Turns a job into its batch, in a worker."""

    def __init__(self, manifest: Manifest, options: LoaderOptions) -> None:
        self._manifest, self._options = manifest, options
        self._assembler: Assembler | None = None
        self._job: Job | None = None

    def __getitem__(self, job: Job | Failure) -> Batch | Failure:
        if isinstance(job, Failure):
            return job
        if self._assembler is None:
            self._assembler = Assembler(self._manifest, self._options, self._member, shared=True)
        self._job = job
        try:
            return self._assembler.batch(job.rows, job.epoch)
        except HomageError as error:
            return Failure(error)

    def _member(self, sample: SampleInfo, name: str) -> bytes:
        return self._job.member(sample, name) if self._job else b""


class _Ahead(Sampler["Job | Failure"]):
    """Reads jobs in a thread, ``depth`` of them ahead; an error takes its place in the order."""

    def __init__(self, jobs: Iterator[Job], depth: int) -> None:
        self._jobs = jobs
        self._ready: queue.Queue[Job | Failure | None] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shard stream", daemon=True)

    def __iter__(self) -> Iterator[Job | Failure]:
        self._thread.start()  # not before the workers were forked
        while (item := self._ready.get()) is not None:
            yield item

    def _run(self) -> None:
        last: Failure | None = None
        try:
            for job in self._jobs:
                if not self._put(job.packed()):
                    return
        except HomageError as error:
            last = Failure(error)
        except BaseException as error:
            last = Failure(ShardError("reading ended", found=f"{type(error).__name__}: {error}"))
            raise
        finally:
            if last is not None:
                self._put(last)
            self._put(None)

    def _put(self, item: Job | Failure | None) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._ready.put(item, timeout=0.1)
                return True
        return False

    def close(self) -> None:
        """End the thread, also when nobody wants the rest."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)


def _as_is(item: Any) -> Any:
    return item
