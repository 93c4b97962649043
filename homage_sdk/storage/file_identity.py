"""Whether a file is still the one that was read, mostly without reading it again."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from homage_sdk.storage import sha256_file

_END_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """A file as it was when it was read. ``path`` is relative to the folder that may move."""

    path: str
    size: int
    mtime_ns: int
    ends: str
    """SHA-256 of its first and its last 64 KiB."""
    sha256: str


def identify(path: Path, name: str) -> FileIdentity:
    """What a file is now, every byte read; ``name`` is its relative path. Raises OSError."""
    return FileIdentity(name, *size_time_ends(path), sha256_file(path))


def still(path: Path, name: str, known: FileIdentity) -> FileIdentity | None:
    """``known`` as of now when the file has the same content, else None. Raises OSError.

    Size and both ends are compared; every byte only where path or time is another, as on a disk
    that it was copied to.
    """
    size, mtime_ns, ends = size_time_ends(path)
    if (size, ends) != (known.size, known.ends):
        return None
    now = replace(known, path=name, mtime_ns=mtime_ns)
    return now if now == known or sha256_file(path) == known.sha256 else None


def size_time_ends(path: Path) -> tuple[int, int, str]:
    """The fields of these names of a ``FileIdentity``, as of now. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        state = os.fstat(file.fileno())
        digest = hashlib.sha256(file.read(_END_BYTES))
        file.seek(max(_END_BYTES, state.st_size - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return state.st_size, state.st_mtime_ns, digest.hexdigest()
