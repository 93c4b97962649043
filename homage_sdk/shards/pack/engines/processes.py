"""Packing on the processes of one machine.

The pieces of work are small (one view of one sample), so that all processes are busy to the end;
this process puts them together in the order of the plan, so that the bytes do not depend on who
was quicker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from homage_sdk.errors import StorageError
from homage_sdk.processes import leave_with
from homage_sdk.shards.pack.plan import PlannedSample, PlannedShard
from homage_sdk.shards.pack.sample import Job, MadeSample, MadeView, make_rest, make_view
from homage_sdk.shards.pack.shard_file import make_shard, write_shard


def run(
    job: Job,
    shards: Sequence[PlannedShard],
    folder: Path,
    *,
    workers: int,
    tick: Callable[[int], object],
) -> None:
    """Make these shards; ``tick`` is called with how many samples have been done so far.

    The first error of a worker ends the run; what is finished stays.
    """
    done = 0

    def one() -> None:
        nonlocal done
        done += 1
        tick(done)

    if workers <= 1 or not shards:
        for shard in shards:
            make_shard(job, shard, folder, one)
        return
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(job, os.getpid()),
    )
    try:
        made = _in_order(pool, workers, job, shards)
        for shard in shards:
            write_shard(folder, shard, islice(made, len(shard.samples)), one)
    except BrokenProcessPool as error:
        _stop(pool)
        raise StorageError(
            "a packing process died",
            found="it was killed, or ran out of memory",
            hint="run the same command again, with fewer --workers if memory is short",
        ) from error
    except BaseException:
        _stop(pool)
        raise
    pool.shutdown()


@dataclass(slots=True)
class _InWork:
    """A sample whose views are being encoded; what is left of it follows when they are there."""

    planned: PlannedSample
    shard: str
    views: list[Future[MadeView]]
    rest: Future[MadeSample] | None = None


def _in_order(
    pool: Executor, workers: int, job: Job, shards: Sequence[PlannedShard]
) -> Iterator[MadeSample]:
    """Every sample in the order of the plan, made by the processes of ``pool``.

    Two pieces a process are given out ahead, and at most four samples a process wait in memory for
    one that takes longer.
    """
    todo = ((shard.name, planned) for shard in shards for planned in shard.samples)
    line: deque[_InWork] = deque()
    busy: set[Future[Any]] = set()
    while True:
        while len(busy) < 2 * workers and len(line) < 4 * workers and (one := next(todo, None)):
            shard, planned = one
            views = [pool.submit(_view, planned, number) for number in job.views(planned)]
            line.append(_InWork(planned, shard, views))
            busy.update(views)
        if not line:
            return
        _, busy = wait(busy, return_when=FIRST_COMPLETED)
        for sample in line:
            if sample.rest is None and all(view.done() for view in sample.views):
                known = [replace(view.result(), data=b"") for view in sample.views]
                sample.rest = pool.submit(_rest, sample.planned, sample.shard, known)
                busy.add(sample.rest)
        while line and (rest := line[0].rest) is not None and rest.done():
            views = line.popleft().views
            yield rest.result().with_views(view.result() for view in views)


def _stop(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(5)


_of_this_worker: list[Job] = []


def _begin(job: Job, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _of_this_worker.append(job)
    leave_with(parent)


def _view(planned: PlannedSample, number: int) -> MadeView:
    return make_view(_of_this_worker[0], planned, number)


def _rest(planned: PlannedSample, shard: str, views: list[MadeView]) -> MadeSample:
    return make_rest(_of_this_worker[0], planned, shard, views)
