"""Samples out of shards that are read forward, each checked on its way in."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from homage_sdk.errors import ShardError
from homage_sdk.problems import Place
from homage_sdk.shards.format.tar import read_members
from homage_sdk.shards.remote import Remote
from homage_sdk.shards.streaming import Index, Layout, Stretch

MAX_FIELDS = 10_000
"""No sample has more members."""

Members = dict[str, bytes]


def read_stretch(
    remote: Remote, layout: Layout, index: Index, stretch: Stretch, *, verify: bool
) -> Iterator[tuple[str, Members]]:
    """The wanted members of the wanted samples of a stretch, sample by sample.

    Whatever passes by must be what the manifest says: samples of this shard, each once and in its
    place, every member in a proper header, content with the CRC-32 of the index. ``verify`` reads
    the shard whole and raises at its end when its SHA-256 is another. Raises ShardError.
    """
    shard, place = stretch.shard, remote.place(stretch.shard.name)
    expected = {sample.key for sample in layout.samples(shard.name)}
    done: set[str] = set()
    seen: set[str] = set()
    key, members = "", Members()
    with remote.open(shard.name, stretch.begin, shard.bytes) as opened:
        hashing = _Hashing(opened) if verify else None
        file = cast(BinaryIO, hashing or opened)
        for member, content in read_members(
            file,
            place,
            wanted=lambda key, field: field in stretch.fields.get(key, ()),
            begin=stretch.begin,
            stop=stretch.stop,
            shard_bytes=shard.bytes,
        ):
            if member.key != key:
                if key in stretch.fields:
                    yield key, _whole(members, stretch, key, place)
                done.add(key)
                key, members, seen = member.key, {}, set()
                if key in done or key not in expected:
                    raise ShardError("a sample out of place", place=place, found=key)
            if member.field in seen:
                raise ShardError("a member that is there twice", place=place, found=member.name)
            seen.add(member.field)
            if len(seen) > MAX_FIELDS:
                raise ShardError("a sample of absurdly many members", place=place, found=key)
            if member.field not in stretch.fields.get(key, ()):
                continue
            located = index[key].get(member.field)
            if located and located[3] and located[3] != member.crc32:
                raise ShardError(
                    "a member is damaged",
                    place=Place(place, pointer=f"/{member.name}"),
                    hint="run `homage verify SHARDS`, then `homage repair`, or copy it again",
                )
            members[member.field] = content
        if key in stretch.fields:
            yield key, _whole(members, stretch, key, place)
        done.add(key)
        if hashing is not None and hashing.sha256 != shard.sha256:
            raise ShardError(
                "the shard is not the one of the manifest",
                place=place,
                found=f"SHA-256 {hashing.sha256}",
                expected=shard.sha256,
                hint="its batches were given already: copy it again and begin the epoch anew",
            )
    whole = not stretch.begin and stretch.stop is None
    if missing := sorted((expected if whole else stretch.fields.keys()) - done):
        raise ShardError("a sample is missing from its shard", place=place, found=missing[0])


def _whole(members: Members, stretch: Stretch, key: str, place: str) -> Members:
    if missing := sorted(stretch.fields[key] - members.keys()):
        raise ShardError(f"sample {key} has no member {missing[0]}", place=place)
    return members


class _Hashing(io.RawIOBase):
    """A file that is hashed as it passes by; it cannot jump."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> Any:
        data = self._file.read(size)
        self._digest.update(data)
        return data

    def seekable(self) -> bool:
        return False
