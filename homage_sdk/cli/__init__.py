"""The ``homage`` command. This is what starts: nothing heavy is imported before ``main`` runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from homage_sdk.cli.running import run, starting
from homage_sdk.lazy import loaded_on_use

if TYPE_CHECKING:
    from homage_sdk.cli.command import app

__all__ = ["app", "main", "run", "starting"]


def main() -> None:
    """Entry point of ``homage``."""
    with starting():
        from homage_sdk.cli.command import app
    sys.exit(run(app))


__getattr__ = loaded_on_use(__name__, {"command": "app"})
