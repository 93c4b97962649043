"""Packing on the processes of one machine.

The pieces of work are small (one view of one sample), so that all processes are busy to the end;
this process puts them together in the order of the plan, so that the bytes do not depend on who
was quicker.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import chain, islice
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from homage_sdk.errors import HomageError, StorageError
from homage_sdk.processes import KILLED, NEVER_BEGAN, end_pool, leave_with, start_all
from homage_sdk.progress import Meter
from homage_sdk.shards.packing.job import Job
from homage_sdk.shards.packing.plan import PlannedSample, PlannedShard
from homage_sdk.shards.packing.sample import MadeSample, MadeView, make_rest, make_view
from homage_sdk.shards.packing.shard_file import make_shard, write_shard

PlannedWork = tuple[PlannedSample, str, Sequence[int]]
"""A sample to make, the name of its shard, and the numbers of its views."""


def run(
    job: Job,
    shards: Sequence[PlannedShard],
    folder: Path,
    *,
    workers: int,
    meter: Meter,
) -> None:
    """Make these shards; ``meter`` counts the samples.

    The first error of a worker ends the run; what is finished stays.
    """
    if workers <= 1 or not shards:
        for shard in shards:
            make_shard(job, shard, folder, meter.advance)
        return
    context = multiprocessing.get_context("spawn")
    began = context.Event()
    pool = ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=_begin,
        initargs=(pickle.dumps(job), os.getpid(), began),
    )
    try:
        start_all(pool)
        work = (
            (planned, shard.name, job.views(planned))
            for shard in shards
            for planned in shard.samples
        )
        made = in_order(pool, workers, work, _view, _rest)
        for shard in shards:
            write_shard(folder, shard, islice(made, len(shard.samples)), meter.advance)
    except BrokenProcessPool as error:
        raise StorageError(
            "a packing process died",
            hint=f"{KILLED}; the same command goes on" if began.is_set() else NEVER_BEGAN,
        ) from error
    finally:
        end_pool(pool)


def in_order(
    pool: Executor,
    workers: int,
    work: Iterable[PlannedWork],
    make_view: Callable[[PlannedSample, int], MadeView],
    make_rest: Callable[[PlannedSample, str, list[MadeView]], MadeSample],
) -> Iterator[MadeSample]:
    """Every sample of ``work`` in its order, made by the processes of ``pool``.

    Two pieces a process are given out ahead, and at most four samples a process wait in memory for
    one that takes longer. The first error that a piece ends with ends it all.

    Args:
        pool: makes the pieces; they may end in any order, and at any moment.
        workers: processes of ``pool``, 1 or more.
        work: what to make; a sample without views is one piece, made at once.
        make_view: makes one view of a sample.
        make_rest: makes the rest of a sample, given its shard and its views without their data.

    """
    coming = iter(work)
    line: deque[_InWork] = deque()
    while True:
        waits_for = [sample.advance(pool, make_rest) for sample in line]
        given_out = sum(map(len, waits_for))
        while given_out < 2 * workers and len(line) < 4 * workers:
            one = next(coming, None)
            if one is None:
                break
            planned, shard, numbers = one
            views = [pool.submit(make_view, planned, number) for number in numbers]
            line.append(_InWork(planned, shard, views))
            waits_for.append(line[-1].advance(pool, make_rest))
            given_out += len(waits_for[-1])
        if not line:  # there was room, and nothing more came
            return
        if waits_for[0]:
            wait(chain.from_iterable(waits_for), return_when=FIRST_COMPLETED)
        else:
            yield line.popleft().made()


@dataclass(slots=True)
class _InWork:
    """A sample whose views are being encoded; what is left of it follows when they are there."""

    planned: PlannedSample
    shard: str
    views: list[Future[MadeView]]
    rest: Future[MadeSample] | None = None

    def advance(
        self,
        pool: Executor,
        make_rest: Callable[[PlannedSample, str, list[MadeView]], MadeSample],
    ) -> list[Future[Any]]:
        """Give out its next piece as soon as that can be made.

        Returns what it waits for: nothing when it is made. Raises the error of a piece.
        """
        waits_for: list[Future[Any]] = [view for view in self.views if not _ended(view)]
        if waits_for:
            return waits_for
        if self.rest is None:
            known = [replace(view.result(), data=b"") for view in self.views]
            self.rest = pool.submit(make_rest, self.planned, self.shard, known)
        return [] if _ended(self.rest) else [self.rest]

    def made(self) -> MadeSample:
        """The sample, once it waits for nothing."""
        assert self.rest is not None
        return self.rest.result().with_views(view.result() for view in self.views)


def _ended(piece: Future[Any]) -> bool:
    """Whether a piece is made; raises its error."""
    if not piece.done():
        return False
    piece.result()
    return True


_of_this_worker: list[Job | HomageError] = []


def _begin(job: bytes, parent: int, began: Event) -> None:
    began.set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    leave_with(parent)
    try:
        _of_this_worker.append(pickle.loads(job))
    except HomageError as error:  # the catalog is another one now: said by the first piece
        _of_this_worker.append(error)


def _job() -> Job:
    job = _of_this_worker[0]
    if isinstance(job, HomageError):
        raise job
    return job


def _view(planned: PlannedSample, number: int) -> MadeView:
    return make_view(_job(), planned, number)


def _rest(planned: PlannedSample, shard: str, views: list[MadeView]) -> MadeSample:
    return make_rest(_job(), planned, shard, views)
