"""Shards from an S3 store: a real client, a pretended service on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.errors import ShardError
from homage_sdk.loader import LoaderOptions, webdataset_stream
from homage_sdk.shards import ShardSet, verify
from homage_sdk.shards.format.far import Patience
from tests.unit.loader.batches import rows

s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server", exc_type=ImportError)

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


@pytest.mark.slow
def test_s3_shards_are_fetched_whole(
    barcode_shards: Path, store: dict[str, Any], tmp_path: Path
) -> None:
    shards = ShardSet.open("s3://bucket/shards", cache=tmp_path, storage=store)
    assert verify(shards.path) == []
    assert shards.fingerprint == ShardSet.open(barcode_shards).fingerprint


@pytest.mark.slow
def test_a_cut_s3_download_goes_on_where_it_stopped(
    barcode_shards: Path, store: dict[str, Any], tmp_path: Path
) -> None:
    folder = ShardSet.open("s3://bucket/shards", cache=tmp_path, storage=store).path
    whole = (folder / "val-00000.tar").read_bytes()
    (folder / "val-00000.tar").unlink()
    (folder / ".tmp-val-00000.tar.part").write_bytes(whole[:30_000])
    told: list[int] = []
    shards = ShardSet.open(
        "s3://bucket/shards",
        cache=tmp_path,
        storage=store,
        progress=lambda done, of: told.append(of - done),
    )
    assert verify(shards.path) == []
    assert told[0] - told[1] == 30_000, "what was there already is not fetched again"
    assert told[-1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_s3_gives_the_same_pure_stream(
    barcode_shards: Path, store: dict[str, Any], workers: int
) -> None:
    options = LoaderOptions(mode="eval", batch_size=1, blocks=4, size=64, workers=workers)
    far = list(webdataset_stream("s3://bucket/shards", options, storage=store))
    near = list(webdataset_stream(barcode_shards, options))
    assert sorted(rows(far), key=repr) == sorted(rows(near), key=repr) != []


@pytest.mark.slow
def test_what_a_store_refuses_is_one_line(store: dict[str, Any], tmp_path: Path) -> None:
    for url in ("s3://bucket/elsewhere", "s3://nobucket/shards"):
        with pytest.raises(ShardError) as caught:
            ShardSet.open(url, cache=tmp_path, storage=store, patience=HASTY)
        assert str(caught.value).startswith(f"{url}/manifest.json: ")
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
        ShardSet.open("s3://bucket/shards", cache=tmp_path, storage=bare, patience=HASTY)
    assert "\n" not in str(caught.value)
