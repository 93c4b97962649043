"""Folders of files: making them durable, and keeping apart what is ours in them and what is not."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def fsync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable, where the file system knows how."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network and FUSE file systems sync files only
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(handle)


def fsync_tree(folder: Path) -> None:
    """Make every file and name below ``folder`` durable."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        else:
            fsync_folder(path)
    fsync_folder(folder)


def inner_paths(names: object) -> list[str]:
    """Those of a list read from a file that name something below the folder they are said of."""
    if not isinstance(names, list):
        return []
    return [
        name
        for name in names
        if isinstance(name, str)
        and name not in ("", ".")
        and not (path := PurePosixPath(name)).is_absolute()
        and ".." not in path.parts
    ]


def foreign(folder: Path, owned: Collection[str], new: Path) -> Iterator[str]:
    """The topmost paths below ``folder`` that are not ``owned``, posix and relative.

    A folder is given as a whole where nothing owned lies in it and ``new`` has no folder there.
    """
    shared = {str(parent) for name in owned for parent in PurePosixPath(name).parents}
    pending = [""]
    while pending:
        prefix = pending.pop()
        for entry in sorted(os.scandir(folder / prefix), key=lambda entry: entry.name):
            name = f"{prefix}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and (name in shared or _is_folder(new / name)):
                pending.append(f"{name}/")
            elif is_folder or name not in owned:
                yield name


def carry_over(old: Path, new: Path, owned: Collection[str]) -> None:
    """Move what is not ``owned`` from ``old`` to ``new``; FileExistsError where that is taken."""
    for name in list(foreign(old, owned, new)):
        if os.path.lexists(new / name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new / name))
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).rename(new / name)


def remove_owned(folder: Path, owned: Iterable[str]) -> None:
    """Remove these files in this order, then the folders that are empty without them."""
    folders = {folder}
    for name in owned:
        (folder / name).unlink(missing_ok=True)
        folders.update(folder / parent for parent in PurePosixPath(name).parents)
    for each in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            each.rmdir()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
