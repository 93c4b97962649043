"""Loading processes: kept from epoch to epoch, exact all the same, never leaked, never waited for
in vain.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import Batch, ClipLoader, LoaderOptions
from homage_sdk.loader.batch_layout import Allocate, BatchLayout, Cutter, Recycler
from homage_sdk.loader.pool import WorkerPool
from homage_sdk.shards import ShardSet
from tests.unit.loader.test_loader import options, same


def workers_of(process: psutil.Process | None = None) -> set[int]:
    """The processes that a process started and that still run."""
    children = (process or psutil.Process()).children(recursive=True)
    return {child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE}


def gone(pids: set[int], within_s: float = 15.0) -> bool:
    """Whether none of these processes runs any more."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        alive = [p for p in pids if psutil.pid_exists(p)]
        if all(psutil.Process(p).status() == psutil.STATUS_ZOMBIE for p in alive):
            return True
        time.sleep(0.05)
    return False


def test_epochs_of_kept_workers_are_exact_and_need_no_new_process(shards: ShardSet) -> None:
    before = workers_of()
    alone = ClipLoader(shards, options())
    together = ClipLoader(shards, options(workers=2))
    seen = set()
    for _ in range(4):
        assert all(same(a, b) for a, b in zip(list(alone), list(together), strict=True))
        seen.add(frozenset(workers_of() - before))
    assert together.state_dict()["epoch"] == 4
    assert len(seen) == 1 and len(next(iter(seen))) == 2


