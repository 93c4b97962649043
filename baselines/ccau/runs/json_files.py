"""JSON files of runs and checkpoints: written whole, and a damaged one is one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homage_sdk.errors import CheckpointError
from homage_sdk.storage import write_file
from homage_sdk.storage.system_errors import advice

_NEEDED = {
    "config.json": {"config", "shards", "parts", "prior"},
    "run.json": {"result", "step"},
    "results.json": {"identity", "modalities"},
    "fewshot.json": {"modalities", "judged", "estimands"},
}
_MADE_BY = {"results.json": "ccau evaluate", "fewshot.json": "ccau fewshot"}


def read_json(folder: Path, name: str, *more: str) -> dict[str, Any]:
    """A JSON file of a run or checkpoint; CheckpointError: missing, unreadable or incomplete.

    ``more`` are keys that the caller needs beside those that every reader does.
    """
    path = folder / name
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        hint = f"run `{_MADE_BY.get(name, 'ccau train')}` first"
        raise CheckpointError("no such file in this run", place=path, hint=hint) from error
    except OSError as error:
        raise CheckpointError(
            "cannot be read", place=path, found=error.strerror, hint=advice(error)
        ) from error
    value = parse_json(data, path)
    if missing := _NEEDED.get(name, set()).union(more) - value.keys():
        raise CheckpointError(
            "an incomplete file of a run",
            place=path,
            found=f"no {', '.join(sorted(missing))}",
            hint=f"run `{_MADE_BY[name]}` again"
            if name in _MADE_BY
            else "copy the whole run folder again",
        )
    return value


def parse_json(data: bytes, path: Path) -> dict[str, Any]:
    """The object in the bytes of a JSON file; raises CheckpointError."""
    try:
        value = json.loads(data.decode())
    except ValueError as error:
        raise CheckpointError("cannot be read as JSON", place=path, found=str(error)) from error
    if not isinstance(value, dict):
        raise CheckpointError("not a JSON object", place=path)
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole."""
    write_file(path, json.dumps(value, indent=1, allow_nan=True) + "\n")
