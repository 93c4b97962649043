"""Files of a far folder: how often a connection is made again, and what errors tell."""

from __future__ import annotations

import io
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import fsspec  # noqa: F401 - its registry is looked into
import pytest

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.shards.format.far import FarFolder, Patience
from tests.unit.shards.servers import begin_of, send, serving

HASTY = Patience(tries=3, pause_s=0.01, stall_s=1.0)


class Dripping(FarFolder):
    """A store whose connections end after a few bytes of a file of ``size``."""

    def __init__(self, size: int, each: int, tries: int) -> None:
        super().__init__("memory://bucket/shards", patience=Patience(tries=tries, pause_s=0))
        self.size, self.each, self.connections = size, each, 0

    def connect(self, name: str, begin: int) -> Any:
        self.connections += 1
        return io.BytesIO(bytes(max(0, min(self.each, self.size - begin))))


@pytest.mark.parametrize("tries", [0, 2, 7])
@pytest.mark.parametrize("each", [3, 2_000_000])
def test_a_file_is_connected_to_a_bounded_number_of_times(tries: int, each: int) -> None:
    """However much each connection gives."""
    far = Dripping(10 * each * (tries + 1), each, tries)
    came = 0
    with pytest.raises(ShardError) as caught:
        for part in far.parts("a.tar", 0, far.size):
            came += len(part)
    assert far.connections == tries + 1
    assert came == each * (tries + 1)
    assert str(tries + 1) in caught.value.message
    assert f"byte {came:,}" in (caught.value.found or "")
    assert caught.value.hint and str(caught.value.place) == "memory://bucket/shards/a.tar"


def test_a_file_is_whole_within_the_tries() -> None:
    far = Dripping(10 << 20, 3 << 20, tries=3)
    assert sum(map(len, far.parts("a.tar", 0, far.size))) == far.size
    assert far.connections == 4


def test_an_end_twice_in_the_same_place_is_the_end() -> None:
    far = Dripping(5_000, 5_000, tries=9)
    assert sum(map(len, far.parts("a.tar", 0, 9_000))) == 5_000
    assert far.connections == 2


def test_no_more_of_a_small_file_is_taken_than_a_part_beyond_its_limit() -> None:
    far = Dripping(50 << 20, 50 << 20, tries=1)
    assert 1000 < len(far.read("manifest.json", 1000)) <= 1000 + (1 << 20)
    assert len(far.read("manifest.json", 50 << 20)) == 50 << 20


def test_a_password_in_an_address_is_used_and_never_shown() -> None:
    asked: list[str] = []

    def refuse(request: BaseHTTPRequestHandler) -> bool:
        asked.append(request.headers.get("Authorization", ""))
        request.send_error(401)
        return True

    pytest.importorskip("aiohttp")
    with serving(Path("nowhere"), refuse) as (url, _):
        far = FarFolder(url.replace("//", "//somebody:secret@"))
        with pytest.raises(ShardError) as caught:
            far.read("manifest.json", 100)
    assert asked[0].startswith("Basic ") and len(asked) == 1
    assert str(caught.value).startswith("http://***@127") and "401" in str(caught.value)
    assert "secret" not in f"{caught.value}{far.place('x')}{far.address!r}"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_lost_connection_is_made_again_where_it_stopped(tmp_path: Path, ranges: bool) -> None:
    pytest.importorskip("aiohttp")
    content = bytes(range(256)) * 1000
    (tmp_path / "a.tar").write_bytes(content)
    cuts = iter([70_000, 100_000])
    received = bytearray()
    begins = []

    def twice(request: BaseHTTPRequestHandler) -> bool:
        begins.append((begin_of(request), len(received)))
        cut = next(cuts, None)
        if cut is not None:
            send(
                request,
                tmp_path,
                ranges=ranges,
                at_most=cut - (begin_of(request) if ranges else 0),
                arrived=lambda: len(received) == cut,
            )
        return cut is not None

    with serving(tmp_path, twice, ranges=ranges) as (url, _):
        for part in FarFolder(url, patience=HASTY).parts("a.tar", 0, len(content)):
            received += part
    assert received == content
    assert begins == [(0, 0), (70_000, 70_000), (100_000, 100_000)]


def test_a_server_that_recovers_is_waited_for(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    (tmp_path / "a").write_bytes(b"at last")
    answers = iter([503, 500, 429])

    def first(request: BaseHTTPRequestHandler) -> bool:
        status = next(answers, None)
        if status is None:
            return False
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    with serving(tmp_path, first) as (url, _):
        assert FarFolder(url, patience=HASTY).read("a", 100) == b"at last"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    pytest.importorskip("aiohttp")

    def refuse(request: BaseHTTPRequestHandler) -> bool:
        request.send_error(status)
        return True

    with serving(Path("nowhere"), refuse) as (url, requests):
        with pytest.raises(ShardError) as caught:
            FarFolder(url, patience=HASTY).read("manifest.json", 100)
        assert str(caught.value.place) == f"{url}/manifest.json"
        assert status == 404 or str(status) in (caught.value.found or "")
        assert len(requests) == 1 and "\n" not in str(caught.value)


def test_a_silent_server_counts_as_lost(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")

    def silent(request: BaseHTTPRequestHandler) -> bool:
        time.sleep(1.5)
        request.close_connection = True
        return True

    start = time.monotonic()
    with serving(tmp_path, silent) as (url, requests), pytest.raises(ShardError):
        FarFolder(url, patience=Patience(tries=1, pause_s=0.01, stall_s=0.5)).read("a", 100)
    assert time.monotonic() - start < 10 and len(requests) == 2


def test_nobody_there_is_said_in_one_line() -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(ShardError) as caught:
        FarFolder("http://127.0.0.1:9", patience=Patience(1, 0.01)).read("manifest.json", 100)
    assert "\n" not in str(caught.value) and "2 times" in caught.value.message


def test_local_folders_are_read_however_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data:v2/shards", "file:x", "plain"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a").write_text(name)
    plain = tmp_path / "plain"
    for url, said in (
        ("data:v2/shards", "data:v2/shards"),
        (Path("data:v2/shards"), "data:v2/shards"),
        (Path("file:x"), "file:x"),
        (plain, "plain"),
        (f"file:{plain}", "plain"),
        (f"file://{plain}/", "plain"),
    ):
        assert FarFolder(url).read("a", 100) == said.encode()
    with pytest.raises(ShardError):
        FarFolder(Path("pipe:touch trace")).read("a", 100)


@pytest.mark.parametrize(
    ("url", "hidden", "package"),
    [
        ("http://host/x", "aiohttp", "homage-sdk[remote]"),
        ("s3://bucket/x", "s3fs", "homage-sdk[s3]"),
        ("gs://bucket/x", "gcsfs", "gcsfs"),
    ],
)
def test_a_missing_package_is_said_with_how_to_install_it(
    url: str, hidden: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = sys.modules["fsspec.registry"]._registry
    monkeypatch.setitem(sys.modules, hidden, None)
    monkeypatch.delitem(known, url.partition(":")[0], raising=False)
    with pytest.raises(UsageError) as caught:
        FarFolder(url).read("manifest.json", 100)
    assert caught.value.hint == f"pip install '{package}'"
