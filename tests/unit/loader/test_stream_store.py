"""Streams from an S3 store: a real client, a pretended service on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.errors import ShardError
from homage_sdk.loader import LoaderOptions, StreamLoader
from homage_sdk.shards import stream as stream_module
from homage_sdk.shards.remote import Patience
from tests.unit.loader.batches import all_same, take

s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server", exc_type=ImportError)

OPTIONS = LoaderOptions(modalities=("ego", "third", "audio"), batch_size=1, blocks=4, size=64)
HASTY = Patience(tries=1, pause_s=0.01)


@pytest.fixture
def store(barcode_shards: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Options of a store that holds the shards below s3://bucket/shards."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "x",
        "secret": "y",
        "client_kwargs": {"endpoint_url": f"http://{host}:{port}"},
        "skip_instance_cache": True,
    }
    system = s3fs.S3FileSystem(**options)
    if not system.exists("bucket"):  # the pretended service remembers, within a process
        system.mkdir("bucket")
        system.put(str(barcode_shards), "bucket/shards", recursive=True)
    yield options
    server.stop()


@pytest.mark.parametrize("workers", [0, 2])
def test_s3_gives_the_same_stream(
    barcode_shards: Path, store: dict[str, Any], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, and resumed in the middle of a shard."""
    monkeypatch.setattr(stream_module, "_SKIP_BYTES", 0)
    whole = take(StreamLoader(barcode_shards, OPTIONS), 7)
    chosen = OPTIONS.with_(workers=workers)
    loader = StreamLoader("s3://bucket/shards", chosen, storage=store, verify=True)
    assert all_same(whole[:5], list(loader))
    resumed = StreamLoader("s3://bucket/shards", chosen, storage=store)
    resumed.load_state_dict({"seed": 0, "epoch": 0, "position": 2})
    assert all_same(whole[2:], take(resumed, 5))


def test_what_a_store_refuses_is_one_line(store: dict[str, Any]) -> None:
    for url, said in (
        ("s3://bucket/elsewhere", r"^s3://bucket/elsewhere/manifest\.json: no such file$"),
        ("s3://nobucket/shards", r"^s3://nobucket/shards/manifest\.json: "),
    ):
        with pytest.raises(ShardError, match=said) as caught:
            StreamLoader(url, OPTIONS, storage=store, patience=HASTY)
        assert "\n" not in str(caught.value)


def test_missing_credentials_are_said_in_one_line(
    store: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    bare = {name: value for name, value in store.items() if name not in ("key", "secret")}
    with pytest.raises(ShardError, match=r"manifest\.json: .*[Cc]redentials") as caught:
        StreamLoader("s3://bucket/shards", OPTIONS, storage=bare, patience=HASTY)
    assert "\n" not in str(caught.value)
