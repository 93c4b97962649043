"""The terminal: one console, progress bars with time to go, and how an error is said."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from pathlib import Path

    from homage_sdk.errors import HomageError
    from homage_sdk.storage.dataset_card import CardState

out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


class Stopped(Exception):  # noqa: N818 - it is no error
    """Ctrl-C, by a command that says what it left behind."""


def fail(error: HomageError) -> int:
    """Say what went wrong in one line; the exit code of "could not run"."""
    err.print("error", style="bold red", end="")
    err.print(f" {error.code}: " + str(error).replace("\n", " "))
    return 2


def tell_card(folder: Path, card: CardState) -> None:
    """Say that the ``README.md`` of a folder was left, where it is not ours."""
    if card is not card.OURS:
        err.print(
            f"{folder}/README.md is {card.value}, and stays: `datasets` reads the folder as it "
            "says. Move it away and run the same command again for a card of ours"
        )


QUIET_S = 30.0
"""What takes no longer is not worth a line in a log."""


@dataclass
class ProgressDisplay:
    """A progress callback, and a note that is shown beside the count from the next call on."""

    show: Callable[[int, int, str], None]
    note: str = ""

    def __call__(self, done: int, total: int) -> None:
        """See ``homage_sdk.progress.Progress``."""
        self.show(done, total, self.note)

    def tell(self, note: str) -> None:
        """Take another note, unless it is empty."""
        self.note = note or self.note


@contextmanager
def progress(label: str) -> Iterator[ProgressDisplay]:
    """A progress bar on a terminal; in a log file a line every tenth of what takes long.

    Both say the time to go. A log hears of nothing that is over in ``QUIET_S`` seconds.
    """
    if not sys.stderr.isatty():
        shown, told, began = -1, 0, (0, 0.0)
        start = time.monotonic()

        def log(done: int, total: int, note: str) -> None:
            nonlocal shown, told, began
            tenth = 10 * done // max(total, 1)
            if not began[1]:
                began = done, time.monotonic()  # of a job taken up again some is done already
            if time.monotonic() - start < QUIET_S:
                return
            first = told == began[0] < done
            if tenth > shown or first:
                shown, told = tenth, done
                to_go = time_to_go(done - began[0], total - done, time.monotonic() - began[1])
                err.print(f"{label}: {done}/{total}{note and f', {note}'}{to_go}")

        yield ProgressDisplay(log)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, console=err, transient=True, speed_estimate_period=3600) as bar:
        task = bar.add_task(label, total=None, note="")

        def update(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield ProgressDisplay(update)


def time_to_go(done: int, left: int, took_s: float) -> str:
    """How long ``left`` more will take, as ``done`` took; "" where it is unknown, or at the end.

    >>> time_to_go(2, 6, 100.0), time_to_go(0, 6, 100.0)
    (', about 5 min to go', '')
    """
    if not done or not left:
        return ""
    seconds = took_s * left / done
    return f", about {seconds / 60:,.0f} min to go" if seconds >= 60 else ", under a minute to go"
