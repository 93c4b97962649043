"""What a run is: of which shards and catalog, when, of which sequences, and whether they fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from baselines.ccau.evaluation.model_card import (
    change_facts,
    data_facts,
    weight_facts,
    what_facts,
)
from baselines.ccau.runs.checkpoint import is_checkpoint, load
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.run_folder import LAST, load_result, one_state
from homage_sdk.errors import CheckpointError, HomageError
from homage_sdk.folders import Kind, look, refusal
from homage_sdk.shards import ShardSet
from homage_sdk.shards.verifying.origin import origin


def run_facts(
    run: Path, shards: Path | None = None, catalog: Path | None = None
) -> list[tuple[str, str]]:
    """Name and value of each fact; of one state of the run, unless it is being trained.

    Args:
        run: a run folder; training need not have ended.
        shards: where the shards lie now; default, where they lay when training began.
        catalog: the catalog to hold the shards against; default, those beside them.

    Raises:
        CheckpointError: no run, or a damaged one.
        ShardError, CatalogError: those that were named cannot be opened.

    """
    there = look(run)
    if there.kind is not Kind.RUN or not (run / "config.json").is_file():
        from homage_sdk.release.files.find import what_is

        raise refusal(CheckpointError, Kind.RUN, what_is(run))
    with one_state(run) if there.is_whole else nullcontext():
        return list(_facts(run, there.is_whole, shards, catalog))


def _facts(
    run: Path, ended: bool, shards: Path | None, catalog: Path | None
) -> Iterator[tuple[str, str]]:
    described = read_json(run, "config.json")
    yield from what_facts(described)
    yield "ended" if ended else "begun", _when(run / ("run.json" if ended else "config.json"))
    weights = None
    if ended or is_checkpoint(run / LAST):
        found = load_result(run) if ended else load(run / LAST)
        weights = found.model_sha256
        yield from weight_facts(found.folder.name, found.manifest, found.state["training"])
    yield from data_facts(described)
    yield from _of_shards(described["shards"], shards, catalog)
    yield "evaluated", _evaluated(run, weights)
    yield from change_facts(described)
    yield "settings", f"{run / 'config.json'}"


def _of_shards(
    known: dict[str, Any], given: Path | None, catalog: Path | None
) -> Iterator[tuple[str, str]]:
    path = given or (Path(known["path"]) if "path" in known else None)
    if path is None or (given is None and not path.is_dir()):
        yield "shards", f"{known['fingerprint'][:12]}..., not found: name them with --shards"
        return
    try:
        opened = ShardSet.open(path)
    except HomageError as error:
        if given is not None:
            raise
        yield "shards", str(error)
        return
    same = opened.fingerprint == known["fingerprint"]
    yield "shards", f"{path}, {'as they were' if same else 'packed again since'}"
    yield "catalog", str(origin(path, opened.manifest, catalog))


def _evaluated(run: Path, model: str | None) -> str:
    if not (run / "results.json").is_file():
        return "not yet"
    judged = read_json(run, "results.json")
    same = judged["identity"]["model_sha256"] == model
    return _when(run / "results.json") + ("" if same else ", with other weights than these")


def _when(path: Path) -> str:
    return f"{datetime.fromtimestamp(path.stat().st_mtime).astimezone():%Y-%m-%d %H:%M %Z}"
