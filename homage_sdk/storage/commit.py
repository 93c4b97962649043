"""Replacing some files of a folder at once, and touching nothing else in it.

The new files are staged in ``.tmp-new`` inside the folder, and one rename to ``.tmp-commit`` makes
them count: from then on a reader finds a file there first. They are then moved over their old
places; a kill on the way is made good by the next writer. Nothing above the folder is renamed, so
that links and mount points stay what they are.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from homage_sdk.errors import StorageError
from homage_sdk.storage import exclusive, explained
from homage_sdk.storage.trees import fsync_folder, fsync_tree, inner_paths

LOCK, STAGED, COMMITTED = ".tmp-lock", ".tmp-new", ".tmp-commit"
OUR_NAMES = (LOCK, STAGED, COMMITTED)
"""What a commit makes in the folder besides the files themselves; none of it stays."""

_REMOVED = ".removed"
"""Beside the committed files: the names of old ones that have no successor."""

Read = TypeVar("Read")


def current(folder: Path, name: str) -> Path:
    """Where the file ``name`` of ``folder`` lies at this moment."""
    committed = folder / COMMITTED / name
    return committed if committed.exists() else folder / name


def reading(folder: Path, name: str, read: Callable[[Path], Read]) -> Read:
    """``read`` the file where it lies; again where it was moved to its place meanwhile."""
    while True:
        path = current(folder, name)
        try:
            return read(path)
        except FileNotFoundError:
            if path == folder / name and not current(folder, name).exists():
                raise


@contextmanager
def replacing(
    target: Path,
    owned: Callable[[Path], Collection[str]],
    check: Callable[[Path], None],
    *,
    first: str,
) -> Iterator[Path]:
    """Give a folder to write files into; on success they replace those of ``target``, at once.

    On any error, and on Ctrl-C, ``target`` is what it was. Nothing but what ``owned`` names is
    replaced or removed.

    Args:
        target: a folder, new or not; a link leads to it.
        owned: the names of the files in ``target`` that we wrote.
        check: refuses a target; called with the lock held, before the work and before the commit.
        first: the file that is moved to its place before the others.

    Raises:
        StorageError: another process writes here, a file that is not ours is in the way, or the
            operating system refuses.

    """
    with holding(target, first) as folder:
        check(folder)
        staged = folder / STAGED
        shutil.rmtree(staged, ignore_errors=True)
        try:
            with explained(folder):
                staged.mkdir()
                yield staged
            check(folder)
            commit(folder, staged, owned(folder), first)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def holding(target: Path, first: str) -> Iterator[Path]:
    """Hold ``target`` for writing; gives it without links, and what a kill left is finished.

    It is made where it is missing, and removed again where nothing came into it. Raises
    StorageError when another process writes here, or the operating system refuses.
    """
    target = real(target)
    made = _make(target)
    try:
        with exclusive(target / LOCK, target):
            roll_forward(target, first)
            yield target
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # not empty: all went well
                folder.rmdir()


def commit(target: Path, staged: Path, owned: Collection[str], first: str) -> None:
    """Make the files in ``staged``, a folder in ``target``, take the places of those we own there.

    Owned files without a successor are removed. Call with the lock held.
    """
    with explained(target):
        names = {path.name for path in staged.iterdir()} - {_REMOVED}
        refuse_in_the_way(target, names, owned)
        (staged / _REMOVED).write_text(json.dumps(sorted(set(owned) - names)), "utf-8")
        fsync_tree(staged)
        staged.rename(target / COMMITTED)
        fsync_folder(target)
    roll_forward(target, first)


def roll_forward(target: Path, first: str) -> None:
    """Move committed files to their places; call with the lock held."""
    committed = target / COMMITTED
    if not committed.is_dir():
        return
    journal = committed / _REMOVED
    with explained(target):
        names = [path.name for path in committed.iterdir() if path != journal]
        for name in sorted(names, key=lambda name: (name != first, name)):
            (committed / name).replace(target / name)
        fsync_folder(target)
        if journal.exists():
            for name in inner_paths(json.loads(journal.read_text("utf-8"))):
                (target / name).unlink(missing_ok=True)
            journal.unlink()
        committed.rmdir()
        fsync_folder(target)


def settle(target: Path, first: str) -> None:
    """Finish or remove what a killed writer left in a ``target`` that needs no writing.

    Nothing happens while another process writes there, or where nothing may be changed.
    """
    target = real(target)
    if any((target / name).exists() for name in OUR_NAMES):
        with suppress(StorageError), exclusive(target / LOCK, target):
            roll_forward(target, first)
            shutil.rmtree(target / STAGED, ignore_errors=True)


def real(target: Path) -> Path:
    """``target`` without links; also where the last of them leads to nothing yet."""
    return Path(os.path.realpath(target))


def refuse_in_the_way(target: Path, names: Collection[str], owned: Collection[str]) -> None:
    """Raise StorageError where a new file's name is taken by something that is not ours."""
    for name in sorted(names):
        path = target / name
        is_folder = path.is_dir() and not path.is_symlink()
        if is_folder or (name not in owned and os.path.lexists(path)):
            raise StorageError(
                f"a {'folder' if is_folder else 'file'} that is not ours is in the way",
                place=path,
                expected="nothing, or the file that an earlier call wrote",
                hint="move it away, or choose another folder",
            )


def require_writable(target: Path, n_bytes: int) -> None:
    """Raise StorageError now where writing ``n_bytes`` to ``target`` would be refused later.

    It is tried: a folder is made and removed, the lock is taken and given back.
    """
    target = real(target)
    there = target
    while not there.exists() and there != there.parent:
        there = there.parent
    trial = there / f".tmp-try-{os.getpid()}"
    with explained(target):
        trial.mkdir()
        trial.rmdir()
        if there == target:
            with exclusive(target / LOCK, target):
                pass
        state = os.statvfs(there)
    free = state.f_bavail * state.f_frsize
    if state.f_blocks and free < n_bytes:  # some FUSE file systems state no blocks at all
        raise StorageError(
            "not enough space",
            place=target,
            found=f"{free:,} bytes free",
            expected=f"{n_bytes:,}",
            hint="free some space, or choose a folder on another disk",
        )


def _make(target: Path) -> list[Path]:
    """Make a folder and those above it; the new ones, outermost first."""
    missing = [path for path in (target, *target.parents) if not path.exists()]
    made = []
    with explained(target):
        for folder in reversed(missing):
            with suppress(FileExistsError):  # another process has just made it
                folder.mkdir()
                made.append(folder)
        if not target.is_dir():
            raise NotADirectoryError(20, os.strerror(20), str(target))
    return made
