"""Writing so that a reader sees the old whole or the new whole, never a part.

Everything the product writes goes through here, ``commit`` or ``folder_swap``: a temporary name
beside the target, ``fsync``, one ``rename``. A kill at any moment leaves the old file or folder as
it was, and at most a leftover whose name begins with ``.tmp-``, which the next writer removes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from weakref import WeakSet

from homage_sdk.errors import StorageError
from homage_sdk.storage.system_errors import WRITING, require_enough
from homage_sdk.storage.trees import fsync_folder

_CHUNK_BYTES = 1 << 20

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
"""What ``flock`` says on a file system without locks (Lustre and NFS can be mounted so)."""


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn the operating system's refusals into one line that names the place and the way out.

    The refusal of a file that has nothing to do with ``target`` is passed on: it was read.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str) and not _concerns(Path(error.filename), target):
            raise
        require_enough(error, target)
        hint = WRITING.get(error.errno or 0)
        if hint is None:
            raise
        raise StorageError(
            f"cannot write: {os.strerror(error.errno or 0)}", place=str(target), hint=hint
        ) from error


def _concerns(path: Path, target: Path) -> bool:
    """Whether a path is ``target``, above or below it, or what is written before it counts."""
    path, target = path.absolute(), target.absolute()
    is_unfinished = any(part.startswith(".tmp-") for part in path.parts)
    return is_unfinished or target in (path, *path.parents) or path in target.parents


def sha256_file(path: Path) -> str:
    """The hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write_file(target: Path, data: bytes | str) -> None:
    """Replace ``target`` by ``data``: whole or not at all, also across a power cut."""
    payload = data.encode() if isinstance(data, str) else data
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".tmp-{target.name}-{os.getpid()}"
    with explained(target):
        try:
            with temporary.open("wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            fsync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def exclusive(lock: Path, target: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold ``lock``, which the kernel releases even after a kill; its name does not stay.

    Raises StorageError when another process holds it, unless told to ``wait``; and on a file system
    without locks, where it cannot be seen.
    """
    file = _locked(lock, target, wait=wait)
    try:
        yield
    finally:
        if not file.closed:  # in a forked child it is, and the lock is its parent's
            lock.unlink(missing_ok=True)
            file.close()


_OPEN_LOCKS: WeakSet[RawIOBase] = WeakSet()


def _leave_to_parent() -> None:
    """In a forked child: give up its share of every lock, which would outlive its parent's."""
    for file in list(_OPEN_LOCKS):
        file.close()


os.register_at_fork(after_in_child=_leave_to_parent)


def _locked(lock: Path, target: Path, *, wait: bool) -> RawIOBase:
    """The open file that holds the lock."""
    while True:
        with explained(target):
            file = lock.open("a+b", buffering=0)
        _OPEN_LOCKS.add(file)
        held = False
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = _is_same_file(file.fileno(), lock)
        except BlockingIOError as error:
            raise StorageError(
                "another process is writing here",
                place=str(target),
                hint="wait for it to end, or stop it, then run the same command again",
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            lock.unlink(missing_ok=True)
            raise StorageError(
                "this file system has no locks, so that two writers could not see each other",
                place=str(target),
                found=f"flock: {os.strerror(error.errno or 0)}",
                hint="write to a local folder, then copy it (or mount this one with locks)",
            ) from error
        finally:
            if not held:
                file.close()
        if held:
            return file
        # else its last holder removed the name between our open and our lock


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
