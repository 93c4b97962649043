"""Worker processes do not outlive the process that they work for, however either ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from types import FrameType

_PATIENCE_S = 5.0
KILLED = "it was killed or ran out of memory: use fewer workers"
NEVER_BEGAN = (
    "a started process runs the program's own file again: keep what starts the work there under "
    "`if __name__ == '__main__':`"
)
"""What to do about processes that ended before their first piece of work."""


def leave_with(parent: int) -> None:
    """End this process soon after the process ``parent``, its parent, has ended.

    A killed parent cannot tell its workers, and the pools of the standard library wait for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end(processes: Iterable[BaseProcess]) -> None:
    """End child processes now, and wait until they are gone: also stopped ones.

    A stopped process takes no signal but SIGKILL; the others have nothing to put in order either.
    """
    started = [process for process in processes if process.pid is not None]
    for process in started:
        process.kill()
    for process in started:
        process.join(_PATIENCE_S)


def start_all(pool: ProcessPoolExecutor) -> None:
    """Start the processes of a pool that spawns; a Ctrl-C waits until the pool knows each of them.

    Between a process's start and its entry in the pool it would leave one behind. Left to itself a
    pool starts the second process, and further ones, at later calls.
    """
    pool._safe_to_dynamically_spawn_children = False  # type: ignore[attr-defined]
    came: list[FrameType | None] = []
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, lambda _, frame: came.append(frame)) if is_main else None
    try:
        pool.submit(os.getpid)
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(signal.SIGINT, came[0])


def end_pool(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool, and drop what it has left to do."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    end(processes)
