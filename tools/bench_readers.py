r"""How fast random samples are read, beside webdataset, litdata and mosaicml-streaming.

    python tools/bench_readers.py [--shards SHARDS] [--peers VENV] [--rounds 21] [--samples 256]

The same samples, byte for byte, are put into each library's own format; then every reader, in a
process of its own, gives the same random samples, in turns. A sample is read when all its members
are `bytes` objects (a view of somebody else's memory is copied: decoders need the bytes); it is
dropped before the next one, as in training. Nothing is decoded, everything is in the page cache.
What each one read is compared by hash before it is timed. webdataset cannot jump: it reads its
shards from the beginning, and its time is divided by their samples. "floor" is one bare `os.pread`
for each member.

The peers live in an environment of their own, so that nothing they need replaces this project's
packages. It is looked for at --peers (default: build/bench/peers) and made like this:

    python3 -m venv build/bench/peers
    build/bench/peers/bin/pip install -c constraints.txt torch 'numpy<2.2' lightning-utilities \
        boto3 requests tifffile obstore 'transformers<5' Brotli python-snappy zstd 'xxhash<4' \
        'catalogue<3' tqdm matplotlib
    build/bench/peers/bin/pip install --no-deps litdata mosaicml-streaming

`--no-deps` keeps torchvision (which would bring another torch) and the clients of five clouds out:
mosaicml-streaming imports torchvision just for one base class, for which an empty one stands in
here. Without that environment the peers are left out, and the output says so. Figures past their
limit are marked MISSED.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import made
from peer_readers import PEERS, READERS, tars
from timing import show

from homage_sdk.shards import PackOptions, ShardSet

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"webdataset": ">= 10x", "litdata": ">= 1x", "mosaicml-streaming": ">= 1x"}


class Reader:
    """A child process that holds one reader."""

    def __init__(self, name: str, python: Path, folder: Path) -> None:
        self.name = name
        self.errors = folder / f"{name}.errors"
        self.process = subprocess.Popen(
            [str(python), str(ROOT / "tools" / "peer_readers.py"), name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors.open("wb"),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def ask(self, **request: object) -> Any:
        """The answer to a request; without one, its first word."""
        assert self.process.stdin and self.process.stdout
        if request:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith(("[", '"')):
                return json.loads(line)
        said = self.errors.read_text().strip().splitlines() or ["it ended without a word"]
        raise SystemExit(f"{self.name} cannot be measured: {said[-1]}")

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, help="shards to take the samples from")
    parser.add_argument("--peers", type=Path, default=ROOT / "build" / "bench" / "peers")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--samples", type=int, default=256, help="samples a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.shards:
            (folder / "shards").symlink_to(options.shards.resolve())
        else:
            made.shards(folder, made.catalog(folder), PackOptions(unit="clip"))
        measure(folder, options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    count = len(ShardSet.open(folder / "shards"))
    peers = options.peers / "bin" / "python"
    pythons = {name: peers if name in PEERS else Path(sys.executable) for name in READERS}
    if not peers.exists():
        print(f"no environment at {options.peers}: litdata and mosaicml-streaming are left out")
        pythons = {name: python for name, python in pythons.items() if name not in PEERS}
    readers = {name: Reader(name, python, folder) for name, python in pythons.items()}
    for reader in readers.values():
        reader.ask()
    size = sum(path.stat().st_size for path in tars(folder))
    print(f"{count} samples of {size / count / 1e3:,.0f} kB on average, random order")
    draw = random.Random(0)
    times: dict[str, list[list[float]]] = {name: [] for name in readers}
    for number in range(-2, options.rounds):
        numbers = [draw.randrange(count) for _ in range(options.samples)]
        if number < 0:  # warm, and the same bytes everywhere
            found = {
                name: reader.ask(numbers=numbers, hash=True) for name, reader in readers.items()
            }
            if len(set(found.values())) > 1:
                raise SystemExit(f"the readers do not agree: {found}")
            continue
        for name, reader in readers.items():
            times[name].append(reader.ask(numbers=numbers, hash=False))
    for reader in readers.values():
        reader.close()
    report(times)


def report(times: dict[str, list[list[float]]]) -> None:
    """Milliseconds a sample, and how many times ours that is."""
    for column, what in enumerate(("CPU", "wall")):
        medians = {
            name: statistics.median(row[column] for row in rows) for name, rows in times.items()
        }
        for name, ms in medians.items():
            ratio = None if name == "ours" else ms / medians["ours"]
            show(f"a sample, {what}, {name}", f"{ms:.4f} ms", ratio, LIMITS.get(name, ""))


if __name__ == "__main__":
    main()
