"""A folder that is built under another name and takes its place as a whole.

For what is made in one go (a release, an export, a checkpoint). A folder that grows and holds other
people's files beside ours is written in place: see ``commit``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from homage_sdk.errors import StorageError
from homage_sdk.storage import exclusive, explained
from homage_sdk.storage.trees import carry_over, foreign, fsync_folder, fsync_tree, remove_owned

Owned = Callable[[Path], Sequence[str]]
"""Of a folder: the files in it that we wrote, as relative paths."""


@contextmanager
def new_folder(target: Path, owned: Owned | None = None) -> Iterator[Path]:
    """Build a folder under a temporary name; on success it is renamed to ``target``.

    What stands at ``target`` is replaced only where ``owned`` names files of ours in it, and only
    those: all else in it is carried over. Without, there must be nothing or an empty folder. Links
    are followed. On any error, and on Ctrl-C, ``target`` is what it was before.

    Args:
        target: the folder to make.
        owned: gives the files, relative to a folder, that an earlier call wrote into it; what it
            knows them by comes last. Nothing where the folder is not ours.

    Raises:
        StorageError: another process writes the same target, something else stands there (now or
            when all is written), or the operating system refuses.

    """
    target = Path(os.path.realpath(target))
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    lock, temporary, retired = _beside(target)
    with exclusive(lock, target):
        _finish(target, retired, owned)
        shutil.rmtree(temporary, ignore_errors=True)
        _refuse(target, owned, temporary)
        try:
            with explained(target):
                temporary.mkdir()
                yield temporary
                fsync_tree(temporary)
                _refuse(target, owned, temporary)
                if owned is not None and target.exists():
                    target.rename(retired)
                temporary.rename(target)
                fsync_folder(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            _finish(target, retired, owned)


def _finish(target: Path, retired: Path, owned: Owned | None) -> None:
    """Put a retired folder back, or empty it where its successor stands; the lock is held."""
    if not retired.exists():
        return
    with explained(target):
        if not target.exists():
            # A kill between the two renames: the old folder is the only whole one.
            retired.rename(target)
        elif owned is not None and (names := owned(retired)):
            carry_over(retired, target, names)
            remove_owned(retired, names)


def _refuse(target: Path, owned: Owned | None, new: Path) -> None:
    """Raise StorageError where ``new`` must not take the place of ``target``."""
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        found = "a mount point" if os.path.ismount(target) else ""
    elif os.path.ismount(target):
        found = "a mount point"
    elif not target.is_dir():
        found = "a file"
    elif owned is None or not (names := owned(target)):
        found = "a folder with other files"
    else:
        taken = (name for name in foreign(target, names, new) if os.path.lexists(new / name))
        found = next(taken, "")
    if found:
        raise StorageError(
            "something else lies here, and will not be replaced",
            place=str(target),
            found=found,
            expected="a new path, or an empty folder",
            hint="choose another path",
        )


def _beside(target: Path) -> tuple[Path, Path, Path]:
    """The lock, the folder being built and the folder being replaced, of ``new_folder``."""
    name = f".tmp-{target.name}"
    return (target.parent / f"{name}.lock", target.parent / name, target.parent / f"{name}.old")


def recover(target: Path) -> None:
    """Put back a folder that a kill between the two renames of ``new_folder`` left retired.

    A reader calls it before it takes ``target`` for missing. Raises StorageError while
    another process writes there, or where nothing may be changed.
    """
    target = Path(os.path.realpath(target))
    lock, _, retired = _beside(target)
    if target.exists() or not retired.exists():
        return
    with exclusive(lock, target), explained(target):
        _finish(target, retired, None)
        fsync_folder(target.parent)


def sweep(target: Path, owned: Owned) -> None:
    """Remove what a killed ``new_folder`` left beside a ``target`` that needs no writing.

    Nothing happens while another process writes there, or where nothing may be changed.
    """
    target = Path(os.path.realpath(target))
    lock, temporary, retired = _beside(target)
    leftovers = (lock, temporary, retired)
    if not target.exists() or not any(path.exists() for path in leftovers):
        return
    with suppress(StorageError), exclusive(lock, target):
        shutil.rmtree(temporary, ignore_errors=True)
        _finish(target, retired, owned)
