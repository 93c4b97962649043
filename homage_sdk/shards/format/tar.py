"""The tar subset that shards use: regular files in ustar headers, mtime 0, nothing else.

Writing is a function of names and bytes alone. Reading refuses what a shard cannot hold (links,
devices, extended headers, paths, sparse files) before looking at any content, and never seeks by a
number that it has not checked.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from homage_sdk.errors import ShardError
from homage_sdk.problems import Place

try:
    from isal import isal_zlib as _zlib
except ImportError:  # without the extra "train"
    import zlib as _zlib  # type: ignore[no-redef]

BLOCK = 512
MAX_MEMBER_BYTES = 2_000_000_000
"""A packed view of four minutes has about 10 MB: two gigabytes are no sample of ours."""
MAX_MEMBERS = 2_000_000

crc32 = _zlib.crc32
"""ISA-L's, a seventh of zlib's time, where it is installed."""

_NAME = re.compile(r"([A-Za-z0-9_-]{1,80})\.([a-z0-9][a-z0-9_.-]{0,17})", re.ASCII)
_END = bytes(2 * BLOCK)
MEND = "run `homage repair SHARDS CATALOG`, or copy it again"
"""What to do about a damaged file of shards."""


class Member(NamedTuple):
    """One file in a shard: ``{key}.{field}``, its content at ``offset``, ``size`` bytes long.

    ``crc32`` is of its content, 0 where it was not computed: it names the sample that was damaged,
    while the SHA-256 of the shard proves that none was.
    """

    key: str
    field: str
    offset: int
    size: int
    crc32: int = 0

    @property
    def name(self) -> str:
        """As it stands in the tar."""
        return f"{self.key}.{self.field}"


def split_name(name: str) -> tuple[str, str] | None:
    """Sample key and field of a member name; None for a name that no shard holds.

    >>> split_name("p0002_r001_a007.ego.flac")
    ('p0002_r001_a007', 'ego.flac')
    >>> split_name("../x.json") is None
    True
    """
    match = _NAME.fullmatch(name)
    if match is None or ".." in name:
        return None
    return match[1], match[2]


def cut_short(place: Place | str, found: str | None, expected: str) -> ShardError:
    """The error of a shard that ends before it should."""
    return ShardError(
        "the shard is cut short", place=place, found=found, expected=expected, hint=MEND
    )


class ShardWriter:
    """Appends members to an open file and remembers where each one lies."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.members: list[Member] = []
        self.bytes = 0

    def add(self, key: str, field: str, content: bytes) -> None:
        """Append one member; raises ShardError for a name that readers would refuse."""
        name = f"{key}.{field}"
        if split_name(name) != (key, field):
            raise ShardError("not a member name", found=repr(name), expected="KEY.field")
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(content), 0o644, 0
        self._emit(info.tobuf(tarfile.USTAR_FORMAT))
        self.members.append(Member(key, field, self.bytes, len(content), crc32(content)))
        self._emit(content)
        self._emit(bytes(-len(content) % BLOCK))

    def finish(self) -> None:
        """Write the end of the archive."""
        self._emit(_END)

    def _emit(self, data: bytes) -> None:
        self._write(data)
        self.bytes += len(data)


def read_members(
    file: BinaryIO,
    shard: str,
    *,
    wanted: Callable[[str, str], bool] | None = None,
    shard_bytes: int | None = None,
) -> Iterator[tuple[Member, bytes]]:
    """Walk a shard from its beginning: each member and its bytes.

    Works on streams that cannot seek. Members that are not ``wanted``, by key and field, are passed
    over and given without content. Raises ShardError, naming ``shard`` and member, for anything but
    whole regular files with proper names, none reaching beyond ``shard_bytes``, followed by the two
    zero blocks of the end.
    """
    at = 0
    for _ in range(MAX_MEMBERS):
        head = _exactly(file, BLOCK)
        if len(head) < BLOCK:
            found = f"an end after {at + len(head):,} bytes"
            raise cut_short(shard, found, "two empty blocks at the end")
        at += BLOCK
        if not head.strip(b"\0"):
            _check_end(file, shard)
            return
        key, field, size = parse_header(head, shard, at - BLOCK)
        padded = size + -size % BLOCK
        if shard_bytes is not None and at + padded > shard_bytes:
            found, expected = f"{size:,} bytes at byte {at:,}", f"{shard_bytes:,} bytes in all"
            raise cut_short(Place(shard, pointer=f"/{key}.{field}"), found, expected)
        if wanted is not None and not wanted(key, field):
            _pass_over(file, padded)
            yield Member(key, field, at, size), b""
            at += padded
            continue
        data = _exactly(file, padded)
        member = Member(key, field, at, size, crc32(data[:size]))
        if len(data) < padded:
            place = Place(shard, pointer=f"/{member.name}")
            raise cut_short(place, f"{len(data):,} bytes", f"{size:,}")
        at += padded
        yield member, data[:size]
    raise ShardError("too many members", place=shard, expected=f"at most {MAX_MEMBERS:,}")


def parse_header(head: bytes, shard: str, at: int) -> tuple[str, str, int]:
    """Key, field and size that a header block at byte ``at`` states; ShardError if it may not."""
    try:
        info = tarfile.TarInfo.frombuf(head, "ascii", "surrogateescape")
    except tarfile.HeaderError as error:
        raise ShardError(
            "not a tar header",
            place=shard,
            found=f"{error} at byte {at:,}",
            hint=MEND,
        ) from error
    shown = repr(info.name[:80])
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise ShardError(
            "a member that is no regular file",
            place=shard,
            found=f"{shown}, type {info.type!r}",
            expected="regular files only",
            hint="links, devices and extended headers are refused",
        )
    parts = split_name(info.name)
    if parts is None:
        raise ShardError(
            "a member name that no shard holds",
            place=shard,
            found=shown,
            expected="KEY.field without any path",
        )
    if not 0 <= info.size <= MAX_MEMBER_BYTES:
        raise ShardError(
            "member too large",
            place=Place(shard, pointer=f"/{info.name}"),
            found=f"{info.size:,} bytes",
            expected=f"at most {MAX_MEMBER_BYTES:,}",
        )
    return parts[0], parts[1], info.size


def _check_end(file: BinaryIO, shard: str) -> None:
    if len(_exactly(file, BLOCK)) < BLOCK:
        raise cut_short(shard, None, "a second empty block")
    if file.read(1):
        raise ShardError("something follows the end of the shard", place=shard)


def _pass_over(file: BinaryIO, size: int) -> None:
    """Go on behind ``size`` bytes; where the file ends before, the next header is missing."""
    if file.seekable():
        file.seek(size, 1)
        return
    while size > 0 and (part := file.read(min(size, 1 << 20))):
        size -= len(part)


def _exactly(file: BinaryIO, size: int) -> bytes:
    """Up to ``size`` bytes, less only at the end; memory grows with what is really there."""
    parts = []
    while size > 0:
        part = file.read(min(size, 1 << 22))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
