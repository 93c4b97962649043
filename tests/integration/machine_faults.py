"""Running a command on a machine that refuses something: disk, permission, open files."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command import BIN, ENVIRONMENT

_DROP_CAPABILITY = 24  # PR_CAPBSET_DROP of prctl(2)
_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what makes root read everything
_PAGE = 4096


def as_any_user() -> None:
    """In a child before it starts: permissions bind it, also where it is root."""
    if os.geteuid() == 0:
        for capability in _OVERRIDES:
            if ctypes.CDLL(None).prctl(_DROP_CAPABILITY, capability, 0, 0, 0):
                raise OSError("the capabilities of root cannot be given up here")


def with_open_files(most: int) -> Callable[[], None]:
    """The same for a limit on open files, as ``ulimit -n`` sets it."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def start(
    words: list[str], *, before: Callable[[], None] | None = None, stdout: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own; ``stdout`` names a device to print to."""
    with open(stdout or os.devnull, "w") as device:  # noqa: PTH123
        return subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=device if stdout else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            timeout=300,
            check=False,
            preexec_fn=before,
        )


@contextmanager
def disk(folder: Path) -> Iterator[str]:
    """A file system of its own at ``folder``; yields why not, where mounting is refused."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        yield mounted.stderr.strip() if mounted.returncode else ""
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, *, leaving: int) -> Path:
    """Fill a disk but for about ``leaving`` bytes; the file to remove when room is wanted."""
    state = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as file:
        free = state.f_bavail * state.f_frsize
        os.posix_fallocate(file.fileno(), 0, max(free - leaving, _PAGE))
    return filler


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write a folder and all that is in it, and give it back."""
    paths = [folder, *folder.rglob("*")]
    modes = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)
