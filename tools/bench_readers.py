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
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Sample = dict[str, bytes]
Read = Callable[[list[int]], Iterator[Sample]]


# The readers. Each is made in its own process: ``make(folder)`` converts if need be and returns a
# function from sample numbers to samples. In a sample of the peers, absent members are empty.


def ours(folder: Path, keys: list[str]) -> Read:
    from homage_sdk.shards import ShardSet

    shards = ShardSet.open(folder / "shards")
    shards.members(keys[0])  # the index is read when first used

    def read(numbers: list[int]) -> Iterator[Sample]:
        for number in numbers:
            key = keys[number]
            yield {field: shards.read(key, field) for field in shards.members(key)}

    return read


def floor(folder: Path, keys: list[str]) -> Read:
    from homage_sdk.shards import ShardSet

    shards = ShardSet.open(folder / "shards")
    handles = {
        shard.name: os.open(folder / "shards" / shard.name, os.O_RDONLY)
        for shard in shards.manifest.shards
    }
    spans = [
        [(field, handles[s], size, at) for field, (s, at, size, _) in places.items()]
        for places in (shards.locations()[key] for key in keys)
    ]

    def read(numbers: list[int]) -> Iterator[Sample]:
        for number in numbers:
            yield {field: os.pread(handle, size, at) for field, handle, size, at in spans[number]}

    return read


def webdataset(folder: Path, keys: list[str]) -> Read:
    import webdataset as wds

    urls = sorted(str(path) for path in (folder / "shards").glob("*.tar"))

    def read(_: list[int]) -> Iterator[Sample]:
        for sample in wds.WebDataset(urls, shardshuffle=False):
            yield {k: v for k, v in sample.items() if k == "__key__" or not k.startswith("__")}

    return read


def litdata(folder: Path, keys: list[str]) -> Read:
    from litdata import StreamingDataset
    from litdata.streaming.writer import BinaryWriter

    samples, fields, chunk_bytes = exported(folder, keys)
    writer = BinaryWriter(str(folder / "litdata"), chunk_bytes=chunk_bytes)
    for number, sample in enumerate(samples):
        writer[number] = {field: sample.get(field, b"") for field in fields}
    writer.done()
    writer.merge()
    dataset = StreamingDataset(str(folder / "litdata"), shuffle=False)
    return lambda numbers: (dataset[number] for number in numbers)


