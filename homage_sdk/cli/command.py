"""The application: one file a stage, heavy imports only when a command runs; how it ends."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from homage_sdk.cli.console import Stopped, fail
from homage_sdk.cli.interrupts import STOPPED

app = typer.Typer(
    name="homage",
    help="Home Action Genome: read, validate, query, pack and look at a release.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from homage_sdk import __version__

        typer.echo(f"homage_sdk {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Home Action Genome: read, validate, query, pack and look at a release."""


_STAGES = ("validate", "catalog", "report", "query", "shards", "synth")
"""Each is a module of this package with ``register(app)``; none imports its stage at the top. Their
order is that of the panels in ``homage --help``."""

for _stage in _STAGES:
    importlib.import_module(f"homage_sdk.cli.{_stage}").register(app)


EXTRAS = {
    "train": ("librosa", "matplotlib", "psutil", "safetensors", "sklearn", "torch", "webdataset"),
    "graph": ("networkx",),
    "ray": ("ray",),
    "tensorboard": ("tensorboard",),
}
"""The modules each extra of the package brings."""


def run(entry: Callable[..., Any], *arguments: Any) -> int:
    """Run a command-line entry so that an error is one line and Ctrl-C leaves quietly."""
    from homage_sdk.errors import HomageError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a terminal that is not UTF-8 is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    try:
        code = entry(*arguments, standalone_mode=False)
        if code == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
    except HomageError as error:
        return fail(error)
    except Stopped as stopped:
        sys.stderr.write(f"\n{stopped}\n")
        return 130
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write(STOPPED)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        extra = next((name for name, modules in EXTRAS.items() if missing in modules), None)
        if extra is None:
            raise
        hint = f"pip install 'homage-sdk[{extra}]'"
        return fail(HomageError(f"this command needs {missing}, which is not installed", hint=hint))
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else None
        return fail(HomageError(f"the system refused: {error.strerror or error}", place=place))
    except Exception as error:
        show = getattr(error, "show", None)  # a usage error of typer's, or of the click it wraps
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0
