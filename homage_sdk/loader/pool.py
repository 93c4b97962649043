"""Processes that make batches, kept from epoch to epoch.

Each worker shares a few slots of memory with this process. It fills one, says so in a few bytes,
and the batch handed out is made of views of that slot: nothing is copied, and after the first
batches no page is touched for the first time. A slot is free again when the last tensor of its
batch is gone; who keeps more batches than slots are there to lend is given copies.

A worker that dies is an error of one line at the next batch: no exception out of a signal handler,
no wait without end. Workers end with their pool, and by themselves when this process is gone. They
take what they are told at any time, also while an answer is on its way: neither side waits for the
other to listen, however large a task or an answer is.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import pickle
import signal
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from homage_sdk.errors import HomageError, ShardError, UsageError
from homage_sdk.loader.batch import Batch, SceneGraphBatch, map_tensors
from homage_sdk.loader.batch_layout import Allocate, BatchLayout, Cutter, SharedMemory
from homage_sdk.processes import KILLED, NEVER_BEGAN, end, leave_with

Maker = Callable[[Any, Allocate], Batch]
"""Makes the batch of a task, in tensors that it is given; may raise HomageError.

Each worker has its own, pickled where processes are spawned.
"""

_PATIENCE_S = 5.0


class WorkerPool:
    """Processes that make batches of ``rows`` clips, until ``close`` or the end of the pool.

    Each of the ``workers`` processes prepares ``prefetch`` batches ahead.
    """

    def __init__(
        self, maker: Maker, layout: BatchLayout, rows: int, workers: int, prefetch: int
    ) -> None:
        self._layout, self._rows, self._prefetch = layout, rows, prefetch
        self._lendable = 2 if workers == 1 else 1  # one batch is in use while the next one comes
        self._run = 0
        self._workers: list[_Worker] = []
        self._owner = os.getpid()
        # Not weakref's: at exit it would wait behind multiprocessing, which waits for its children.
        self._close = Finalize(self, _end, args=(self._workers,), exitpriority=1)
        context = mp.get_context()
        parent = None if context.get_start_method() == "forkserver" else os.getpid()
        for _ in range(workers):
            memory = SharedMemory(layout.n_bytes(rows), prefetch + self._lendable)
            here, there = context.Pipe()
            process = context.Process(
                target=_work, args=(maker, memory, there, parent), name="homage loader", daemon=True
            )
            process.start()
            there.close()
            self._workers.append(_Worker(process, here, memory))

    @property
    def open(self) -> bool:
        """Whether it has processes: not closed, not lost, and not those of a forked parent."""
        return self._close.still_active() and os.getpid() == self._owner

    def close(self) -> None:
        """End the processes, and with UsageError a run that wants more. Batches stay good."""
        self._close()

    def run(self, tasks: Iterable[Any]) -> Generator[Batch]:
        """The batches of these tasks, in their order.

        One run at a time: what an earlier one left undone is dropped. Raises the HomageError that
        the maker raised, UsageError when the pool was closed meanwhile, and ShardError when a
        process died, which closes the pool.
        """
        self._run += 1
        coming = iter(tasks)
        busy: deque[_Worker] = deque()
        idle = deque(self._workers * self._prefetch)

        def submit() -> None:
            while idle and (task := next(coming, None)) is not None:
                busy.append(idle.popleft())
                busy[-1].tell((self._run, task))

        try:
            submit()
            while busy:
                made = busy[0].receive(self._run)
                worker = busy.popleft()
                idle.append(worker)
                submit()
                yield self._batch(worker, made)
        except (HomageError, GeneratorExit):
            raise
        except BaseException as error:  # also a Ctrl-C: half a message may have been read
            ended = not self._close.still_active()
            self.close()
            if ended and isinstance(error, _DiedError | OSError):
                raise closed_meanwhile() from None
            if isinstance(error, _DiedError):
                raise error.as_user_sees_it() from None
            raise

    def _batch(self, worker: _Worker, made: _Made) -> Batch:
        copied = worker.n_lent >= self._lendable
        batch = self._layout.blank(self._rows, Cutter(worker.lend(made.slot)))
        batch.sequence = made.sequence
        if made.graphs is not None:
            tensors = {name: torch.from_numpy(array) for name, array in made.graphs.items()}
            batch.scene_graph = SceneGraphBatch(**tensors)
        return map_tensors(batch, Tensor.clone) if copied else batch


@dataclass(frozen=True, slots=True)
class _Made:
    """What a worker says of a batch: the slot of its tensors, and what is not of fixed size."""

    slot: int
    sequence: tuple[str, ...]
    graphs: dict[str, npt.NDArray[Any]] | None


class _DiedError(Exception):
    """A process ended that should not have."""

    def __init__(self, process: BaseProcess, *, began: bool) -> None:
        process.join(_PATIENCE_S)
        self._code, self._began = process.exitcode, began

    def as_user_sees_it(self) -> ShardError:
        code = self._code
        return ShardError(
            "a loading process died",
            found=signal.Signals(-code).name if code and code < 0 else f"exit code {code}",
            hint=KILLED if self._began or code != 1 else NEVER_BEGAN,
        )


def closed_meanwhile() -> UsageError:
    """For who asks a closed loader for the next batch, lest an epoch seem to be over."""
    return UsageError(
        "the loader was closed before the end of the iteration",
        hint="iterate over it again: that starts new processes",
    )


class _Worker:
    """One process, as seen from this one."""

    def __init__(self, process: BaseProcess, pipe: Connection, memory: SharedMemory) -> None:
        self.process, self.pipe, self._memory = process, pipe, memory
        self._began = False
        self._held = 0  # slots that it has not been given back yet
        self._free: deque[int] = deque()  # those that it can be; finalizers add, in any thread

    @property
    def n_lent(self) -> int:
        """Slots whose batches are still used."""
        return self._held - len(self._free)

    def lend(self, slot: int) -> npt.NDArray[np.uint8]:
        """The memory of a slot, which is free again when the array and all its views are gone."""
        array = self._memory.slot(slot)
        self._held += 1
        weakref.finalize(array, self._free.append, slot).atexit = False
        return array

    def tell(self, task: tuple[int, Any] | None) -> None:
        """Give it the slots that are free again, and a task with the number of its run."""
        free = []
        with contextlib.suppress(IndexError):
            while True:
                free.append(self._free.popleft())
        self._held -= len(free)
        try:
            self.pipe.send_bytes(pickle.dumps((free, task)))
        except OSError:
            raise _DiedError(self.process, began=self._began) from None

    def receive(self, run: int) -> _Made:
        """Its next batch of this run; raises what the maker raised."""
        while True:
            if self._free and not self.pipe.poll():
                self.tell(None)  # lest it wait for a slot while this side waits for a batch
            if self.pipe not in wait([self.pipe, self.process.sentinel]):
                raise _DiedError(self.process, began=self._began)
            try:
                of_run, result = pickle.loads(self.pipe.recv_bytes())
                self._began = True
            except (EOFError, OSError):
                raise _DiedError(self.process, began=self._began) from None
            if of_run != run:
                if isinstance(result, _Made):
                    self._held += 1
                    self._free.append(result.slot)
            elif isinstance(result, _Made):
                return result
            elif isinstance(result, HomageError):
                raise result
            else:
                raise RuntimeError(f"a loading process failed:\n{result}")


def _end(workers: list[_Worker]) -> None:
    """Not called in a forked child."""
    end(worker.process for worker in workers)
    for worker in workers:
        worker.pipe.close()


def _work(maker: Maker, memory: SharedMemory, pipe: Connection, parent: int | None) -> None:
    """What a worker does until it is told no more, or its parent ends."""
    leave_with(os.getppid() if parent is None else parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the one who waits for batches
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    told: SimpleQueue[bytes | None] = SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, told), daemon=True).start()
    free = list(range(memory.slots))
    tasks: deque[Any] = deque()
    run = 0
    while True:
        while not tasks or not free or not told.empty():
            message = told.get()
            if message is None:
                return
            returned, task = pickle.loads(message)
            free += returned
            if task is not None:
                if task[0] != run:
                    run = task[0]
                    tasks.clear()
                tasks.append(task[1])
        answer = _answer(maker, tasks.popleft(), memory, free)
        try:
            pipe.send_bytes(pickle.dumps((run, answer)))
        except OSError:  # the other side has gone
            return


def _listen(pipe: Connection, told: SimpleQueue[bytes | None]) -> None:
    """Pass on every message; None once the other side has gone."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            told.put(pipe.recv_bytes())
    told.put(None)


def _answer(
    maker: Maker, task: Any, memory: SharedMemory, free: list[int]
) -> _Made | HomageError | str:
    """Make a batch in a free slot; an error that is no HomageError comes back as its traceback."""
    try:
        batch = maker(task, Cutter(memory.slot(free[-1])))
    except HomageError as error:
        return error
    except Exception:
        return traceback.format_exc()
    graphs = None
    if batch.scene_graph is not None:
        graphs = {name: tensor.numpy() for name, tensor in vars(batch.scene_graph).items()}
    return _Made(free.pop(), batch.sequence, graphs)