def mosaicml(folder: Path, keys: list[str]) -> Read:
    import importlib.machinery
    import types

    import transformers  # noqa: F401 - before the stand-in, or it takes it for the real thing

    class Absent(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return object

    for name in ("", ".datasets", ".transforms", ".transforms.functional"):
        module = Absent("torchvision" + name)
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
        module.__path__ = []
        sys.modules[module.__name__] = module
    from streaming import LocalDataset, MDSWriter

    samples, fields, chunk_bytes = exported(folder, keys)
    columns = dict.fromkeys((field.replace(".", "_") for field in fields), "bytes")
    with MDSWriter(out=str(folder / "mds"), columns=columns, size_limit=chunk_bytes) as out:
        for sample in samples:
            out.write({field.replace(".", "_"): sample.get(field, b"") for field in fields})
    dataset = LocalDataset(local=str(folder / "mds"))
    return lambda numbers: (dataset[number] for number in numbers)


READERS: dict[str, Callable[[Path, list[str]], Read]] = {
    "ours": ours,
    "floor": floor,
    "webdataset": webdataset,
    "litdata": litdata,
    "mosaicml-streaming": mosaicml,
}
PEERS = ("litdata", "mosaicml-streaming")


def export(folder: Path, keys: list[str]) -> None:
    """Write the samples down in the simplest way, for environments without homage_sdk."""
    from homage_sdk.shards import ShardSet

    shards = ShardSet.open(folder / "shards")
    names = {field for key in keys for field in shards.members(key)}
    table = []
    with (folder / "samples.bin").open("wb") as file:
        for key in keys:
            row = {}
            for field in shards.members(key):
                data = shards.read(key, field)
                row[field] = (file.tell(), len(data))
                file.write(data)
            table.append(row)
    chunk = max(shard.bytes for shard in shards.manifest.shards)
    described = {"fields": sorted(names), "chunk_bytes": chunk, "samples": table}
    (folder / "samples.json").write_text(json.dumps(described))


def exported(folder: Path, keys: list[str]) -> tuple[list[Sample], list[str], int]:
    described = json.loads((folder / "samples.json").read_text())
    data = (folder / "samples.bin").read_bytes()
    samples = [
        {field: data[at : at + size] for field, (at, size) in row.items()}
        for row in described["samples"]
    ]
    assert len(samples) == len(keys)
    return samples, described["fields"], described["chunk_bytes"]


def child(name: str, folder: Path, keys: list[str]) -> None:
    """Answer requests, one a line: sample numbers in, milliseconds or a hash out."""
    read = READERS[name](folder, keys)

    def answer(value: object) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    def whole(sample: Sample) -> Sample:
        return {k: v if isinstance(v, (bytes, str)) else bytes(v) for k, v in sample.items()}

    answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        numbers = request["numbers"]
        if request["hash"]:
            samples = [whole(sample) for sample in read(numbers)]
            if name == "webdataset":
                by_key = {sample.pop("__key__"): sample for sample in samples}
                samples = [by_key[keys[number]] for number in numbers]
            answer(digest(samples))
            continue
        count = 0
        cpu, wall = time.process_time(), time.perf_counter()
        for sample in read(numbers):
            whole(sample)
            count += 1
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        answer([1e3 * cpu / count, 1e3 * wall / count])


def digest(samples: list[Sample]) -> str:
    """A hash of all contents; absent and empty members are the same."""
    total = hashlib.sha256()
    for sample in samples:
        for _, content in sorted(sample.items()):
            if content:
                total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


class Reader:
    """A child process that holds one reader."""

    def __init__(self, name: str, python: Path, folder: Path) -> None:
        self.name = name
        self.errors = folder / f"{name}.errors"
        self.process = subprocess.Popen(
            [str(python), __file__, "--child", name, "--folder", str(folder)],
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
    parser.add_argument("--child", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.folder, json.loads((options.folder / "keys.json").read_text()))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    from homage_sdk.shards import ShardSet

    if options.shards:
        (folder / "shards").symlink_to(options.shards.resolve())
    else:
        from chaos_pack import small_catalog

        from homage_sdk import Dataset
        from homage_sdk.shards import PackOptions, pack

        pack(Dataset(small_catalog(folder)), folder / "shards", PackOptions(unit="clip"))
    shards = ShardSet.open(folder / "shards")
    keys = [sample.key for sample in shards.samples]
    (folder / "keys.json").write_text(json.dumps(keys))
    export(folder, keys)
    peers = options.peers / "bin" / "python"
    pythons = {name: peers if name in PEERS else Path(sys.executable) for name in READERS}
    if not peers.exists():
        print(f"no environment at {options.peers}: litdata and mosaicml-streaming are left out")
        pythons = {name: python for name, python in pythons.items() if name not in PEERS}
    readers = {name: Reader(name, python, folder) for name, python in pythons.items()}
    for reader in readers.values():
        reader.ask()
    size = (folder / "samples.bin").stat().st_size
    print(f"{len(keys)} samples of {size / len(keys) / 1e3:,.0f} kB on average, random order")
    draw = random.Random(0)
    times: dict[str, list[list[float]]] = {name: [] for name in readers}
    for number in range(-2, options.rounds):
        numbers = [draw.randrange(len(keys)) for _ in range(options.samples)]
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
    import statistics

    limits = {"webdataset": 10.0, "litdata": 1.0, "mosaicml-streaming": 1.0}
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in times.items()
    }
    print(f"{'a sample':20} {'CPU ms':>9} {'wall ms':>9} {'CPU / ours':>11} {'wall / ours':>12}")
    for name, (cpu, wall) in medians.items():
        ratios = [cpu / medians["ours"][0], wall / medians["ours"][1]]
        verdict = ""
        if name in limits:
            verdict = f">= {limits[name]:g}x {'ok' if min(ratios) >= limits[name] else 'MISSED'}"
        print(f"{name:20} {cpu:9.4f} {wall:9.4f} {ratios[0]:10.2f}x {ratios[1]:11.2f}x  {verdict}")


if __name__ == "__main__":
    main()
