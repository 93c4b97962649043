"""Many processes: a worker that dies is one line, and costs nothing that was finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from homage_sdk import Dataset
from homage_sdk.errors import StorageError
from homage_sdk.shards import PackOptions, pack
from tests.unit.shards.test_pack import SMALL, tree

CLIPS = PackOptions(short_side=64, unit="clip", clip_s=1.0)


@pytest.mark.slow
def test_a_dead_worker_is_one_line_and_the_next_run_ends_with_the_same_bytes(
    dataset: Dataset, tmp_path: Path
) -> None:
    pack(dataset, tmp_path / "whole", CLIPS, workers=1)
    me = os.getpid()

    def kill_one(done: int, total: int) -> None:
        children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        workers = [p for p in children if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
        if done and workers:
            os.kill(int(workers[0]), signal.SIGKILL)

    with pytest.raises(StorageError, match=r"a packing process died.*fewer workers"):
        pack(dataset, tmp_path / "out", CLIPS, workers=2, progress=kill_one)
    assert not list((tmp_path / "out").glob(".tmp-*"))
    pack(dataset, tmp_path / "out", CLIPS, workers=2)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_what_a_lost_writer_left_does_not_come_among_the_shards(
    dataset: Dataset, barcode_shards: Path, tmp_path: Path
) -> None:
    """A writer on another machine is lost with it, and its shard is made again elsewhere."""
    out = tmp_path / "out"

    def leave_behind(done: int, total: int) -> None:
        for finished in out.glob(".parts/*/*.tar"):
            (finished.parent / f".tmp-{finished.name}-4000000").touch()

    pack(dataset, out, SMALL, workers=1, progress=leave_behind)
    assert tree(out) == tree(barcode_shards)


def test_a_program_without_a_guard_is_told_so(dataset: Dataset, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from homage_sdk import Dataset\n"
        "from homage_sdk.shards import PackOptions, pack\n"
        f"dataset = Dataset({str(dataset.path)!r})\n"
        f"pack(dataset, {str(tmp_path / 'out')!r}, PackOptions(), workers=2)\n"
    )
    command = [sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "if __name__ == '__main__'" in done.stderr.strip().splitlines()[-1]


@pytest.mark.slow  # a process is given some seconds to end before it is killed
def test_a_stopped_worker_does_not_outlive_an_interrupted_pack(
    dataset: Dataset, tmp_path: Path
) -> None:
    before = set(psutil.Process().children())
    workers: list[psutil.Process] = []

    def interrupt(done: int, total: int) -> None:
        if done:
            started = set(psutil.Process().children()) - before
            workers.extend(p for p in started if "spawn_main" in " ".join(p.cmdline()))
            workers[0].suspend()
            while workers[0].status() != psutil.STATUS_STOPPED:
                pass
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(dataset, tmp_path / "out", CLIPS, workers=2, progress=interrupt)
    _, alive = psutil.wait_procs(workers, timeout=20)
    for process in alive:
        process.kill()
    assert workers and not alive
