"""What packing lays beside the shards while it works, and removes: these names and no others."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from homage_sdk.shards.packing.shard_file import PARTS

PLAN = "plan.json"
LOCK = ".tmp-pack.lock"
"""What holds the folder while it is written."""

_RECORD = re.compile(r".+-\d{5,}\.tar\.json")
_UNFINISHED = re.compile(
    rf"\.tmp-({_RECORD.pattern}|.+-\d{{5,}}\.tar|(plan|manifest)\.json|index\.parquet)-\d+"
)
"""A file that a killed packer was writing: the name it was to have, and the process."""


def leftovers(out: Path) -> bool:
    """Whether there is anything that ``clean`` or a lock would remove."""
    ours = (*_unfinished(out), *_records(out), *out.glob(LOCK))
    return bool(ours) or (out / PLAN).exists()


def sweep(out: Path) -> None:
    """Remove what a killed packer had not finished."""
    for path in _unfinished(out):
        path.unlink(missing_ok=True)


def clean(out: Path) -> None:
    """Remove all that packing leaves beside the shards, also after a kill."""
    sweep(out)
    for record in _records(out):
        record.unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or holds what is not ours
        (out / PARTS).rmdir()
    (out / PLAN).unlink(missing_ok=True)


def _unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.glob(".tmp-*") if _UNFINISHED.fullmatch(path.name)]


def _records(out: Path) -> list[Path]:
    parts = out / PARTS
    done = [path for path in parts.glob("*.json") if _RECORD.fullmatch(path.name)]
    return done + _unfinished(parts)
