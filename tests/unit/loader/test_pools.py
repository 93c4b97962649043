"""Pools of processes: neither side waits for ever, none outlives its owner, ``close`` ends all."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path

import psutil
import pytest
import torch

from homage_sdk.errors import UsageError
from homage_sdk.loader import Batch, ClipLoader, SceneGraphBatch
from homage_sdk.loader.batch_layout import Allocate, BatchLayout
from homage_sdk.loader.pool import WorkerPool
from homage_sdk.shards import ShardSet
from tests.unit.loader.batches import all_same
from tests.unit.loader.test_loader import options
from tests.unit.loader.test_workers import gone, workers_of

N_OBJECTS = 20_000  # their boxes and classes are far more than a pipe takes at once


class Maker:
    """Says when it began and ended; a task is seconds of sleep, or a weight of bytes."""

    def __init__(self, layout: BatchLayout, *, graphs: bool = False) -> None:
        self._layout, self._graphs = layout, graphs

    def __call__(self, task: float | bytes, allocate: Allocate) -> Batch:
        batch = self._layout.blank(2, allocate)
        batch.clip[0] = time.monotonic_ns()
        if not isinstance(task, bytes):
            time.sleep(task)
        batch.clip[1] = time.monotonic_ns()
        if self._graphs:
            number = torch.zeros(2, 4, N_OBJECTS, dtype=torch.int64)
            box = torch.zeros(2, 4, N_OBJECTS, 4)
            present = torch.zeros(2, 4, dtype=torch.bool)
            batch.scene_graph = SceneGraphBatch(number, box, number, number, number, present)
        return batch


def pool_of(shards: ShardSet, workers: int = 1, prefetch: int = 2, *, graphs: bool) -> WorkerPool:
    layout = BatchLayout(shards.manifest, options())
    return WorkerPool(Maker(layout, graphs=graphs), layout, 2, workers, prefetch)


def test_large_tasks_and_large_answers_do_not_wait_for_each_other(shards: ShardSet) -> None:
    pool = pool_of(shards, prefetch=3, graphs=True)
    seen: list[int] = []

    def use() -> None:
        seen.extend(len(batch) for batch in pool.run([bytes(400_000)] * 6))

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(20)
    stuck = thread.is_alive()
    pool.close()
    assert not stuck and seen == [2] * 6


ANSWERING = """
import multiprocessing, sys, time
from homage_sdk.shards import ShardSet
from tests.unit.loader.test_pools import answer_on_its_way, pool_of
pool = pool_of(ShardSet.open(sys.argv[1]), graphs=True)
batches = pool.run([0.0] * 9)
next(batches)
assert answer_on_its_way()  # and nobody takes it
print(multiprocessing.active_children()[0].pid, flush=True)
time.sleep(60)
"""


def answer_on_its_way() -> bool:
    """Whether a worker of this process has begun to send a batch that nobody asked for yet."""
    pipes = [each for each in gc.get_objects() if type(each) is Connection and not each.closed]
    return bool(wait(pipes, timeout=20))


@pytest.mark.slow
def test_a_worker_with_an_answer_on_its_way_does_not_outlive_a_killed_process(
    shards: ShardSet,
) -> None:
    command = [sys.executable, "-c", ANSWERING, str(shards.path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    left = not gone({worker}, within_s=5)
    if left:
        psutil.Process(worker).kill()
    assert not left


def loader_of(shards: ShardSet, workers: int) -> ClipLoader:
    return ClipLoader(shards, options(mode="eval", batch_size=1, workers=workers))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_close_ends_iterations_that_go_on(shards: ShardSet, workers: int) -> None:
    """At once, all of them; they say so when asked for more, and their workers stay gone."""
    before = workers_of()
    loader = loader_of(shards, workers)
    first, second = iter(loader), iter(loader)
    next(first), next(first), next(second)
    started = workers_of() - before
    assert len(started) == 2 * workers
    state = loader.state_dict()
    loader.close()
    assert gone(started)
    for iteration in (first, second):
        with pytest.raises(UsageError, match="closed before the end of the iteration"):
            next(iteration)
    del first, second, iteration
    gc.collect()
    assert not workers_of() - before and loader.state_dict() == state
    assert all_same(list(loader), list(loader_of(shards, 0)))
    loader.close()


def test_close_ends_a_wait_in_another_thread(shards: ShardSet) -> None:
    pool = pool_of(shards, graphs=False)
    threading.Timer(0.3, pool.close).start()
    begin_s = time.monotonic()
    with pytest.raises(UsageError, match="closed before the end of the iteration"):
        next(pool.run([30.0]))
    assert time.monotonic() - begin_s < 10


def test_an_iteration_that_was_given_whole_ends_as_ever(shards: ShardSet) -> None:
    loader = loader_of(shards, 0)
    for number, _ in enumerate(loader, 1):
        if number == len(loader):
            loader.close()
    assert loader.state_dict()["position"] == 0


def test_a_forked_process_does_not_use_the_workers_of_its_parent(shards: ShardSet) -> None:
    pool = pool_of(shards, graphs=False)
    child = os.fork()
    if not child:
        os._exit(7 if pool.open else 0)
    assert os.waitpid(child, 0)[1] == 0 and pool.open
    assert len(list(pool.run([0.0]))) == 1
    pool.close()


@pytest.mark.parametrize("prefetch", [1, 2])
def test_the_next_batch_is_made_while_this_one_is_used(shards: ShardSet, prefetch: int) -> None:
    pool = pool_of(shards, prefetch=prefetch, graphs=False)
    batches = pool.run([0.0, 0.0])
    next(batches)
    assert answer_on_its_way()
    asked_ns = time.monotonic_ns()
    assert int(next(batches).clip[1]) < asked_ns
    pool.close()
