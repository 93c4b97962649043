"""The ``homage`` command. This is what starts: nothing heavy is imported before ``main`` runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from homage_sdk.cli.running import run, starting

if TYPE_CHECKING:
    from homage_sdk.cli.command import app

__all__ = ["app", "main", "run", "starting"]


def main() -> None:
    """Entry point of ``homage``."""
    with starting():
        from homage_sdk.cli.command import app
    sys.exit(run(app))


def __getattr__(name: str) -> Any:
    if name == "app":
        from homage_sdk.cli.command import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
