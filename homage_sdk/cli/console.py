"""The terminal: one console, progress bars with time to go, and how an error is said."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from homage_sdk.errors import HomageError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ProgressCallback = Callable[[int, int], None]
"""Called with (done, total) by a stage that takes long."""


def fail(error: HomageError) -> int:
    """Say what went wrong in one line; the exit code of "could not run"."""
    err.print(f"[bold red]error[/] {error.code}: ", end="")
    err.print(str(error).replace("\n", " "), markup=False)
    return 2


@contextmanager
def progress(label: str) -> Iterator[ProgressCallback]:
    """A progress bar on a terminal; one line every tenth in a log file."""
    if not sys.stderr.isatty():
        shown = -1

        def log(done: int, total: int) -> None:
            nonlocal shown
            tenth = 10 * done // max(total, 1)
            if tenth > shown:
                shown = tenth
                err.print(f"{label}: {done}/{total}", markup=False)

        yield log
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update
