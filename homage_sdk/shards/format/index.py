"""``index.parquet``: where each member of each sample lies, so that any can be read at once.

Its footer keeps a copy of the manifest, from which ``homage repair`` brings a lost one back.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from homage_sdk.errors import ShardError
from homage_sdk.shards.format.manifest import Manifest
from homage_sdk.shards.format.tar import BLOCK, MAX_MEMBER_BYTES, MEND, Member

INDEX_SCHEMA = pa.schema(
    [
        pa.field("sample", pa.string(), nullable=False),
        pa.field("member", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("crc32", pa.int64(), nullable=False),
    ]
)

MAX_ROWS = 2_000_000
MAX_UNPACKED_BYTES = 500_000_000

Location = tuple[str, int, int, int]
"""Shard name, offset, size, CRC-32."""

Index = dict[str, dict[str, Location]]
"""Sample key to member to location."""

_COPY = b"homage.manifest"


def index_bytes(
    shards: Iterable[tuple[str, Iterable[Member]]], manifest: bytes | None = None
) -> bytes:
    """The index file of these shards, in their order, with a copy of the manifest."""
    rows = [
        (m.key, m.field, name, m.offset, m.size, m.crc32)
        for name, members in shards
        for m in members
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(INDEX_SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, INDEX_SCHEMA, strict=True)]
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, INDEX_SCHEMA, compression="zstd") as writer:
        writer.write_table(pa.table(arrays, schema=INDEX_SCHEMA))
        if manifest is not None:
            writer.add_key_value_metadata({_COPY: manifest})
    return buffer.getvalue()


def manifest_copy(data: bytes) -> bytes | None:
    """The manifest as an index keeps it (its entry for the index itself is blank), or None."""
    try:
        found: bytes | None = (pq.read_metadata(pa.BufferReader(data)).metadata or {}).get(_COPY)
    except (pa.ArrowException, OSError):
        return None
    return found


def index_of(manifest: Manifest, data: bytes, place: str) -> Index:
    """The index that a manifest names; raises ShardError when it is another or cannot be used.

    ``manifest.index.bytes`` is bounded: no reader needs more than one byte beyond that. The index
    keeps a copy of the manifest, so that a change of either is noticed.
    """
    if hashlib.sha256(data).hexdigest() != manifest.index.sha256:
        raise ShardError("the index is not the one of the manifest", place=place, hint=MEND)
    if (written := manifest_copy(data)) is not None and written != manifest.without_index():
        raise ShardError(
            "the manifest was changed after it was written",
            place=place,
            found="another than the copy that the index keeps",
            hint=MEND,
        )
    sizes = {shard.name: shard.bytes for shard in manifest.shards}
    found: Index = {}
    for row in zip(*_columns(data, place), strict=True):
        sample, member, shard, offset, size, crc32 = row
        members = found.setdefault(sample, {})
        if None in row or offset < BLOCK or offset % BLOCK or size < 0:  # no room for its header
            reason = "an invalid row"
        elif shard not in sizes or offset + size > sizes[shard] or size > MAX_MEMBER_BYTES:
            reason = "a row that points outside its shard"
        elif member in members:
            reason = "a member that is there twice"
        else:
            members[member] = (shard, offset, size, crc32)
            continue
        told = f"{sample}.{member}: {size} bytes at {offset} in {str(shard)[:60]!r}"
        raise ShardError(reason, place=place, found=told, hint=MEND)
    return found


def _columns(data: bytes, place: str) -> list[list[Any]]:
    """The columns of an index file; raises ShardError when it is none of ours."""
    try:
        words = [f.name for f in INDEX_SCHEMA if f.type == pa.string()]
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=words)
        types = [
            f.type.value_type if pa.types.is_dictionary(f.type) else f.type
            for f in file.schema_arrow
        ]
        if (file.schema_arrow.names, types) != (INDEX_SCHEMA.names, INDEX_SCHEMA.types):
            expected = ", ".join(INDEX_SCHEMA.names)
            raise ShardError("an index of other columns", place=place, expected=expected)
        _check_size(file.metadata, place)
        return [_values(column, place) for column in file.read(use_threads=False).columns]
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ShardError(
            "the index cannot be read", place=place, found=str(error).splitlines()[0], hint=MEND
        ) from error


def _values(column: pa.ChunkedArray, place: str) -> list[Any]:
    """A column as Python values; a word that occurs often is one object, and none is long."""
    found: list[Any] = []
    for chunk in column.chunks:
        if not pa.types.is_dictionary(chunk.type):
            found += chunk.to_pylist()
            continue
        if (
            len(chunk.dictionary)
            and (pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0) > 200
        ):
            raise ShardError("name too long", place=place, expected="at most 200 bytes")
        words = chunk.dictionary.to_pylist()
        found += [None if i is None else words[i] for i in chunk.indices.to_pylist()]
    return found


def _check_size(metadata: pq.FileMetaData, place: str) -> None:
    """Refuse, before anything is unpacked, what a few bytes may unfold to."""
    groups = [metadata.row_group(g) for g in range(min(metadata.num_row_groups, 1000))]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    unpacked = sum(group.total_byte_size for group in groups)
    if metadata.num_row_groups > 1000 or rows > MAX_ROWS or unpacked > MAX_UNPACKED_BYTES:
        raise ShardError(
            "index too large",
            place=place,
            found=f"{rows:,} rows, {unpacked:,} bytes unpacked",
            expected=f"at most {MAX_ROWS:,} rows, {MAX_UNPACKED_BYTES:,} bytes",
        )
