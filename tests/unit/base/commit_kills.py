"""Writers that die before the n-th call to the file system, for every n: run as a program.

``python commit_kills.py FOLDER in_place|swap`` leaves a folder for each moment, named by its
number, as a kill left it; the last one holds what a writer that came through left.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homage_sdk.storage.commit import replacing
from homage_sdk.storage.folder_swap import new_folder

CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync", "open", "scandir", "stat")
OLD = {"a": "old a", "b": "old b", "state": "old"}
NEW = {"a": "new a", "c": "new c", "state": "new"}
FOREIGN = {
    "notes.txt": "years of work",
    "shards/train-00000.tar": "hours of packing",
    "sub/state": "another one's",
    ".tmp-mine": "x",
}


def owned(folder: Path) -> list[str]:
    """All that the writers below ever write."""
    return ["a", "b", "c", "state"]


def begin(target: Path) -> None:
    """A folder with the old files, and with others of every sort."""
    for name, text in (OLD | FOREIGN).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (target / "empty").mkdir()
    (target / "link").symlink_to("notes.txt")


def write_in_place(target: Path) -> None:
    """The new files, by a commit in the folder."""
    with replacing(target, owned, lambda _: None, first="state") as folder:
        _fill(folder)


def write_swap(target: Path) -> None:
    """The new files, in a folder that takes the old one's place."""
    with new_folder(target, owned) as folder:
        _fill(folder)


def _fill(folder: Path) -> None:
    for name, text in NEW.items():
        (folder / name).write_text(text)


WRITERS = {"in_place": write_in_place, "swap": write_swap}


def die_at(moment: int) -> None:
    """Let this process end, with no chance to clean up, before its n-th call."""
    left = moment

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                os._exit(9)
            left -= 1
            return call(*arguments, **options)

        return step

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))


def main(folder: Path, write: Callable[[Path], None]) -> None:
    """Kill at every moment until a writer comes through."""
    for moment in range(1000):
        target = folder / f"{moment:03d}" / "target"
        begin(target)
        child = os.fork()
        if child == 0:
            die_at(moment)
            write(target)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            return
    raise SystemExit("no writer came through")


if __name__ == "__main__":
    main(Path(sys.argv[1]), WRITERS[sys.argv[2]])
