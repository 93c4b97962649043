"""Which addresses are read, and what of one is shown."""

from __future__ import annotations

import pytest

from homage_sdk.errors import UsageError
from homage_sdk.shards.format.address import Address


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


@pytest.mark.parametrize(
    "url",
    [
        "pipe:touch trace",
        "pipe: curl http://example.org/x.tar",
        "file:///x/{000..999}.tar::pipe:touch trace",
        "gopen:trace",
        "ftp://example.org/shards",
        "simplecache::pipe:touch trace",
        "ssh://example.org/x",
        "local-shell:touch trace",
        "data:v3/shards",
        "x" * 300 + ":y",
        "a:\0",
    ],
)
def test_addresses_of_other_kinds_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        Address.of(url)
