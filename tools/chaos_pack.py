"""Kill packing at random moments, resume it, and compare with an undisturbed run.

    python tools/chaos_pack.py [CATALOG] --kills 200 [--workers 2] [--seed 0]

Each round starts `homage pack` in a folder, sends SIGKILL to it after a random time, and starts it
again until it ends by itself. The bytes must be those of a run that nobody disturbed. Without a
catalog, one of a small synthetic release is made. Exit code 0 when every round agreed.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-c", "from homage_sdk.cli import main; main()", "pack"]


def small_catalog(folder: Path) -> Path:
    """The catalog of a small synthetic release, made below ``folder``."""
    from homage_sdk.catalog import ingest
    from homage_sdk.synth import write_release

    write_release(folder / "release", sequences=8, size=(128, 96), seconds=(5.0, 7.0))
    ingest(folder / "release", folder / "catalog")
    return folder / "catalog"


def tree(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pack(arguments: list[str], out: Path, kill_after_s: float | None) -> bool:
    """Run the command once; True when it ended by itself, and well."""
    process = subprocess.Popen(
        [*COMMAND, *arguments[:1], str(out), *arguments[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = process.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return False
    if process.returncode != 0:
        raise SystemExit(f"pack failed: {errors.decode()}")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("catalog", type=Path, nargs="?")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=96)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        catalog = options.catalog or small_catalog(Path(folder))
        arguments = [str(catalog), "--workers", str(options.workers), "--size", str(options.size)]
        whole = Path(folder) / "whole"
        start = time.monotonic()
        pack(arguments, whole, None)
        undisturbed_s = time.monotonic() - start
        expected = tree(whole)
        kills = rounds = 0
        while kills < options.kills:
            out = Path(folder) / "killed"
            shutil.rmtree(out, ignore_errors=True)
            while kills < options.kills:
                if pack(arguments, out, draw.uniform(0.2, 1.1) * undisturbed_s):
                    break
                kills += 1
            else:
                pack(arguments, out, None)
            rounds += 1
            found = tree(out)
            if found != expected:
                names = sorted(
                    k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k)
                )
                print(f"round {rounds}: other bytes in {', '.join(names)}")
                return 1
        print(f"{kills} kills over {rounds} rounds: the same {len(expected)} files every time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
