"""Making shards that attack, and watching what they do."""

from __future__ import annotations

import hashlib
import io
import resource
import shutil
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homage_sdk.errors import HomageError
from homage_sdk.loader import LoaderOptions, webdataset_stream
from homage_sdk.shards.format.index import INDEX_SCHEMA
from homage_sdk.shards.format.tar import ShardWriter, read_members

OPTIONS = LoaderOptions(mode="eval", batch_size=2, blocks=2, size=64)


_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pty.spawn")
_watched: list[tuple[str, str]] | None = None
_allowed = ""


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watched is None:
        return
    if event in _RUNS or event == "pickle.find_class" or event == "ctypes.dlopen":
        _watched.append((event, repr(arguments)[:200]))
    elif event == "open" and len(arguments) > 2 and isinstance(arguments[0], str):
        writes = isinstance(arguments[2], int) and arguments[2] & 3 != 0
        if writes and not arguments[0].startswith((_allowed, "/dev/null")):
            _watched.append((event, arguments[0]))


sys.addaudithook(_hook)


def watch(allowed: Path) -> list[tuple[str, str]]:
    """From now on note what is run, unpickled or written elsewhere, as Python itself reports it."""
    global _watched, _allowed
    _watched, _allowed = [], str(allowed)
    return _watched


def unwatch() -> None:
    """Stop noting."""
    global _watched
    _watched = None


class Bomb:
    """Unpickling this leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


@pytest.fixture
def copy(small_shards: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_shards, tmp_path / "shards"))


@pytest.fixture(autouse=True)
def bounded(tmp_path: Path) -> Iterator[None]:
    """Nothing appears outside the folder, memory stays small, time stays short."""
    done = watch(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    yield
    unwatch()
    assert not done, "something was run, unpickled or written elsewhere"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB
    assert time.monotonic() - start < 60
    assert not list(tmp_path.glob("trace*")), "something of the stranger's was run"


def reseal(folder: Path) -> None:
    """What an attacker does: hashes, sizes and index that agree with the bad content."""
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    rows = []
    for shard in manifest["shards"]:
        data = (folder / shard["name"]).read_bytes()
        shard["bytes"], shard["sha256"] = len(data), hashlib.sha256(data).hexdigest()
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive:
                    key, _, field = member.name.partition(".")
                    offset, size = member.offset_data, member.size
                    crc32 = zlib.crc32(data[offset : offset + size])
                    rows.append((key, field, shard["name"], offset, size, crc32))
        except (tarfile.TarError, OSError):
            pass
    columns = [
        pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), INDEX_SCHEMA, strict=True)
    ]
    pq.write_table(pa.table(columns, schema=INDEX_SCHEMA), folder / "index.parquet")
    index = (folder / "index.parquet").read_bytes()
    manifest["index"] |= {"bytes": len(index), "sha256": hashlib.sha256(index).hexdigest()}
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))


def replace(folder: Path, shard: str, name: str, content: bytes) -> None:
    """Put other content into a member, and seal the folder again."""
    rebuilt = io.BytesIO()
    writer = ShardWriter(rebuilt.write)
    with (folder / shard).open("rb") as file:
        for member, data in read_members(file, shard):
            writer.add(member.key, member.field, content if member.name == name else data)
    writer.finish()
    (folder / shard).write_bytes(rebuilt.getvalue())
    reseal(folder)


def first_shard(folder: Path) -> Path:
    return sorted(folder.glob("*.tar"))[0]


def append(path: Path, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> None:
    """Put members at the front of a shard, as crafted."""
    old = path.read_bytes()
    out = io.BytesIO()
    for member in members:
        info, content = member if isinstance(member, tuple) else (member, b"")
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        out.write(content + bytes(-len(content) % 512))
    path.write_bytes(out.getvalue() + old)


def info(
    name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, link
    return made


def refused_by_stream(folder: Path) -> str:
    with pytest.raises(HomageError) as caught:
        for _ in webdataset_stream(folder, OPTIONS):
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def mp4(width: int, height: int, frames: int, declared: tuple[int, int] | None = None) -> bytes:
    import av
    import numpy as np

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "x264-params": "bframes=0"}
        picture = np.zeros((height * 3 // 2, width), np.uint8)
        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
