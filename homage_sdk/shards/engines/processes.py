"""Packing on the processes of one machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homage_sdk.errors import StorageError
from homage_sdk.shards.options import PackOptions
from homage_sdk.shards.plan import PlannedShard
from homage_sdk.shards.work import make_shard

if TYPE_CHECKING:
    from homage_sdk.dataset import Dataset

_worker: dict[str, Any] = {}


def run(
    dataset: Dataset,
    shards: Sequence[PlannedShard],
    options: PackOptions,
    folder: Path,
    *,
    workers: int,
    tick: Callable[[int], object],
) -> None:
    """Make these shards; ``tick`` is called with how many samples have been done so far.

    The first error of a worker ends the run; what is finished stays.
    """
    if workers <= 1 or len(shards) <= 1:
        done = 0

        def one() -> None:
            nonlocal done
            done += 1
            tick(done)

        for shard in shards:
            make_shard(dataset, shard, options, folder, one)
        return
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    pool = ProcessPoolExecutor(
        min(workers, len(shards)),
        mp_context=context,
        initializer=_begin,
        initargs=(dataset, options, folder, counter, os.getpid()),
    )
    try:
        # The longest first would save a little time; plan order keeps what is done contiguous.
        pending: set[Future[None]] = {pool.submit(_make, shard) for shard in shards}
        while pending:
            ended, pending = wait(pending, timeout=0.25, return_when=FIRST_COMPLETED)
            _raise_first(ended)
            tick(counter.value)
    except BaseException:
        _stop(pool)
        raise
    pool.shutdown()


def _raise_first(ended: Iterable[Future[None]]) -> None:
    for future in ended:
        try:
            future.result()
        except BrokenProcessPool as error:
            raise StorageError(
                "a packing process died",
                found="it was killed, or ran out of memory",
                hint="run the same command again, with fewer --workers if memory is short",
            ) from error


def _stop(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(5)


def _begin(dataset: Dataset, options: PackOptions, folder: Path, counter: Any, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _worker.update(dataset=dataset, options=options, folder=folder, counter=counter)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    """A worker whose parent was killed has nobody to work for."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _make(shard: PlannedShard) -> None:
    counter = _worker["counter"]

    def tick() -> None:
        with counter.get_lock():
            counter.value += 1

    make_shard(_worker["dataset"], shard, _worker["options"], _worker["folder"], tick)
