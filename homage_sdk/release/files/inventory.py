"""What files lie below a release's root: one walk, in a stable order, safe from link loops."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from homage_sdk.folders import CATALOG_FILE, MANIFEST_FILE
from homage_sdk.problems import Code, Place, Problem
from homage_sdk.release.files.layouts import file_kind
from homage_sdk.storage.system_errors import require_enough

_PRODUCTS = (CATALOG_FILE, MANIFEST_FILE)
"""A folder below the root that holds one of these is a catalog or shards, not release data."""


UNREADABLE = Code(
    "HOM100",
    "file or folder cannot be read",
    why="The operating system refused (permissions, a broken link, a disk fault), or it is "
    "something else than a file. It is left out.",
    hint="check its rights and the disk, or copy it again",
    example="a link to a disk that is not mounted",
)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: its path relative to the root (posix), what its name says it is, and its state."""

    path: str
    kind: str
    bytes: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The files of a release in order of path, and what the walk could not read."""

    root: Path
    files: tuple[FileEntry, ...]
    problems: tuple[Problem, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over names, sizes and modification times: equal means nothing was touched.

        What the walk could not read is in it too.
        """
        digest = hashlib.sha256()
        for entry in self.files:
            digest.update(f"{entry.path}\0{entry.bytes}\0{entry.mtime_ns}\n".encode())
        for problem in self.problems:
            digest.update(f"{problem.place.file}\0{problem.found}\n".encode())
        return digest.hexdigest()

    def of_kind(self, kind: str) -> Iterator[tuple[int, FileEntry]]:
        """Position and entry of every file of one kind."""
        return ((i, entry) for i, entry in enumerate(self.files) if entry.kind == kind)


def take_inventory(root: Path) -> Inventory:
    """Walk ``root``. Hidden files are left out; links are followed, each folder once."""
    files: list[FileEntry] = []
    problems: list[Problem] = []
    seen: set[tuple[int, int]] = set()
    pending = [("", str(root))]
    while pending:
        relative, folder = pending.pop()
        try:
            state = os.stat(folder)  # noqa: PTH116 - a walk over many thousand names
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(folder) as entries:
                listing = sorted(entries, key=lambda item: item.name)
        except OSError as error:
            problems.append(_unreadable(relative or ".", error))
            continue
        if relative and any(item.name in _PRODUCTS for item in listing):
            continue
        for item in listing:
            if item.name.startswith("."):
                continue
            path = f"{relative}{item.name}"
            try:
                path.encode()
                if item.is_dir():
                    pending.append((f"{path}/", item.path))
                    if file_kind(item.name) != "other":
                        problems.append(_no_file(path, "a folder"))
                    continue
                state = item.stat()
            except OSError as error:
                problems.append(_unreadable(path, error, item))
                continue
            except UnicodeEncodeError:
                shown = path.encode("utf-8", "backslashreplace").decode()
                problems.append(
                    UNREADABLE.at(
                        Place(shown),
                        "file name is not UTF-8",
                        found=repr(item.name),
                        expected="a name in UTF-8",
                        hint="rename it",
                    )
                )
                continue
            if not S_ISREG(state.st_mode):
                problems.append(_no_file(path, "a pipe, socket or device"))
                continue
            files.append(FileEntry(path, file_kind(item.name), state.st_size, state.st_mtime_ns))
    files.sort(key=lambda entry: entry.path)
    return Inventory(root, tuple(files), tuple(problems))


def rekind(inventory: Inventory, kinds: Sequence[tuple[int, str]]) -> Inventory:
    """The same files with the kind of some replaced (a mapping file's glob decides)."""
    files = list(inventory.files)
    for position, kind in kinds:
        old = files[position]
        files[position] = FileEntry(old.path, kind, old.bytes, old.mtime_ns)
    return Inventory(inventory.root, tuple(files), inventory.problems)


def _unreadable(path: str, error: OSError, item: os.DirEntry[str] | None = None) -> Problem:
    require_enough(error, path)
    found = error.strerror or type(error).__name__
    if item is not None and item.is_symlink():
        target = str(Path(item.path).readlink()).encode("utf-8", "backslashreplace").decode()
        found = f"a link to {target}: {found}"
    return UNREADABLE.at(Place(path), found=found, expected="a file that can be read")


def _no_file(path: str, found: str) -> Problem:
    return UNREADABLE.at(
        Place(path), "not a file", found=found, expected="a file", hint="copy it again"
    )
