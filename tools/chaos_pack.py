"""Kill packing at random moments, resume it, and compare with an undisturbed run.

    python tools/chaos_pack.py [CATALOG] --kills 200 [--workers 2] [--seed 0]

Each round starts `homage pack` in a folder, kills it with SIGKILL, and starts it again until it
ends by itself. The bytes must be those of a run that was not killed. Every other round begins
with shards of fewer sequences, which are brought up to date in place: after each kill a reader must
find these or the new ones, whole. Moments are drawn from the whole life of a run, start-up and
last writes included; every third one follows a file instead (the lock, the plan, a shard under its
temporary name, the index, the commit ...) as soon as it appears. What is killed is the whole
process group, the parent alone (its workers must end by themselves), or one worker (the run must
say so in one line). Without a catalog, one of a small synthetic release is made. Exit code 0 when
every round agreed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from made import catalog as small_catalog

from homage_sdk.shards import ShardSet

COMMAND = [sys.executable, "-c", "from homage_sdk.cli import main; main()", "pack"]
TARGETS = ("group", "group", "parent", "worker")
SIGNS = (
    ".tmp-lock",
    ".parts/.tmp-*.plan.json-*",
    ".parts/*.plan.json",
    ".parts/*/.tmp-*.tar-*",
    ".parts/*/*.tar",
    ".parts/*.tar.json",
    ".parts/*/.tmp-index.parquet-*",
    ".parts/*/.inputs.json",
    ".tmp-commit",
    "manifest.json",
)
"""Files that come and go in a run, in their order."""


@dataclass(frozen=True)
class Blow:
    """A kill: of what, and when."""

    target: str
    after_s: float
    sign: str | None
    """Counted from the moment a file of this name appears; from the start when None."""


def tree(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def start(arguments: list[str], out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *arguments[:1], str(out), *arguments[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def ended_well(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end; anything but success ends the whole trial."""
    _, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"pack failed: {errors.decode()}")


def wait_until(process: subprocess.Popen[bytes], what: Callable[[], bool]) -> bool:
    """Whether it became true before the process ended."""
    while process.poll() is None:
        if what():
            return True
        time.sleep(0.0005)
    return False


def strike(arguments: list[str], out: Path, blow: Blow) -> str:
    """Run the command once and kill it; what was killed, "" when it ended by itself before."""
    process = start(arguments, out)
    if blow.sign is not None:
        wait_until(process, lambda: any(out.glob(blow.sign or "")))
    begin = time.monotonic()
    if not wait_until(process, lambda: time.monotonic() - begin >= blow.after_s):
        ended_well(process)
        return ""
    workers = [pid for pid in _children(process.pid) if _is_worker(pid)]
    if blow.target == "worker" and workers:
        with suppress(ProcessLookupError):
            os.kill(random.Random(blow.after_s).choice(workers), signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        died = process.returncode == 2 and b"a packing process died" in errors
        if not died and process.returncode != 0:  # 0: it had nothing left to do
            raise SystemExit(f"a killed worker is not said in one line: {errors.decode()}")
        return "worker"
    if blow.target == "parent":
        process.kill()
        process.communicate(timeout=60)  # ends when the workers have let go of the pipe
        return "parent"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return "group"


def manifest(shards: Path) -> bytes:
    """What a reader finds first."""
    return ShardSet.open(shards).manifest.to_bytes()


def samples(shards: Path) -> int:
    return len(ShardSet.open(shards))


def require_one_of(states: list[bytes], out: Path) -> None:
    """A reader finds one of the states, with every byte of it; before anybody puts it in order."""
    there = ShardSet.open(out)
    if there.manifest.to_bytes() not in states:
        raise SystemExit("a reader finds neither the old shards nor the new ones")
    for key, members in there.locations().items():
        for field in members:
            there.read(key, field)  # raises where it is not what was packed


def _children(parent: int) -> list[int]:
    with suppress(OSError):
        return [int(p) for p in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return []


def _is_worker(pid: int) -> bool:
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("catalog", type=Path, nargs="?")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=96)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        catalog = options.catalog or small_catalog(Path(folder))
        arguments = [str(catalog), "--workers", str(options.workers), "--size", str(options.size)]
        whole, fewer, out = (Path(folder) / name for name in ("whole", "fewer", "killed"))
        started = time.monotonic()
        ended_well(start(arguments, whole))
        undisturbed_s = time.monotonic() - started
        expected = tree(whole)
        ended_well(start([*arguments, "--limit", str(max(1, samples(whole) // 2))], fewer))
        states = [manifest(fewer), manifest(whole)]
        killed: Counter[str] = Counter()
        rounds = updates = 0
        while killed.total() < options.kills:
            shutil.rmtree(out, ignore_errors=True)
            if rounds % 2:
                shutil.copytree(fewer, out)
                updates += 1
            while killed.total() < options.kills:
                sign = draw.choice(SIGNS) if draw.random() < 1 / 3 else None
                after_s = draw.uniform(0, 0.01 if sign else 1.05 * undisturbed_s)
                target = strike(arguments, out, Blow(draw.choice(TARGETS), after_s, sign))
                if not target:
                    break
                killed[target] += 1
                if rounds % 2:
                    require_one_of(states, out)
            else:
                ended_well(start(arguments, out))
            rounds += 1
            found = tree(out)
            if found != expected:
                names = sorted(
                    k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k)
                )
                print(f"round {rounds}: other bytes in {', '.join(names)}")
                return 1
        of = ", ".join(f"{count} {target}" for target, count in sorted(killed.items()))
        print(
            f"{killed.total()} kills ({of}) over {rounds} rounds, {updates} of them updates in "
            f"place, in {time.monotonic() - begin:.0f} s: the same {len(expected)} files every "
            f"time; undisturbed: {undisturbed_s:.1f} s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
