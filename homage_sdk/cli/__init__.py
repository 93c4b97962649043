"""The ``homage`` command. This is what starts: nothing heavy is imported before ``main`` runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from homage_sdk.cli.interrupts import STOPPED, starting

if TYPE_CHECKING:
    from homage_sdk.cli.command import app, run

__all__ = ["STOPPED", "app", "main", "run", "starting"]


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
