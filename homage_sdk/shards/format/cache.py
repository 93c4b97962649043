"""Far shards, kept on this machine: fetched once, verified, then read by index like any others.

``CACHE/HASH`` is an ordinary folder of shards, named after its manifest: other shards that later
come under the same address get a folder of their own. A file has its name when all of it is there
with the SHA-256 of the manifest; what was fetched of it so far lies beside it, and the next call
goes on from there. The manifest comes last.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from homage_sdk.errors import ShardError, StorageError, UsageError
from homage_sdk.progress import Meter, Progress
from homage_sdk.shards.format.far import FarFolder, Patience
from homage_sdk.shards.format.manifest import (
    MANIFEST,
    MAX_BYTES,
    StoredFile,
    of_one_state,
    parse_manifest,
)
from homage_sdk.storage import exclusive, explained, write_file
from homage_sdk.storage.trees import fsync_folder

_LOCK = ".tmp-fetch.lock"
_CHUNK_BYTES = 1 << 20


def fetch(
    url: str,
    cache: str | Path,
    *,
    max_bytes: int | None = None,
    storage: dict[str, Any] | None = None,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> Path:
    """Bring the shards of an address into ``cache``; the folder that holds them.

    What is there already in its full size is not fetched again. Of several processes one fetches
    and the others wait. Killed or cut off at any moment, the same call goes on where it stopped.

    Args:
        url: the address of a folder of shards: ``https://``, ``s3://``, ``gs://``, ``az://``.
        cache: a folder of this machine, made where it is missing.
        max_bytes: refuse shards that are larger than this.
        storage: options of the file system, such as credentials, as fsspec takes them.
        patience: with connections that are lost.
        progress: called with (bytes done, bytes in all).

    Raises:
        UsageError: an address of another kind (``pipe:`` and the like are never run), or shards
            larger than ``max_bytes``.
        ShardError: no manifest there or one that cannot be used, a file of another size or hash
            than it states, or a connection that is lost too often.
        StorageError: too little room for them, or a file system without locks.

    """
    far = FarFolder(url, storage, patience)
    data = far.read(MANIFEST, MAX_BYTES)
    manifest = parse_manifest(data, far.place(MANIFEST))
    files = manifest.files
    total = sum(file.bytes for file in files) + len(data)
    if max_bytes is not None and total > max_bytes:
        raise UsageError(
            "the shards are larger than the cache may become",
            place=far.address.shown,
            found=f"a bound of {max_bytes:,} bytes",
            expected=f"at least {total:,} bytes",
            hint="allow as many, or pack smaller shards (fewer views, a smaller short side)",
        )
    folder = Path(cache) / hashlib.sha256(data).hexdigest()[:32]
    if _is_whole(folder, files, data):
        return folder
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / _LOCK, folder, wait=True):
        missing = [file for file in files if not _is_there(folder / file.name, file.bytes)]
        done = total - len(data) - sum(file.bytes for file in missing)
        _require_room(folder, missing)
        meter = Meter(progress, total, done)
        with of_one_state(partial(far.is_still, manifest), far.address.shown):
            for file in missing:
                _fetch_file(far, folder, file, meter)
        write_file(folder / MANIFEST, data)
        meter.advance(len(data))
    return folder


def _is_whole(folder: Path, files: Sequence[StoredFile], manifest: bytes) -> bool:
    try:
        same = (folder / MANIFEST).read_bytes() == manifest
    except OSError:
        return False
    return same and all(_is_there(folder / file.name, file.bytes) for file in files)


def _is_there(path: Path, size: int) -> bool:
    """Whether a file is there in its size; what has the name was verified before it got it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _part(folder: Path, name: str) -> Path:
    """What was fetched of a file so far."""
    return folder / f".tmp-{name}.part"


def _require_room(folder: Path, missing: Sequence[StoredFile]) -> None:
    had = sum(path.stat().st_size for f in missing if (path := _part(folder, f.name)).is_file())
    needed, free = sum(file.bytes for file in missing) - had, shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            "too little room for the shards",
            place=str(folder),
            found=f"{free:,} bytes free",
            expected=f"{needed:,} bytes",
            hint="free some space, or choose another folder for the cache",
        )


def _fetch_file(far: FarFolder, folder: Path, file: StoredFile, meter: Meter) -> None:
    """Fetch and verify one file; it has its name only when it is whole."""
    part = _part(folder, file.name)
    stated = (file.bytes, file.sha256)
    with explained(part):
        resumed, size, digest = _download(far, part, file, meter)
        if resumed and (size, digest) != stated:  # what an earlier run had was of something else
            meter.advance(-size)
            part.unlink()
            _, size, digest = _download(far, part, file, meter)
        if (size, digest) != stated:
            part.unlink()
            raise ShardError(
                "not the file that the manifest names",
                place=far.place(file.name),
                found=f"{size:,} bytes, SHA-256 {digest}"
                if size <= file.bytes
                else f"more than {file.bytes:,} bytes",
                expected=f"{file.bytes:,} bytes, SHA-256 {file.sha256}",
                hint="try again; if it stays so, run `homage verify` where the shards lie, and "
                "copy or pack them there again",
            )
        part.replace(folder / file.name)
        fsync_folder(folder)


def _download(far: FarFolder, part: Path, file: StoredFile, meter: Meter) -> tuple[bool, int, str]:
    """Whether there was a part to go on from; size and SHA-256 of what there is now."""
    digest = hashlib.sha256()
    if part.is_symlink():
        part.unlink()
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o644), "r+b") as out:
        at = begin = _resume(out, file.bytes, digest.update)
        meter.advance(begin)
        with contextlib.closing(far.parts(file.name, begin, file.bytes)) as parts:
            for data in parts if begin < file.bytes else ():
                out.write(data)
                digest.update(data)
                at += len(data)
                meter.advance(len(data))
                if at > file.bytes:
                    break
        out.flush()
        os.fsync(out.fileno())
    return begin > 0, at, digest.hexdigest()


def _resume(out: BinaryIO, size: int, seen: Callable[[bytes], object]) -> int:
    """How many bytes are there already; shows each to ``seen`` and goes behind the last."""
    if os.fstat(out.fileno()).st_size > size:
        out.truncate(0)
    at = 0
    while data := out.read(_CHUNK_BYTES):
        seen(data)
        at += len(data)
    return at
