"""Shards from a stranger's server: refused with a reason, in bounded memory and time."""

from __future__ import annotations

import gzip
import resource
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.loader import LoaderOptions, StreamLoader
from homage_sdk.shards.remote import Patience
from tests.unit.loader.servers import serving

pytest.importorskip("aiohttp")

OPTIONS = LoaderOptions(mode="eval", batch_size=2, blocks=2, size=64, modalities=("audio",))
HASTY = Patience(tries=2, pause_s=0.01, stall_s=1.0)
ZEROS = bytes(1 << 20)
Handler = BaseHTTPRequestHandler


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Memory stays small, time stays short."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # kB
    assert time.monotonic() - start < 60


def refused(folder: Path, name: str, behave: Callable[[Handler, bytes], None]) -> str:
    """What a stream says whose server behaves so for files whose names end like this."""

    def answer(request: Handler) -> bool:
        if not request.path.endswith(name):
            return False
        behave(request, (folder / request.path.lstrip("/")).read_bytes())
        return True

    with serving(folder, answer) as (url, requests), pytest.raises(HomageError) as caught:
        for _ in StreamLoader(url, OPTIONS, patience=HASTY):
            pass
    said = str(caught.value)
    assert said.startswith(url) and "\n" not in said and len(said) < 600
    assert len([path for path, _ in requests if path.endswith(name)]) < 12
    return said


def head(request: Handler, status: int, **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()


def endless(request: Handler, data: bytes) -> None:
    head(request, 200, Connection="close")
    request.wfile.write(data)
    for _ in range(2000):  # two gigabytes, unless the reader leaves
        request.wfile.write(ZEROS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("manifest.json", "absurd size"),
        ("index.parquet", "not the one of the manifest"),
        (".tar", "something follows the end"),
    ],
)
def test_an_endless_body_is_left(small_shards: Path, name: str, said: str) -> None:
    assert said in refused(small_shards, name, endless)


def test_an_endless_member_is_not_believed(small_shards: Path) -> None:
    """A header that claims two gigabytes, and a server that delivers them."""
    from tests.faults.hostile import info

    def behave(request: Handler, data: bytes) -> None:
        endless(request, info("p0001_r000_a000.v000.mp4", 1_900_000_000).tobuf())

    assert "cut short" in refused(small_shards, ".tar", behave)


@pytest.mark.parametrize("length", [0, 700, 512 * 3])
def test_a_content_length_that_is_too_small_is_refused(small_shards: Path, length: int) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(length))
        request.wfile.write(data[:length])

    assert "cut short" in refused(small_shards, ".tar", behave)
    assert refused(small_shards, "manifest.json", behave)


def test_a_content_length_that_is_too_large_is_refused(small_shards: Path) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(len(data) + 1000), Connection="close")
        request.wfile.write(data)
        request.close_connection = True

    assert "lost again and again" in refused(small_shards, "manifest.json", behave)


@pytest.mark.parametrize("length", ["-1", "1e9", "banana", "9" * 40])
def test_a_content_length_that_is_no_length_is_refused(small_shards: Path, length: str) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=length, Connection="close")
        request.close_connection = True

    assert refused(small_shards, "manifest.json", behave)


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
    small_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    def behave(request: Handler, data: bytes) -> None:
        head(request, 302, Location=target, Content_Length="0")

    said = refused(small_shards, name, behave)
    assert "cannot be read" in said and "root:" not in said
    assert not list(tmp_path.iterdir())


def test_redirects_in_a_circle_are_left(small_shards: Path) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 302, Location=request.path, Content_Length="0")

    assert "cannot be read" in refused(small_shards, "manifest.json", behave)


def test_a_redirect_to_http_is_followed(small_shards: Path) -> None:
    with serving(small_shards) as (there, _):

        def elsewhere(request: Handler) -> bool:
            head(request, 307, Location=there + request.path, Content_Length="0")
            return True

        with serving(small_shards, elsewhere) as (url, _):
            assert len(list(StreamLoader(url, OPTIONS))) > 1


@pytest.mark.parametrize("name", ["manifest.json", "index.parquet", ".tar"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_packed_body_is_not_unpacked(small_shards: Path, name: str, coding: str) -> None:
    """Four hundred megabytes in four hundred kilobytes."""
    bomb = gzip.compress(bytes(400_000_000), 1) if coding == "gzip" else ZEROS

    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Encoding=coding, Content_Length=str(len(bomb)))
        request.wfile.write(bomb)

    assert "the server packs what it sends" in refused(small_shards, name, behave)


def test_another_part_than_was_asked_for_is_refused(small_shards: Path) -> None:
    """After a lost connection, the wrong bytes come under the right status."""

    def behave(request: Handler, data: bytes) -> None:
        if "Range" not in request.headers:
            head(request, 200, Content_Length=str(len(data)))
            request.wfile.write(data[:5000])
            request.wfile.flush()
            time.sleep(0.1)
            request.close_connection = True
            return
        head(request, 206, Content_Range=f"bytes 0-9/{len(data)}", Content_Length="10")
        request.wfile.write(data[:10])

    assert "another part than was asked for" in refused(small_shards, ".tar", behave)


def test_other_bytes_after_a_lost_connection_are_found_out(small_shards: Path) -> None:
    """A file that was swapped meanwhile: sizes and headers fit, contents do not."""

    def behave(request: Handler, data: bytes) -> None:
        asked = request.headers.get("Range", "")
        begin = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        if not begin:
            head(request, 200, Content_Length=str(len(data)))
            request.wfile.write(data[:1200])
            request.wfile.flush()
            time.sleep(0.1)
            request.close_connection = True
            return
        other = data[begin:].replace(b"first_frame", b"worst_frame")
        head(request, 206, Content_Range=f"bytes {begin}-", Content_Length=str(len(other)))
        request.wfile.write(other)

    assert "a member is damaged" in refused(small_shards, ".tar", behave)


def test_a_drip_is_not_waited_for(small_shards: Path) -> None:
    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(len(data)))
        for at in range(len(data)):
            request.wfile.write(data[at : at + 1])
            request.wfile.flush()
            time.sleep(0.05)

    said = refused(small_shards, "manifest.json", behave)
    assert "lost again and again" in said and "less than 1 kB/s" in said


def test_a_page_in_place_of_a_shard_is_no_shard(small_shards: Path) -> None:
    page = b"<html>" + b"please sign in " * 100

    def behave(request: Handler, data: bytes) -> None:
        head(request, 200, Content_Length=str(len(page)), Content_Type="text/html")
        request.wfile.write(page)

    assert "not a tar header" in refused(small_shards, ".tar", behave)


def test_headers_without_end_are_left(small_shards: Path) -> None:
    def behave(request: Handler, data: bytes) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n")
        request.close_connection = True

    with pytest.raises(ShardError), serving(small_shards, None):
        raise ShardError(refused(small_shards, "manifest.json", behave))
