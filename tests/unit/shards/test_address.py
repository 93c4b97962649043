"""Where shards lie, what of an address is shown, and how often a connection is made again."""

from __future__ import annotations

import io
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import fsspec  # noqa: F401 - its registry is looked into
import pytest

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.shards.address import Address
from homage_sdk.shards.remote import Patience, Remote
from tests.unit.loader.servers import serving


class Dripping(Remote):
    """A store whose connections end after a few bytes of a file of ``size``."""

    def __init__(self, size: int, each: int, tries: int) -> None:
        super().__init__("memory://bucket/shards", patience=Patience(tries=tries, pause_s=0))
        self.size, self.each, self.connections = size, each, 0

    def connect(self, name: str, begin: int) -> Any:
        self.connections += 1
        return io.BytesIO(bytes(max(0, min(self.each, self.size - begin))))


def test_a_server_that_ends_early_each_time_is_asked_a_bounded_number_of_times() -> None:
    remote = Dripping(30_000, 3, tries=2)
    with (
        pytest.raises(ShardError, match=r"again and again.*at byte 9, after 2 new tries"),
        remote.open("a.tar", 0, remote.size) as file,
    ):
        file.read()
    assert remote.connections == 3


def test_early_ends_are_counted_anew_with_every_megabyte() -> None:
    remote = Dripping(10 << 20, 600_000, tries=2)
    with remote.open("a.tar", 0, remote.size) as file:
        assert len(file.read()) == remote.size
    assert remote.connections == -(-remote.size // 600_000)


def test_an_end_twice_in_the_same_place_is_the_end() -> None:
    remote = Dripping(5_000, 5_000, tries=1)
    with remote.open("a.tar", 0, 9_000) as file:
        assert len(file.read()) == 5_000
    assert remote.connections == 2


def test_a_password_in_an_address_is_used_and_never_shown() -> None:
    asked: list[str] = []

    def refuse(request: BaseHTTPRequestHandler) -> bool:
        asked.append(request.headers.get("Authorization", ""))
        request.send_error(401)
        return True

    pytest.importorskip("aiohttp")
    with serving(Path("nowhere"), refuse) as (url, _):
        remote = Remote(url.replace("//", "//somebody:secret@"))
        with pytest.raises(ShardError, match=r"^http://\*\*\*@127.*401") as caught:
            remote.read("manifest.json", 100)
    assert asked[0].startswith("Basic ")
    assert "secret" not in f"{caught.value}{remote.url}{remote.address!r}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://token@host/x", "http://***@host/x"),
        ("https://me:s@cret@host/x@y", "https://***@host/x@y"),
        ("s3://key:secret@bucket/x", "s3://***@bucket/x"),
        ("abfs://container@account/x", "abfs://container@account/x"),
        ("http://host/x@y:z/", "http://host/x@y:z"),
    ],
)
def test_only_what_is_secret_is_left_out(url: str, shown: str) -> None:
    address = Address.of(url)
    assert (address.shown, address.path) == (shown, url.rstrip("/"))
    assert address.hide(f"no {url}") == f"no {shown}" + "/" * url.endswith("/")


def test_an_address_with_a_query_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError, match=r"^https://host/x: an address with a query") as caught:
        Address.of("https://host/x?sig=abc")
    assert "abc" not in str(caught.value) and "storage" in str(caught.value)


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
        assert Remote(url).read("a", 100) == said.encode()
    with pytest.raises(ShardError, match="no such file"):
        Remote(Path("pipe:touch trace")).read("a", 100)
    for url in ("data:v3/shards", "pipe:cat plain/a", "x" * 300 + ":y", "a:\0"):
        with pytest.raises(UsageError, match="an address of a kind that is not read"):
            Remote(url)


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
    with pytest.raises(UsageError, match="needs another package") as caught:
        Remote(url).read("manifest.json", 100)
    assert f"(pip install '{package}')" in str(caught.value)
