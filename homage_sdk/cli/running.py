"""How a command begins and ends: one line for an error, quiet on Ctrl-C, an exit code."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_STOPPED = "\nInterrupted. Finished work is kept; run the same command to resume.\n"
_EXTRAS = {
    "train": ("librosa", "psutil", "safetensors", "sklearn", "torch", "webdataset"),
    "figures": ("jinja2", "markupsafe", "matplotlib"),
    "graph": ("networkx",),
    "remote": ("aiohttp", "fsspec"),
    "ray": ("ray",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
}
"""The modules each extra of the package brings."""


@contextmanager
def starting() -> Iterator[None]:
    """While modules load, Ctrl-C ends the process at once: exit code 130 and one line.

    Nothing has begun then, and an exception out of the middle of an import may come out as
    anything. Afterwards Ctrl-C is KeyboardInterrupt again.
    """

    def leave(*_: object) -> None:
        os.write(2, _STOPPED.encode())
        os._exit(130)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_HOME = re.compile(r"^(--[\w-]+=)?(~)(?=/|$)")
"""A path of the user's home that the shell left as it is: after ``=``, or in quotes."""


_NOT_READABLE = re.compile(r"'(.+)' is not readable\.$")
"""What typer says of a path that is there and may not be read."""


def _expanded(match: re.Match[str]) -> str:
    return (match[1] or "") + os.path.expanduser(match[2])  # noqa: PTH111 - a word, no path


def run(entry: Callable[..., Any], *arguments: Any) -> int:
    """Run a command-line entry so that an error is one line and Ctrl-C leaves quietly."""
    import typer

    from homage_sdk.cli.console import Stopped, fail
    from homage_sdk.errors import HomageError
    from homage_sdk.storage.system_errors import as_ours

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    words = arguments[0] if arguments else sys.argv[1:]
    try:
        code = entry([_HOME.sub(_expanded, word) for word in words], standalone_mode=False)
        if code == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        _flush()
    except HomageError as error:
        return fail(error)
    except Stopped as stopped:
        sys.stderr.write(f"\n{stopped}\n")
        return 130
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write(_STOPPED)
        return 130
    except BrokenPipeError:
        _silence()
        return 141
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        extra = next((name for name, modules in _EXTRAS.items() if missing in modules), None)
        if extra is None:
            raise
        hint = f"pip install 'homage-sdk[{extra}]'"
        return fail(HomageError(f"this command needs {missing}, which is not installed", hint=hint))
    except Exception as error:
        if (ours := as_ours(error)) is not None:
            _silence()
            return fail(ours)
        show = getattr(error, "show", None)  # a usage error of typer's, or of the click it wraps
        if show is None:
            raise
        if (found := _NOT_READABLE.search(str(getattr(error, "message", "")))) is not None:
            refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES), found[1])
            return fail(as_ours(refused) or HomageError(str(refused)))
        show()
        return int(getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0


def _flush() -> None:
    if sys.stdout is not None:  # None: the shell closed it
        sys.stdout.flush()


def _silence() -> None:
    """Drop unprinted output where standard output is closed, so that Python reports no error."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
