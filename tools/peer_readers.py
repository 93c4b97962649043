"""The readers that ``bench_readers.py`` compares, each in a process of its own.

    python tools/peer_readers.py NAME FOLDER

Answers requests, one a line, about the shards in ``FOLDER/shards``: numbers of samples (in order of
their keys) in, milliseconds a sample or a hash of the contents out. Peers convert the shards into
their own format in FOLDER first; their environment need not have homage_sdk.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Sample = dict[str, bytes]
Read = Callable[[list[int]], Iterator[Sample]]


# Each takes the folder, converts if need be, and returns a function from sample numbers to samples.
# In a sample of the peers, absent members are empty.


def ours(folder: Path) -> Read:
    from homage_sdk.shards import ShardSet

    shards = ShardSet.open(folder / "shards")
    keys = sorted(sample.key for sample in shards.samples)
    shards.members(keys[0])  # the index is read when first used

    def read(numbers: list[int]) -> Iterator[Sample]:
        for number in numbers:
            key = keys[number]
            yield {field: shards.read(key, field) for field in shards.members(key)}

    return read


def floor(folder: Path) -> Read:
    from homage_sdk.shards import ShardSet

    shards = ShardSet.open(folder / "shards")
    handles = {
        shard.name: os.open(folder / "shards" / shard.name, os.O_RDONLY)
        for shard in shards.manifest.shards
    }
    spans = [
        [(field, handles[s], size, at) for field, (s, at, size, _) in places.items()]
        for _, places in sorted(shards.locations().items())
    ]

    def read(numbers: list[int]) -> Iterator[Sample]:
        for number in numbers:
            yield {field: os.pread(handle, size, at) for field, handle, size, at in spans[number]}

    return read


def webdataset(folder: Path) -> Read:
    import webdataset as wds

    urls = [str(path) for path in tars(folder)]

    def read(_: list[int]) -> Iterator[Sample]:
        for sample in wds.WebDataset(urls, shardshuffle=False):
            yield {k: v for k, v in sample.items() if k == "__key__" or not k.startswith("__")}

    return read


def litdata(folder: Path) -> Read:
    from litdata import StreamingDataset
    from litdata.streaming.writer import BinaryWriter

    samples, fields = packed(folder)
    writer = BinaryWriter(str(folder / "litdata"), chunk_bytes=largest(folder))
    for number, sample in enumerate(samples):
        writer[number] = {field: sample.get(field, b"") for field in fields}
    writer.done()
    writer.merge()
    dataset = StreamingDataset(str(folder / "litdata"), shuffle=False)
    return lambda numbers: (dataset[number] for number in numbers)


def mosaicml(folder: Path) -> Read:
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

    samples, fields = packed(folder)
    columns = dict.fromkeys((field.replace(".", "_") for field in fields), "bytes")
    size = largest(folder)
    with MDSWriter(out=str(folder / "mds"), columns=columns, size_limit=size) as out:
        for sample in samples:
            out.write({field.replace(".", "_"): sample.get(field, b"") for field in fields})
    dataset = LocalDataset(local=str(folder / "mds"))
    return lambda numbers: (dataset[number] for number in numbers)


READERS: dict[str, Callable[[Path], Read]] = {
    "ours": ours,
    "floor": floor,
    "webdataset": webdataset,
    "litdata": litdata,
    "mosaicml-streaming": mosaicml,
}
PEERS = ("litdata", "mosaicml-streaming")
"""Those that live in an environment of their own."""


def tars(folder: Path) -> list[Path]:
    return sorted((folder / "shards").glob("*.tar"))


def largest(folder: Path) -> int:
    """Bytes of the largest shard: how large the peers' files may become."""
    return max(path.stat().st_size for path in tars(folder))


def packed(folder: Path) -> tuple[list[Sample], list[str]]:
    """Every sample in order of key, and the names of all members."""
    samples: dict[str, Sample] = {}
    for path in tars(folder):
        with tarfile.open(path) as archive:
            for member in archive:
                key, _, field = member.name.partition(".")
                content = archive.extractfile(member)
                samples.setdefault(key, {})[field] = content.read() if content else b""
    return [samples[key] for key in sorted(samples)], sorted(
        {f for s in samples.values() for f in s}
    )


def digest(samples: list[Sample]) -> str:
    """A hash of all contents; absent and empty members are the same."""
    total = hashlib.sha256()
    for sample in samples:
        for _, content in sorted(sample.items()):
            if content:
                total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def whole(sample: Sample) -> Sample:
    """A sample of bytes that are its own: decoders need them."""
    return {k: v if isinstance(v, (bytes, str)) else bytes(v) for k, v in sample.items()}


def main(name: str, folder: Path) -> None:
    read = READERS[name](folder)

    def answer(value: object) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        numbers = request["numbers"]
        if request["hash"]:
            samples = [whole(sample) for sample in read(numbers)]
            if name == "webdataset":  # it cannot jump: all samples came, in the order of the shards
                by_key = {sample.pop("__key__"): sample for sample in samples}
                samples = [by_key[key] for key in sorted(by_key)]
                samples = [samples[number] for number in numbers]
            answer(digest(samples))
            continue
        count = 0
        cpu, wall = time.process_time(), time.perf_counter()
        for sample in read(numbers):
            whole(sample)
            count += 1
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        answer([1e3 * cpu / count, 1e3 * wall / count])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
