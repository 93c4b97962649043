"""Running the two commands as a user does: a process, its exit code, what it printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}


def run(*words: str | Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    """``run("homage", "ingest", ...)``, never failing by itself."""
    return subprocess.run(
        [str(BIN / words[0]), *map(str, words[1:])],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=timeout_s,
        check=False,
    )


def succeed(*words: str | Path, codes: tuple[int, ...] = (0,)) -> str:
    """Like ``run``, for commands that must do their work; returns what they printed."""
    done = run(*words)
    assert done.returncode in codes, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def refuse(*words: str | Path) -> str:
    """Like ``run``, for commands that must refuse in one line; returns that line."""
    done = run(*words)
    assert done.returncode == 2, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert lines, "nothing was said"
    assert lines[-1].startswith("error HOM"), done.stderr
    return lines[-1]


def interrupt(
    *words: str | Path,
    after_s: float = 0.0,
    once: Path | None = None,
    with_signal: int = signal.SIGINT,
) -> int:
    """Start a command, send it a signal after a while; its exit code (negative for a kill).

    With ``once``, the while begins when a file of that pattern is there and not empty.
    """
    process = subprocess.Popen(
        [str(BIN / words[0]), *map(str, words[1:])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    while once and process.poll() is None and not is_written(once):
        time.sleep(0.05)
    time.sleep(after_s)
    if process.poll() is None:
        os.killpg(process.pid, with_signal)  # the whole group, as a terminal's Ctrl-C does
    _, said = process.communicate(timeout=60)
    # Before its first own line runs, Python itself answers a signal: nothing was begun then.
    if b"Traceback" in said and b" import main\n" not in said:
        raise AssertionError(said.decode())
    return process.returncode


def is_written(pattern: Path) -> bool:
    """Whether a file of that pattern is there and not empty."""
    root = Path(pattern.anchor)
    return any(path.stat().st_size for path in root.glob(str(pattern.relative_to(root))))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }
