"""What Ctrl-C does while modules load, and what is said when it ends a command."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

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
