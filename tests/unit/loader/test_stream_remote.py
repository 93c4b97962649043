"""Streams over http and object stores: the same bytes, whatever the connection does."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import fsspec
import pytest

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import LoaderOptions, StreamLoader
from homage_sdk.shards import stream as stream_module
from homage_sdk.shards.remote import Patience
from tests.unit.loader.batches import all_same, take
from tests.unit.loader.servers import begin_of, send, serving

pytest.importorskip("aiohttp")

OPTIONS = LoaderOptions(modalities=("ego", "third", "audio"), batch_size=1, blocks=4, size=64)
HASTY = Patience(tries=3, pause_s=0.01, stall_s=1.0)


@pytest.fixture
def memory(barcode_shards: Path) -> Iterator[str]:
    for path in barcode_shards.iterdir():
        with fsspec.open(f"memory://bucket/shards/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    yield "memory://bucket/shards"
    fsspec.filesystem("memory").rm("/bucket", recursive=True)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ranges", [True, False])
def test_http_gives_the_same_stream(
    barcode_shards: Path, ranges: bool, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From servers with and without ranges, whole and resumed."""
    monkeypatch.setattr(stream_module, "_SKIP_BYTES", 0)
    whole = take(StreamLoader(barcode_shards, OPTIONS), 7)
    with serving(barcode_shards, ranges=ranges) as (url, requests):
        loader = StreamLoader(url, OPTIONS.with_(workers=workers))
        requests.clear()
        assert all_same(whole[:5], list(loader))
        assert len(requests) == len({path for path, _ in requests})  # each shard once
        loader.load_state_dict({"seed": 0, "epoch": 0, "position": 3})
        assert all_same(whole[3:], take(loader, 4))


def test_an_object_store_gives_the_same_stream(barcode_shards: Path, memory: str) -> None:
    whole = take(StreamLoader(barcode_shards, OPTIONS), 7)
    loader = StreamLoader(memory, OPTIONS)
    loader.load_state_dict({"seed": 0, "epoch": 0, "position": 2})
    assert all_same(whole[2:], take(loader, 5))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_lost_connection_is_made_again_where_it_stopped(
    barcode_shards: Path, ranges: bool
) -> None:
    size = min(path.stat().st_size for path in barcode_shards.glob("*.tar"))
    lost: dict[str, int] = {}

    def twice(request: BaseHTTPRequestHandler) -> bool:
        count = lost.setdefault(request.path, 0)
        if count == 2 or not request.path.endswith(".tar"):
            return False
        lost[request.path] += 1
        at_most = size // 3 * (1 if ranges else count + 1)
        send(request, barcode_shards, ranges=ranges, at_most=at_most)
        return True

    with serving(barcode_shards, twice, ranges=ranges) as (url, requests):
        loader = StreamLoader(url, OPTIONS, patience=HASTY)
        assert all_same(list(StreamLoader(barcode_shards, OPTIONS)), list(loader))
    lost = {path: count for path, count in lost.items() if path.endswith(".tar")}
    assert lost and set(lost.values()) == {2}
    shard = next(iter(lost))
    begins = [asked for path, asked in requests if path == shard]
    assert begins[0] == "" and len(begins) == 3 and all(begins[1:])


def test_a_server_that_recovers_is_waited_for(barcode_shards: Path) -> None:
    answers = iter([503, 500, 429])

    def first(request: BaseHTTPRequestHandler) -> bool:
        status = next(answers, None)
        if status is None:
            return False
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    with serving(barcode_shards, first) as (url, _):
        assert len(StreamLoader(url, OPTIONS, patience=HASTY)) == 5


def test_a_connection_lost_again_and_again_names_address_byte_and_what_to_do(
    barcode_shards: Path,
) -> None:
    def stuck(request: BaseHTTPRequestHandler) -> bool:
        if not request.path.endswith(".tar"):
            return False
        send(request, barcode_shards, at_most=max(0, 5_000 - begin_of(request)))
        return True

    with serving(barcode_shards, stuck) as (url, requests):
        for workers in (0, 2):
            requests.clear()
            loader = StreamLoader(url, OPTIONS.with_(workers=workers), patience=HASTY)
            with pytest.raises(ShardError) as caught:
                list(loader)
            said = str(caught.value)
            assert said.startswith(url) and "\n" not in said
            assert ".tar: the connection is lost again and again" in said
            assert "at byte 5,000, after 3 new tries" in said and "last state" in said
            assert sum(path.endswith(".tar") for path, _ in requests) <= 1 + 3 + 1


def test_a_silent_server_counts_as_lost(barcode_shards: Path) -> None:
    import time

    def silent(request: BaseHTTPRequestHandler) -> bool:
        if request.path.endswith(".tar"):
            time.sleep(1.5)
            request.close_connection = True
            return True
        return False

    start = time.monotonic()
    with serving(barcode_shards, silent) as (url, _):
        loader = StreamLoader(url, OPTIONS, patience=Patience(tries=1, pause_s=0.01, stall_s=0.5))
        with pytest.raises(ShardError, match="lost again and again"):
            list(loader)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_tried_again(barcode_shards: Path, status: int) -> None:
    def refuse(request: BaseHTTPRequestHandler) -> bool:
        request.send_error(status)
        return True

    with serving(barcode_shards, refuse) as (url, requests):
        said = "no such file" if status == 404 else f"cannot be read; found .*{status}"
        with pytest.raises(ShardError, match=rf"^{url}/manifest\.json: {said}") as caught:
            StreamLoader(url, OPTIONS, patience=HASTY)
        assert len(requests) == 1 and "\n" not in str(caught.value)


def test_nobody_there_is_said_in_one_line() -> None:
    with pytest.raises(ShardError, match=r"manifest\.json: the connection is lost") as caught:
        StreamLoader("http://127.0.0.1:9", OPTIONS, patience=Patience(1, 0.01))
    assert "\n" not in str(caught.value)


def test_a_wrong_manifest_is_said_in_one_line(barcode_shards: Path, tmp_path: Path) -> None:
    for content, said in (
        (b"<html>welcome</html>", "no JSON"),
        (b"{}", "not a manifest"),
        (gzip.compress((barcode_shards / "manifest.json").read_bytes()), "no JSON"),
    ):
        (tmp_path / "manifest.json").write_bytes(content)
        with (
            serving(tmp_path) as (url, _),
            pytest.raises(ShardError, match=rf"^{url}/manifest\.json: .*{said}") as caught,
        ):
            StreamLoader(url, OPTIONS, patience=HASTY)
        assert "\n" not in str(caught.value)


def test_a_store_whose_package_is_not_installed_is_named() -> None:
    with pytest.raises(UsageError, match=r"another package.*adlfs"):
        StreamLoader("az://bucket/shards", OPTIONS)
