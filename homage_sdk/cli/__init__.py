"""The ``homage`` command. This is what starts: nothing heavy is imported before ``main`` runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homage_sdk.cli.command import app, run

__all__ = ["STOPPED", "app", "main", "run", "starting"]

STOPPED = "\nstopped; what was complete is kept, run the same command to go on\n"


@contextmanager
def starting() -> Iterator[None]:
    """While modules load, Ctrl-C ends the process at once: exit code 130 and one line.

    Nothing has begun then, and an exception out of the middle of an import may come out as
    anything. Afterwards Ctrl-C is KeyboardInterrupt again.
    """

    def leave(*_: object) -> None:
        os.write(2, STOPPED.encode())
        os._exit(130)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def main() -> None:
    """Entry point of ``homage``."""
    with starting():
        from homage_sdk.cli.command import app, run
    sys.exit(run(app))


def __getattr__(name: str) -> Any:
    if name in ("app", "run"):
        from homage_sdk.cli import command

        return getattr(command, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
