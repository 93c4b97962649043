"""Far shards are fetched once, verified, and read from the cache like any others."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import fsspec
import orjson
import pytest

from homage_sdk.errors import ShardError, StorageError, UsageError
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.shards import ShardSet, verify
from homage_sdk.shards.format.far import Patience
from homage_sdk.shards.format.manifest import INPUTS
from homage_sdk.storage.dataset_card import CARD
from tests.unit.loader.batches import all_same
from tests.unit.shards.servers import send, serving

pytest.importorskip("aiohttp")

ONCE = Patience(tries=0, pause_s=0.01, stall_s=5.0)
HASTY = Patience(tries=3, pause_s=0.01, stall_s=5.0)


@pytest.fixture
def far(barcode_shards: Path, tmp_path: Path) -> Path:
    """A folder to serve, and to change."""
    ignore = shutil.ignore_patterns(INPUTS, CARD)  # serve the next pack, and other tools
    return Path(shutil.copytree(barcode_shards, tmp_path / "far", ignore=ignore))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def memory(far: Path) -> Iterator[str]:
    for path in far.iterdir():
        with fsspec.open(f"memory://bucket/shards/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    yield "memory://bucket/shards"
    fsspec.filesystem("memory").rm("/bucket", recursive=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def only_whole_files(cache: Path, far: Path) -> None:
    """Every file under a name of the shards is the whole far file."""
    for folder in cache.iterdir():
        for path in folder.iterdir():
            if not path.name.startswith(".tmp-"):
                assert path.read_bytes() == (far / path.name).read_bytes()


@pytest.mark.parametrize("ranges", [True, False])
def test_shards_are_fetched_once_and_are_the_far_ones(far: Path, cache: Path, ranges: bool) -> None:
    with serving(far, ranges=ranges) as (url, requests):
        shards = ShardSet.open(url, cache=cache)
        assert contents(shards.path) == contents(far)
        assert Counter(path for path, _ in requests) == Counter(f"/{n}" for n in contents(far))
        requests.clear()
        again = ShardSet.open(f"{url}/", cache=str(cache))
        assert [path for path, _ in requests] == ["/manifest.json"]
        assert again.path == shards.path and verify(again.path) == []


def test_an_object_store_is_fetched_alike(far: Path, memory: str, cache: Path) -> None:
    assert contents(ShardSet.open(memory, cache=cache).path) == contents(far)


def test_batches_from_a_cache_are_those_of_the_local_shards(
    shards: ShardSet, memory: str, cache: Path
) -> None:
    options = LoaderOptions(batch_size=2, blocks=4, size=64)
    near = list(ClipLoader(shards, options))
    assert near and all_same(near, list(ClipLoader(ShardSet.open(memory, cache=cache), options)))


def test_local_shards_need_no_cache_and_far_ones_do(barcode_shards: Path, cache: Path) -> None:
    for url in (barcode_shards, str(barcode_shards), f"file://{barcode_shards}"):
        assert ShardSet.open(url, cache=cache).path == barcode_shards
    assert not cache.exists()
    with pytest.raises(UsageError, match="cache"):
        ShardSet.open("http://127.0.0.1:9/shards")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_download_goes_on_where_it_stopped(far: Path, cache: Path, ranges: bool) -> None:
    size = (far / "val-00000.tar").stat().st_size

    def arrived() -> bool:
        return any(path.stat().st_size == size // 2 for path in cache.rglob("*.tar*"))

    def cut(request: BaseHTTPRequestHandler) -> bool:
        if request.path != "/val-00000.tar":
            return False
        send(request, far, ranges=ranges, at_most=size // 2, arrived=arrived)
        return True

    with serving(far, cut, ranges=ranges) as (url, _):
        with pytest.raises(ShardError) as caught:
            ShardSet.open(url, cache=cache, patience=ONCE)
        assert str(caught.value.place) == f"{url}/val-00000.tar"
    only_whole_files(cache, far)
    (folder,) = cache.iterdir()
    assert not (folder / "val-00000.tar").exists() and not (folder / "manifest.json").exists()
    with pytest.raises(ShardError):
        ShardSet.open(folder)
    with serving(far, ranges=ranges) as (url, requests):
        assert contents(ShardSet.open(url, cache=cache).path) == contents(far)
    fetched = dict(requests)
    assert fetched == {"/manifest.json": "", "/val-00000.tar": f"bytes={size // 2}-"}


OPENING = """
import sys
from homage_sdk.shards import ShardSet
shards = ShardSet.open(sys.argv[1], cache=sys.argv[2])
print(sum(len(shards.read(s.key, f)) for s in shards.samples for f in shards.members(s.key)))
"""


def opening(url: str, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPENING, url, str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_download_leaves_no_half_file_and_is_taken_up(far: Path, cache: Path) -> None:
    half_sent, over = threading.Event(), threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> bool:
        if request.path != "/train-00001.tar" or half_sent.is_set():
            return False
        data = (far / "train-00001.tar").read_bytes()
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: len(data) // 2])
        request.wfile.flush()
        half_sent.set()
        over.wait(60)
        return True

    with serving(far, hang) as (url, _):
        process = opening(url, cache)
        assert half_sent.wait(60)
        process.kill()
        process.communicate()
        over.set()
        only_whole_files(cache, far)
        assert contents(ShardSet.open(url, cache=cache).path) == contents(far)


@pytest.mark.slow
def test_processes_share_what_one_of_them_fetches(far: Path, cache: Path) -> None:
    """The first shard is held back until all have asked for the manifest."""
    count, all_there = 3, threading.Event()
    asked: Counter[str] = Counter()

    def together(request: BaseHTTPRequestHandler) -> bool:
        asked[request.path] += 1
        if asked["/manifest.json"] == count:
            all_there.set()
        if request.path.endswith(".tar"):
            assert all_there.wait(60)
        return False

    with serving(far, together) as (url, _):
        processes = [opening(url, cache) for _ in range(count)]
        said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    assert len({out for out, _ in said}) == 1
    assert asked == Counter({f"/{name}": 1 for name in contents(far)} | {"/manifest.json": count})


def test_a_bound_below_their_size_is_refused_with_the_bytes_needed(far: Path, cache: Path) -> None:
    needed = sum(path.stat().st_size for path in far.iterdir())
    with serving(far) as (url, requests):
        with pytest.raises(UsageError) as caught:
            ShardSet.open(url, cache=cache, max_bytes=needed - 1)
        assert f"{needed:,}" in (caught.value.expected or "")
        assert [path for path, _ in requests] == ["/manifest.json"] and not cache.exists()
        assert len(ShardSet.open(url, cache=cache, max_bytes=needed))


def test_too_small_a_disk_is_refused_with_the_bytes_needed(
    far: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = sum(p.stat().st_size for p in far.iterdir() if p.name != "manifest.json")
    for free, fits in ((needed - 1, False), (needed, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        with serving(far) as (url, requests):
            if fits:
                assert len(ShardSet.open(url, cache=cache))
                continue
            with pytest.raises(StorageError) as caught:
                ShardSet.open(url, cache=cache)
            assert f"{needed:,}" in (caught.value.expected or "")
            assert [path for path, _ in requests] == ["/manifest.json"]


@pytest.mark.parametrize("name", ["train-00000.tar", "index.parquet"])
@pytest.mark.parametrize("how", ["other bytes", "shorter", "longer"])
def test_a_file_that_is_not_the_one_of_the_manifest_is_named(
    far: Path, cache: Path, name: str, how: str
) -> None:
    whole = (far / name).read_bytes()
    changed = {
        "other bytes": bytes([whole[0] ^ 1]) + whole[1:],
        "shorter": whole[:-700],
        "longer": whole[:-1] + bytes(700),
    }[how]
    (far / name).write_bytes(changed)
    with serving(far) as (url, _):
        with pytest.raises(ShardError) as caught:
            ShardSet.open(url, cache=cache, patience=HASTY)
        error = caught.value
        assert str(error.place) == f"{url}/{name}" and error.hint
        assert f"{len(whole):,}" in (error.expected or "")
        assert hashlib.sha256(whole).hexdigest() in (error.expected or "")
        if how != "longer":
            assert f"{len(changed):,}" in (error.found or "")
            assert hashlib.sha256(changed).hexdigest() in (error.found or "")
        (folder,) = cache.iterdir()
        assert name not in {n.removeprefix(".tmp-").removesuffix(".part") for n in contents(folder)}
        (far / name).write_bytes(whole)
        assert contents(ShardSet.open(url, cache=cache).path) == contents(far)


@pytest.mark.parametrize("left", [b"of something else", bytes(300_000)])
def test_a_part_of_something_else_is_fetched_anew(far: Path, cache: Path, left: bytes) -> None:
    with serving(far) as (url, _):
        folder = ShardSet.open(url, cache=cache).path
        (folder / "train-00000.tar").unlink()
        (folder / ".tmp-train-00000.tar.part").write_bytes(left)
        assert contents(ShardSet.open(url, cache=cache).path) == contents(far)


@pytest.mark.parametrize("damage", ["gone", "cut", "a link"])
@pytest.mark.parametrize("name", ["val-00000.tar", "manifest.json"])
def test_what_is_gone_from_a_cache_is_fetched_again(
    far: Path, cache: Path, tmp_path: Path, damage: str, name: str
) -> None:
    with serving(far) as (url, requests):
        path = ShardSet.open(url, cache=cache).path / name
        data = path.read_bytes()
        path.unlink()
        if damage == "cut":
            path.write_bytes(data[:-1])
        elif damage == "a link":
            path.symlink_to(tmp_path / "elsewhere")
            (path.parent / f".tmp-{name}.part").symlink_to(tmp_path / "elsewhere")
        requests.clear()
        folder = ShardSet.open(url, cache=cache).path
    assert {p for p, _ in requests} == {"/manifest.json", f"/{name}"}
    assert (folder / name).read_bytes() == data and not (folder / name).is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_other_shards_under_the_same_address_come_beside_the_old_ones(
    far: Path, cache: Path
) -> None:
    with serving(far) as (url, _):
        old = ShardSet.open(url, cache=cache)
        manifest = orjson.loads((far / "manifest.json").read_bytes())
        manifest["made_by"]["homage_sdk"] = "another"
        (far / "manifest.json").write_bytes(orjson.dumps(manifest))
        new = ShardSet.open(url, cache=cache)
    assert new.path != old.path and new.manifest.made_by["homage_sdk"] == "another"
    assert ShardSet.open(old.path).fingerprint == old.fingerprint


def test_a_cache_without_locks_is_refused(
    far: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, os.strerror(38))

    with serving(far) as (url, _):
        with monkeypatch.context() as without:
            without.setattr(fcntl, "flock", refuse)
            with pytest.raises(StorageError, match="locks"):
                ShardSet.open(url, cache=cache)
        ShardSet.open(url, cache=cache)
        monkeypatch.setattr(fcntl, "flock", refuse)
        assert len(ShardSet.open(url, cache=cache)), "what is whole needs no lock"


def test_progress_counts_every_byte_to_the_end(far: Path, cache: Path) -> None:
    told: list[tuple[int, int]] = []
    total = sum(path.stat().st_size for path in far.iterdir())
    with serving(far) as (url, _):
        folder = ShardSet.open(url, cache=cache).path
        (folder / "val-00000.tar").unlink()
        ShardSet.open(url, cache=cache, progress=lambda done, of: told.append((done, of)))
    done = [count for count, _ in told]
    assert {of for _, of in told} == {total}
    assert done == sorted(done) and done[0] > 0 and done[-1] == total


def test_what_cannot_be_fetched_is_named_in_one_line(tmp_path: Path, cache: Path) -> None:
    with serving(tmp_path) as (url, _):
        for content in (None, b"<html>welcome</html>", b"{}"):
            if content is not None:
                (tmp_path / "manifest.json").write_bytes(content)
            with pytest.raises(ShardError) as caught:
                ShardSet.open(url, cache=cache, patience=HASTY)
            assert str(caught.value).startswith(f"{url}/manifest.json")
            assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_an_interrupted_reader_of_parts_leaves_no_connection(far: Path, cache: Path) -> None:
    """A server that sends more than was asked for is left at once."""
    os.truncate(far / "train-00000.tar", 40 << 20)
    left = threading.Event()

    def watch(request: BaseHTTPRequestHandler) -> bool:
        if request.path != "/train-00000.tar":
            return False
        try:
            send(request, far)
        except OSError:
            left.set()
            raise
        return True

    with serving(far, watch) as (url, _):
        with pytest.raises(ShardError):
            ShardSet.open(url, cache=cache, patience=HASTY)
        assert left.wait(10)
