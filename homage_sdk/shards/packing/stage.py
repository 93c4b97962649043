"""Where shards are made before they count: ``.parts`` in the folder of shards, a stage a plan.

A stage is a folder of finished shards, with their records and the plan beside it. It becomes the
folder's next state by one rename. The stage of another plan is kept until then: what was encoded
for it may serve this one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from homage_sdk.folders import PARTS_FOLDER
from homage_sdk.shards.format.manifest import INDEX, INPUTS, MANIFEST
from homage_sdk.shards.packing.inputs import made_by
from homage_sdk.shards.packing.plan import Plan
from homage_sdk.storage import explained, write_file
from homage_sdk.storage.dataset_card import CARD

_STAGE = re.compile(r"[0-9a-f]{16}")
_SHARD = r"[a-z0-9_]{1,40}-\d{5,}\.tar"
_TEMPORARY = r"\.tmp-{}-\d+"
_RECORD = rf"[0-9a-f]{{16}}\.({_SHARD}|plan)\.json"
_BESIDE = re.compile(rf"{_RECORD}|{_TEMPORARY.format(f'({_RECORD})')}")
_FILE = "|".join((_SHARD, *map(re.escape, (INDEX, MANIFEST, INPUTS, CARD))))
_INSIDE = re.compile(rf"{_FILE}|\.removed|{_TEMPORARY.format(f'({_FILE})')}")


def begin(out: Path, plan: Plan) -> Path:
    """The stage of a plan, made where it is missing; what a kill left unfinished in it goes."""
    stage = stage_of(out, plan)
    with explained(out):
        stage.mkdir(parents=True, exist_ok=True)
    sweep(stage)
    write_file(_plan_file(stage), plan.to_bytes())
    return stage


def sweep(stage: Path) -> None:
    """Remove what writers that were killed, or lost with their machine, left unfinished."""
    with explained(stage):
        for path in stage.glob(".tmp-*"):
            if _INSIDE.fullmatch(path.name):
                path.unlink(missing_ok=True)


def stage_of(out: Path, plan: Plan) -> Path:
    """Where the stage of this plan lies, with these versions of the libraries."""
    digest = hashlib.sha256(plan.to_bytes() + repr(sorted(made_by().items())).encode())
    return out / PARTS_FOLDER / digest.hexdigest()[:16]


def stages(out: Path) -> dict[Path, dict[str, Any]]:
    """Every stage that a pack began here and did not end, with the options of its plan."""
    found = {}
    for path in sorted((out / PARTS_FOLDER).glob("*")):
        if _STAGE.fullmatch(path.name) and path.is_dir():
            with suppress(OSError, ValueError, LookupError, TypeError):
                found[path] = dict(orjson.loads(_plan_file(path).read_bytes())["options"])
    return found


def record_path(stage: Path, shard: str) -> Path:
    """Where the record of a finished shard lies."""
    return stage.with_name(f"{stage.name}.{shard}.json")


def has_leftovers(out: Path) -> bool:
    """Whether there is anything that ``clean`` would remove."""
    return next(_ours(out), None) is not None


def clean(out: Path) -> None:
    """Remove every stage; nothing that is not ours."""
    with explained(out):
        for path in list(_ours(out)):
            if path.is_dir():
                with suppress(OSError):  # it holds what is not ours
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)
    with suppress(OSError):
        (out / PARTS_FOLDER).rmdir()


def _ours(out: Path) -> Iterator[Path]:
    for path in sorted((out / PARTS_FOLDER).glob("*")):
        if _STAGE.fullmatch(path.name) and path.is_dir():
            yield from (each for each in path.iterdir() if _INSIDE.fullmatch(each.name))
            yield path
        elif _BESIDE.fullmatch(path.name):
            yield path


def _plan_file(stage: Path) -> Path:
    return stage.with_name(f"{stage.name}.plan.json")
