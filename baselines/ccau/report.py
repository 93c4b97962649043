"""The page's sections about a training run: loss curves, results beside chance, how it was made."""

from __future__ import annotations

import json
from pathlib import Path

from homage_sdk.errors import CheckpointError


def read_run_file(run: Path, name: str) -> object:
    """A JSON file of a run folder; CheckpointError says what to run when it is not there."""
    path = run / name
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            "this run has no such file",
            place=str(path),
            hint="run `ccau train` and `ccau evaluate` first",
        ) from error
