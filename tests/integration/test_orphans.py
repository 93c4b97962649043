"""A killed command leaves no process behind."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.command import BIN, ENVIRONMENT


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_synth(tmp_path: Path) -> None:
    words = ("synth", tmp_path / "release", "--sequences", "40", "--workers", "2")
    process = subprocess.Popen(
        [str(BIN / "homage"), *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    try:
        deadline = time.monotonic() + 60
        workers: list[psutil.Process] = []
        while len(workers) < 2 and time.monotonic() < deadline:
            children = psutil.Process(process.pid).children(recursive=True)
            workers = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
            time.sleep(0.1)
        assert len(workers) == 2
        while not list(tmp_path.rglob("*.mkv")) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert list(tmp_path.rglob("*.mkv")), "they are at work"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    for worker in alive:
        worker.kill()
    assert not alive
