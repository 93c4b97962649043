"""A stopped process takes no signal but the last: its pool ends all the same, at every way out."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest

from homage_sdk.errors import StorageError
from homage_sdk.processes import end_pool, start_all
from homage_sdk.storage import exclusive

ROOT = Path(__file__).parents[3]


def stop_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def test_a_pool_with_a_stopped_process_ends() -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    worker = pool.submit(os.getpid).result()
    pool.submit(stop_itself)
    end_pool(pool)
    assert not psutil.pid_exists(worker)


LOADING = """
import os, signal, sys
import psutil
from homage_sdk.loader import ClipLoader, LoaderOptions, webdataset_stream
from homage_sdk.shards import ShardSet
options = LoaderOptions(mode="eval", batch_size=1, blocks=4, size=64, workers=1, prefetch=1)
if sys.argv[2] == "loader":
    batches = iter(ClipLoader(ShardSet.open(sys.argv[1]), options))
else:
    batches = webdataset_stream(sys.argv[1], options)
next(batches)
(worker,) = psutil.Process().children()
print(worker.pid, flush=True)
worker.suspend()
if sys.argv[3] == "Ctrl-C":
    def trace(frame, event, _):  # once it waits for batches
        if event == "call" and frame.f_code.co_name in ("receive", "_next_data"):
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
    sys.settrace(trace)
    list(batches)
sys.exit(7)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way_out", ["Ctrl-C", "the end"])
@pytest.mark.parametrize("kind", ["loader", "stream"])
def test_a_stopped_loading_process_keeps_nobody(
    barcode_shards: Path, kind: str, way_out: str
) -> None:
    command = [sys.executable, "-c", LOADING, str(barcode_shards), kind, way_out]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        worker = psutil.Process(int(process.stdout.readline()))
        try:
            code = process.wait(60)
            left = worker.is_running()
        finally:
            process.kill()
            if worker.is_running():
                worker.kill()
    assert code == (-signal.SIGINT if way_out == "Ctrl-C" else 7) and not left


HOLDING = """
import os, signal, sys
from pathlib import Path
from homage_sdk.storage import exclusive
with exclusive(Path(sys.argv[1]), Path("x")):
    child = os.fork()
    if not child:
        os.kill(os.getpid(), signal.SIGSTOP)
    os.waitpid(child, os.WUNTRACED)
    print(child, flush=True)
    signal.pause()
"""


def test_a_stopped_child_does_not_keep_the_lock_of_its_killed_parent(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDING, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        try:
            with pytest.raises(StorageError, match="another process"), exclusive(lock, tmp_path):
                pass
            process.kill()
            process.wait()
            with exclusive(lock, tmp_path):
                assert child.status() == psutil.STATUS_STOPPED
        finally:
            child.kill()


def test_a_forked_child_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    held = exclusive(lock, tmp_path)
    held.__enter__()
    child = os.fork()
    if not child:
        held.__exit__(None, None, None)
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(StorageError, match="another process"), exclusive(lock, tmp_path):
        pass
    held.__exit__(None, None, None)
    assert not lock.exists()


def test_a_ctrl_c_waits_until_a_pool_knows_its_processes() -> None:
    """The first piece starts them, one after the other."""

    class Pool(ProcessPoolExecutor):
        is_started = False

        def submit(self, *_: object) -> Future[int]:  # type: ignore[override]
            os.kill(os.getpid(), signal.SIGINT)
            self.is_started = True
            return Future()

    before = signal.getsignal(signal.SIGINT)
    with Pool() as pool:
        with pytest.raises(KeyboardInterrupt):
            start_all(pool)
        assert pool.is_started and signal.getsignal(signal.SIGINT) is before


def test_all_processes_of_a_pool_are_started_at_once() -> None:
    """One that starts at a later call may be left behind by a Ctrl-C just then."""
    pool = ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn"))
    try:
        start_all(pool)
        assert len(pool._processes) == 3
        assert len(set(pool.map(_pid, range(3)))) >= 1
        assert len(pool._processes) == 3
    finally:
        end_pool(pool)


def _pid(_: int) -> int:
    return os.getpid()
