"""What a run is: of which shards and catalog, when, of which sequences, and whether they fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

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
    config, parts = described["config"], described["parts"]
    task, data = config["task"], config["data"]
    yield "run", f"{config['name']}: {task['kind']} of {', '.join(task['modalities'])}"
    yield "ended" if ended else "begun", _when(run / ("run.json" if ended else "config.json"))
    weights = None
    if ended or is_checkpoint(run / LAST):
        found = load_result(run) if ended else load(run / LAST)
        weights, of = found.model_sha256, found.manifest
        step = found.state["training"]["step"]
        yield "weights", f"{found.folder.name}, step {step}, sha256 {weights[:12]}..."
        yield "written by", f"homage_sdk {of.code_version}, torch {of.torch}"
    yield "trained on", f"{len(parts['train']):,} sequences"
    yield "validated on", f"{len(parts['validation']):,} sequences"
    left = {name: data.get(name) for name in ("exclude_activities", "novel_share")}
    yield "left out", "; ".join(f"{name} {it}" for name, it in left.items() if it) or "nothing"
    yield from _of_shards(described["shards"], shards, catalog)
    yield "evaluated", _evaluated(run, weights)
    for change in described.get("changes", ()):
        yield "changed", "{setting} {old} to {new} after step {step}".format(**change)
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
