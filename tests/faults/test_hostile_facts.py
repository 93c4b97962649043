"""Manifests, indexes and descriptions that parse and lie: one ShardError, never another error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homage_sdk.errors import ShardError
from homage_sdk.loader import webdataset_stream
from homage_sdk.shards import ShardSet, verify
from homage_sdk.shards.format.index import INDEX_SCHEMA
from tests.faults.hostile import OPTIONS, bounded, copy, replace

__all__ = ["bounded", "copy"]  # fixtures

FACTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no stride": lambda m: m["options"].pop("stride"),
    "a stride of 0": lambda m: m["options"].update(stride=0),
    "a word for a stride": lambda m: m["options"].update(stride="x"),
    "no rate of sound": lambda m: m["options"].pop("audio_rate"),
    "a rate of sound of 0": lambda m: m["options"].update(audio_rate=0),
    "a word for a duration": lambda m: m["options"].update(clip_s="x"),
    "a number for a preset": lambda m: m["options"].update(x264_preset=3),
    "an option that nobody knows": lambda m: m["options"].update(surprise=1),
    "an activity beyond the classes": lambda m: m["samples"][0].update(activity_id=10**6),
    "an activity without any classes": lambda m: m["taxonomy"].pop("activity"),
    "an index of absurd size": lambda m: m["index"].update(bytes=2**40),
}


@pytest.mark.parametrize("lie", FACTS)
def test_a_manifest_that_lies_is_refused_at_every_door(copy: Path, lie: str) -> None:
    manifest = orjson.loads((copy / "manifest.json").read_bytes())
    FACTS[lie](manifest)
    (copy / "manifest.json").write_bytes(orjson.dumps(manifest))
    for door in (ShardSet.open, lambda folder: webdataset_stream(folder, OPTIONS)):
        with pytest.raises(ShardError, match=r"manifest\.json") as caught:
            door(copy)
        assert "\n" not in str(caught.value)
    assert [p.code for p in verify(copy, deep=True)] == ["HOM901"]


def seal_index(folder: Path, table: pa.Table) -> None:
    """Put an index there that the manifest vouches for."""
    pq.write_table(table, folder / "index.parquet")
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    data = (folder / "index.parquet").read_bytes()
    manifest["index"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))


def column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(INDEX_SCHEMA.get_field_index(name), INDEX_SCHEMA.field(name), values)


@pytest.mark.parametrize("offset", [0, 511, 513])
def test_an_index_row_without_room_for_its_header_is_refused(copy: Path, offset: int) -> None:
    table = pq.read_table(copy / "index.parquet")
    offsets = [offset, *table["offset"].to_pylist()[1:]]
    seal_index(copy, column(table, "offset", pa.array(offsets)))
    refused(copy, "an invalid row")


@pytest.mark.parametrize("name", ["sample", "member", "shard"])
def test_an_index_with_a_name_that_is_no_text_is_refused(copy: Path, name: str) -> None:
    table = pq.read_table(copy / "index.parquet")
    names = [b"\xff\xfe", *(value.encode() for value in table[name].to_pylist()[1:])]
    seal_index(copy, column(table, name, pa.array(names, pa.binary()).view(pa.string())))
    refused(copy, "the index cannot be read")


def refused(folder: Path, message: str) -> None:
    """What both doors and ``verify`` say of a bad index."""
    for door in (ShardSet.locations, lambda shards: webdataset_stream(shards.path, OPTIONS)):
        with pytest.raises(ShardError, match=rf"index\.parquet: {message}") as caught:
            door(ShardSet.open(folder))
        assert "\n" not in str(caught.value) and "homage repair SHARDS CATALOG" in str(caught.value)
    assert [p.code for p in verify(folder, deep=True)] == ["HOM905"]


@pytest.mark.parametrize("frames", [None, 7, {"a": 1}])
def test_frames_that_are_no_list_are_found(copy: Path, frames: object) -> None:
    shards = ShardSet.open(copy)
    sample = shards.samples[0]
    meta = {**orjson.loads(shards.read(sample.key, "meta.json")), "frames": frames}
    replace(copy, sample.shard, f"{sample.key}.meta.json", orjson.dumps(meta))
    (found,) = (p for p in verify(copy, deep=True) if p.code == "HOM910")
    assert found.place.pointer == f"/{sample.key}.meta.json"
