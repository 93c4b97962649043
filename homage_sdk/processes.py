"""Worker processes do not outlive the process that they work for, however it ends."""

from __future__ import annotations

import os
import threading
import time


def leave_with(parent: int) -> None:
    """End this process soon after the process ``parent``, its parent, has ended.

    A killed parent cannot tell its workers, and the pools of the standard library wait for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
