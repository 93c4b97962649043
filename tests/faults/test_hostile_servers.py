"""Shards from a stranger's server: refused with a reason, in bounded memory and time."""

from __future__ import annotations

import functools
import gzip
import resource
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.loader import LoaderOptions, webdataset_stream
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.far import Patience
from tests.faults.hostile import info
from tests.unit.shards.servers import serving

pytest.importorskip("aiohttp")

OPTIONS = LoaderOptions(mode="eval", batch_size=2, blocks=2, size=64, modalities=("audio",))
HASTY = Patience(tries=2, pause_s=0.01, stall_s=1.0)
ZEROS = bytes(1 << 20)
Handler = BaseHTTPRequestHandler
Behave = Callable[[Handler, bytes], None]
Refused = Callable[[str, Behave], HomageError]


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Memory stays small, time stays short."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # kB
    assert time.monotonic() - start < 60


@pytest.fixture(params=["cache", "stream"])
def refused(request: pytest.FixtureRequest, small_shards: Path, tmp_path: Path) -> Refused:
    """What is said of a server that behaves so for files whose names end like this."""

    def refused(name: str, behave: Behave) -> HomageError:
        def answer(request: Handler) -> bool:
            if not request.path.endswith(name):
                return False
            behave(request, (small_shards / request.path.lstrip("/")).read_bytes())
            return True

        cache = tmp_path / "cache"
        with serving(small_shards, answer) as (url, requests), pytest.raises(HomageError) as caught:
            if request.param == "cache":
                ShardSet.open(url, cache=cache, patience=HASTY)
            else:
                list(webdataset_stream(url, OPTIONS, patience=HASTY))
        said = str(caught.value)
        assert said.startswith(url) and "\n" not in said and len(said) < 700
        assert caught.value.place is not None and name in caught.value.place.file
        assert len([path for path, _ in requests if path.endswith(name)]) < 12
        for path in cache.rglob("*"):
            if path.is_file() and not path.name.startswith(".tmp-"):
                assert path.read_bytes() == (small_shards / path.name).read_bytes()
        return caught.value

    return refused


def head(request: Handler, status: int, **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()


def fall_silent(request: Handler) -> None:
    """A lost connection that loses nothing sent: the reader leaves when its patience ends.

    Where a server ends it, the HTTP client may drop what came together with the end.
    """
    request.rfile.read(1)
    request.close_connection = True


def endless(request: Handler, data: bytes) -> None:
    head(request, 200, Connection="close")
    request.wfile.write(data)
    for _ in range(2000):  # two gigabytes, unless the reader leaves
        request.wfile.write(ZEROS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest.json", "index.parquet", ".tar"])
def test_an_endless_body_is_left(refused: Refused, name: str) -> None:
    assert isinstance(refused(name, endless), ShardError)


def test_an_endless_member_is_not_believed(refused: Refused) -> None:
    """A header that claims two gigabytes, and a server that delivers them."""

    def behave(request: Handler, data: bytes) -> None:
        endless(request, info("p0001_r000_a000.v000.mp4", 1_900_000_000).tobuf())

    assert isinstance(refused(".tar", behave), ShardError)


@pytest.mark.parametrize("length", [0, 700, 512 * 3])
@pytest.mark.parametrize("name", ["manifest.json", ".tar"])
def test_a_content_length_that_is_too_small_is_refused(
    refused: Refused, name: str, length: int
) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(length))
        request.wfile.write(data[:length])

    assert isinstance(refused(name, behave), ShardError)


def test_a_content_length_that_is_too_large_is_refused(refused: Refused) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(len(data) + 1000), Connection="close")
        request.wfile.write(data)
        request.close_connection = True

    assert "3 times" in refused("manifest.json", behave).message


@pytest.mark.parametrize("length", ["-1", "1e9", "banana", "9" * 40])
def test_a_content_length_that_is_no_length_is_refused(refused: Refused, length: str) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=length, Connection="close")
        request.close_connection = True

    assert isinstance(refused("manifest.json", behave), ShardError)


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "pipe:touch trace",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "data:application/json,{}",
        "//",
        "http://[",
    ],
)
@pytest.mark.parametrize("name", ["manifest.json", ".tar"])
def test_redirects_to_anything_but_http_are_refused(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    def behave(request: Handler, data: bytes) -> None:
        head(request, 302, Location=target, Content_Length="0")

    assert "root:" not in str(refused(name, behave))
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


def test_redirects_in_a_circle_are_left(refused: Refused) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 302, Location=request.path, Content_Length="0")

    assert isinstance(refused("manifest.json", behave), ShardError)


def test_a_redirect_to_http_is_followed(small_shards: Path, tmp_path: Path) -> None:
    with serving(small_shards) as (there, _):

        def elsewhere(request: Handler) -> bool:
            head(request, 307, Location=there + request.path, Content_Length="0")
            return True

        with serving(small_shards, elsewhere) as (url, _):
            assert len(ShardSet.open(url, cache=tmp_path)) > 1
            assert len(list(webdataset_stream(url, OPTIONS))) > 1


@functools.cache
def bomb() -> bytes:
    """Four hundred megabytes in four hundred kilobytes."""
    return gzip.compress(bytes(400_000_000), 1)


@pytest.mark.parametrize("name", ["manifest.json", "index.parquet", ".tar"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_body_is_not_unpacked(refused: Refused, name: str, coding: str) -> None:
    content = bomb() if coding == "gzip" else ZEROS

    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Encoding=coding, Content_Length=str(len(content)))
        request.wfile.write(content)

    assert coding in (refused(name, behave).found or "")


def test_another_part_than_was_asked_for_is_refused(refused: Refused) -> None:
    """After a lost connection, the wrong bytes come under the right status."""

    def behave(request: Handler, data: bytes) -> None:
        if "Range" not in request.headers:
            head(request, 200, Content_Length=str(len(data)))
            request.wfile.write(data[: len(data) // 2])
            fall_silent(request)
            return
        head(request, 206, Content_Range=f"bytes 0-9/{len(data)}", Content_Length="10")
        request.wfile.write(data[:10])

    assert "bytes 0-9" in (refused(".tar", behave).found or "")


def test_other_bytes_after_a_lost_connection_are_found_out(refused: Refused) -> None:
    """A file that was swapped meanwhile: sizes and headers fit, contents do not."""

    def behave(request: Handler, data: bytes) -> None:
        asked = request.headers.get("Range", "")
        begin = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        if not begin:
            head(request, 200, Content_Length=str(len(data)))
            request.wfile.write(data[:1200])
            fall_silent(request)
            return
        other = data[begin:].replace(b"first_frame", b"worst_frame")
        head(request, 206, Content_Range=f"bytes {begin}-", Content_Length=str(len(other)))
        request.wfile.write(other)

    assert isinstance(refused(".tar", behave), ShardError)


@pytest.mark.slow
def test_a_drip_is_not_waited_for(refused: Refused) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(len(data)))
        for at in range(len(data)):
            request.wfile.write(data[at : at + 1])
            request.wfile.flush()
            time.sleep(0.05)

    assert "1 kB/s" in (refused("manifest.json", behave).found or "")


def test_a_page_in_place_of_a_shard_is_no_shard(refused: Refused) -> None:
    page = b"<html>" + b"please sign in " * 100

    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(len(page)), Content_Type="text/html")
        request.wfile.write(page)

    assert isinstance(refused(".tar", behave), ShardError)


def test_headers_without_end_are_left(refused: Refused) -> None:
    def behave(request: Handler, data: bytes) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n")
        request.close_connection = True

    assert isinstance(refused("manifest.json", behave), ShardError)