@pytest.mark.parametrize("method", ["spawn", pytest.param("forkserver", marks=pytest.mark.slow)])
def test_a_program_without_a_guard_is_told_so(
    shards: ShardSet, small_shards: Path, tmp_path: Path, method: str
) -> None:
    """And one with a guard gets its batches by this way of starting processes."""
    program = f"""
import multiprocessing
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.shards import ShardSet
def main():
    multiprocessing.set_start_method("{method}", force=True)
    options = LoaderOptions(mode="eval", batch_size=2, blocks=2, size=64, workers=1)
    print(len(list(ClipLoader(ShardSet.open("{small_shards}"), options))))
"""
    for name, start in (("open", "main()"), ("guarded", "if __name__ == '__main__': main()")):
        (tmp_path / f"{name}.py").write_text(program + start)
        command = [sys.executable, str(tmp_path / f"{name}.py")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if name == "open":
            assert done.returncode == 1
            assert "if __name__ == '__main__'" in done.stderr.strip().splitlines()[-1]
        else:
            assert (done.returncode, int(done.stdout) > 0) == (0, True), done.stderr


def test_inside_a_worker_of_torchs_own_loader_it_refuses(shards: ShardSet) -> None:
    """There every worker would give every clip."""

    class Clips(torch.utils.data.IterableDataset[Batch]):
        def __iter__(self) -> Iterator[Batch]:
            return iter(ClipLoader(shards, options(workers=0)))

    alone = list(torch.utils.data.DataLoader(Clips(), batch_size=None))
    assert len(alone) == len(ClipLoader(shards, options(workers=0)))
    with pytest.raises(UsageError, match="num_workers=0"):
        list(torch.utils.data.DataLoader(Clips(), batch_size=None, num_workers=1))


@pytest.mark.slow
def test_an_iteration_that_is_broken_off_leaves_nothing_behind(shards: ShardSet) -> None:
    """The next one begins afresh: no batch of the old one, at whatever point it was left."""
    chosen = options(mode="eval", batch_size=1)
    truth = list(ClipLoader(shards, chosen))
    loader = ClipLoader(shards, chosen.with_(workers=2, prefetch=3))
    for stop in (1, 2, 5, len(truth)):
        taken = [batch for batch, _ in zip(loader, range(stop), strict=False)]
        assert all(same(a, b) for a, b in zip(truth, taken, strict=False))
        assert all(same(a, b) for a, b in zip(truth, list(loader), strict=True))


@pytest.mark.slow
def test_two_iterations_at_once_do_not_disturb_each_other(shards: ShardSet) -> None:
    truth = list(ClipLoader(shards, options(mode="eval")))
    before = workers_of()
    loader = ClipLoader(shards, options(mode="eval", workers=1))
    for a, b, c in zip(loader, loader, truth, strict=True):
        assert same(a, c) and same(b, c)
    gc.collect()
    assert len(workers_of() - before) == 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_that_are_kept_do_not_change(shards: ShardSet, workers: int) -> None:
    """However many are kept, in whatever pattern, and after the loader is gone."""
    chosen = options(mode="eval", batch_size=1, workers=workers, prefetch=1)
    truth = list(ClipLoader(shards, chosen.with_(workers=0)))
    loader = ClipLoader(shards, chosen)
    draw = np.random.default_rng(0)
    kept: list[tuple[Batch, Batch]] = []
    for _ in range(3):
        for batch, expected in zip(loader, truth, strict=True):
            kept.append((batch, expected))
            kept = [pair for pair in kept if draw.random() > 0.2]
    only_pictures = [(a.video["ego"][0, 0], b.video["ego"][0, 0]) for a, b in kept]
    assert all(same(a, b) for a, b in kept)
    del kept, batch, loader
    gc.collect()
    assert all(torch.equal(a, b) for a, b in only_pictures)


def test_a_loader_takes_its_workers_with_it(shards: ShardSet) -> None:
    before = workers_of()
    loader = ClipLoader(shards, options(workers=2))
    batch = next(iter(loader))
    started = workers_of() - before
    assert len(started) == 2
    loader.close()
    assert gone(started)
    assert batch.video["ego"].shape[0] == 2 and int(batch.frames.min()) >= 1  # still good
    list(loader)
    started = workers_of() - before
    assert len(started) == 2
    del loader  # by counting, without the garbage collector
    assert gone(started)


def test_memory_is_used_again(shards: ShardSet) -> None:
    """From epoch to epoch the same few addresses, however many batches go by."""
    for workers in (0, 2):
        loader = ClipLoader(shards, options(workers=workers, batch_size=1))
        places = set()
        for _ in range(10):
            for batch in loader:
                places.add(batch.video["ego"].data_ptr())
            del batch
        assert len(places) <= (2 if workers == 0 else 2 * 3)


def test_a_killed_worker_is_an_error_in_one_line(shards: ShardSet) -> None:
    for signal_number in (signal.SIGKILL, signal.SIGTERM):
        before = workers_of()
        loader = ClipLoader(shards, options(mode="eval", workers=2, prefetch=1, batch_size=1))
        batches = iter(loader)
        next(batches)
        (victim, other) = workers_of() - before
        os.kill(victim, signal_number)
        start = time.monotonic()
        with pytest.raises(ShardError, match="a loading process died; found SIG") as caught:
            list(batches)
        assert "\n" not in str(caught.value) and time.monotonic() - start < 10
        assert gone({victim, other})
        assert len(list(loader)) == len(loader)  # with new processes


def test_an_error_in_a_worker_leaves_the_others_at_work(shards: ShardSet, tmp_path: Path) -> None:
    """An unreadable sample is named where its turn comes; the loader can be used on."""
    import shutil

    shutil.copytree(shards.path, tmp_path / "broken")
    broken = ShardSet.open(tmp_path / "broken")
    name, offset, size, _ = broken.locations()["p0002_r000_a003"]["v000.mp4"]
    with (broken.path / name).open("r+b") as file:
        file.seek(offset)
        file.write(bytes(size))
    loader = ClipLoader(broken, options(mode="eval", batch_size=1, workers=2))
    before = workers_of()
    for _ in range(2):
        seen = 0
        with pytest.raises(ShardError, match=r"p0002_r000_a003\.v000\.mp4"):
            for _ in loader:
                seen += 1
        assert seen > 0
    assert len(workers_of() - before) == 2


class Faulty:
    """A maker with a fault of its own, not of the data."""

    def __call__(self, task: int, allocate: Allocate) -> Batch:
        raise ZeroDivisionError(task)


def test_a_fault_of_the_program_comes_with_its_traceback(shards: ShardSet) -> None:
    layout = BatchLayout(shards.manifest, options())
    pool = WorkerPool(Faulty(), layout, rows=2, workers=1, prefetch=1)
    with pytest.raises(RuntimeError, match=r"(?s)a loading process failed.*ZeroDivisionError: 7"):
        next(pool.run([7]))
    assert not pool.open


LOADER = """
import sys
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.shards import ShardSet
options = LoaderOptions(
    modalities=("ego",), mode="eval", workers=2, batch_size=1, blocks=4, size=64
)
loader = ClipLoader(ShardSet.open(sys.argv[1]), options)
"""
WAITING = f"""{LOADER}
count = len(list(loader))
try:
    print(count, flush=True)  # from here on the signal may come
    while True:
        for batch in loader:
            pass
except KeyboardInterrupt:
    print("interrupted", len(list(loader)), flush=True)
"""


@contextlib.contextmanager
def waiting(shards: ShardSet) -> Iterator[tuple[subprocess.Popen[str], set[int], int]]:
    """A process that loads for ever; it is gone afterwards, however the test ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(shards.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        count = int(process.stdout.readline())
        started = workers_of(psutil.Process(process.pid))
        assert len(started) == 2
        yield process, started, count
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_ctrl_c_interrupts_and_the_loader_can_be_used_on(shards: ShardSet) -> None:
    with waiting(shards) as (process, started, count):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        out, err = process.communicate(timeout=60)
        assert out == f"interrupted {count}\n" and not err
        assert process.returncode == 0 and gone(started)


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_process(shards: ShardSet) -> None:
    with waiting(shards) as (process, started, _):
        process.kill()
        process.communicate(timeout=60)
        assert gone(started)


@pytest.mark.slow
def test_workers_may_be_spawned(shards: ShardSet, tmp_path: Path) -> None:
    """As where processes are never forked: the memory reaches them by its handle."""
    code = LOADER + (
        "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method('spawn')\n"
        "    print(sum(int(b.video['ego'].sum()) for b in loader))\n"
    )
    script = tmp_path / "spawned.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script), str(shards.path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    chosen = LoaderOptions(modalities=("ego",), mode="eval", batch_size=1, blocks=4, size=64)
    expected = sum(int(batch.video["ego"].sum()) for batch in ClipLoader(shards, chosen))
    assert done.stdout.split() == [str(expected)], done.stdout + done.stderr


def test_tensors_of_one_memory_do_not_overlap(shards: ShardSet) -> None:
    layout = BatchLayout(shards.manifest, options())
    memory = np.zeros(layout.n_bytes(3), np.uint8)
    batch = layout.blank(3, Cutter(memory))
    plain = layout.blank(3, lambda shape, dtype: torch.empty(shape, dtype=dtype))
    tensors = [batch.clip, batch.frames, batch.block_valid, batch.atomic_block, batch.logmel]
    tensors += [*batch.video.values(), *batch.view.values(), *batch.present.values()]
    for tensor in tensors:
        assert tensor is not None
        assert not tensor.any()
        tensor.fill_(1)
    assert batch.video["ego"].shape == plain.video["ego"].shape
    assert batch.logmel is not None and plain.logmel is not None
    assert batch.logmel.shape == plain.logmel.shape


def test_a_recycler_serves_threads(shards: ShardSet) -> None:
    """No memory is given to two users at once."""
    recycler = Recycler(64)
    clashes: list[int] = []

    def use(number: int) -> None:
        for _ in range(300):
            tensor = recycler()((64,), torch.uint8)
            tensor.fill_(number)
            time.sleep(0)
            if not (tensor == number).all():
                clashes.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes
