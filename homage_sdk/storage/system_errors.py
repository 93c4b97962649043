"""What an error of the operating system or of a library beneath us means, and what to do about it.

One place knows it: ``storage.explained`` while writing, the readers of files, and the end of every
command, where an error that was not turned into one of ours before becomes one.
"""

from __future__ import annotations

import errno
import os
import re
import resource
from pathlib import Path

from homage_sdk.errors import HomageError, ResourceError, StorageError

WRITING = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the quota is used up: free some space and run the same command again",
    errno.EACCES: "no permission: choose another folder or change its rights",
    errno.EPERM: "no permission: choose another folder or change its rights",
    errno.ENOTEMPTY: "something was put there meanwhile: choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.EEXIST: "a part of the path is a file: choose another folder",
    errno.EISDIR: "a folder of this name lies there: choose another name",
    errno.EXDEV: "this file system cannot rename: write to a local folder, then copy it",
    errno.ENOSYS: "this file system cannot do it: write to a local folder, then copy it",
    errno.ENOTSUP: "this file system cannot do it: write to a local folder, then copy it",
    errno.EFBIG: "the file is larger than this file system or a limit (ulimit -f) allows",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.EIO: "the disk reports a fault: check it, or write to another one",
}
"""What to do when a file cannot be written."""

_READING = {
    errno.EACCES: "change its rights, then run the same command again",
    errno.EPERM: "change its rights, then run the same command again",
    errno.EIO: "the disk reports a fault: check it, or copy the file again",
    errno.ESTALE: "the network file system was mounted anew: run the same command again",
}
_WANTING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""The machine lacks something; this says nothing about any file."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_NATIVE = ("av", "cv2", "_duckdb", "duckdb", "pyarrow", "safetensors", "tarfile", "zlib", "zipfile")
_NUMBER = re.compile(r"(?:os error|\[errno) (\d+)", re.IGNORECASE)
_FILES, _FILES_A_WORKER = 64, 8
"""Open files that every command can do with, and as many more for each of its processes."""


def number_of(error: BaseException) -> int | None:
    """The ``errno`` behind an error: of the system, or as a library's text gives it.

    >>> number_of(OSError(24, "Too many open files")), number_of(ValueError("x (os error 28)"))
    (24, 28)
    """
    if isinstance(number := getattr(error, "errno", None), int):
        return number
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else None


def advice(error: BaseException) -> str | None:
    """What to do about a file that cannot be read; None where nothing is known."""
    return _READING.get(number_of(error) or 0)


def require_enough(error: BaseException, place: Path | str | None = None) -> None:
    """Raise ResourceError where ``error`` is for want of open files or memory.

    To be called before a file is judged by an error that came of reading it. FFmpeg's own "cannot
    allocate memory" is the impossible size in a damaged file, and stays what it is.
    """
    number = number_of(error)
    if number in _WANTING and not (number == errno.ENOMEM and _library(error) == "av"):
        raise ResourceError(
            os.strerror(number), place=None if place is None else str(place), hint=_limit(number)
        ) from error


def as_ours(error: BaseException) -> HomageError | None:
    """An error of the system or of a library that we use, as ours; None for any other."""
    library, number = _library(error), number_of(error)
    if not (library or isinstance(error, (OSError, MemoryError))):
        return None
    name = getattr(error, "filename", None)
    place = name if isinstance(name, str) else None
    said = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    if number in _WANTING:
        return ResourceError(os.strerror(number), place=place, hint=_limit(number))
    if number in _FULL:
        return StorageError(
            f"cannot write: {os.strerror(number)}",
            place=place or "standard output or the folder for temporary files",
            hint=WRITING[number],
        )
    hint = advice(error) or "check that file and its disk, then run the same command again"
    return HomageError(f"{library}: {said}" if library else said, place=place, hint=hint)


def _library(error: BaseException) -> str:
    """The library beneath us that an error is of, or ""."""
    name = type(error).__module__.partition(".")[0]
    return name.lstrip("_") if name in _NATIVE else ""


def _limit(number: int) -> str:
    if number == errno.ENOMEM:
        return "free some memory, or use fewer --workers, then run the same command again"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        f"{most} files may be open at once: allow {_FILES}, and {_FILES_A_WORKER} more for each "
        "worker (ulimit -n), or use fewer --workers, then run the same command again"
    )
