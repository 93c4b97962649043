"""A run folder: what is in it, and whether a command continues it.

``config.json`` (configuration, shards, class lists, who trained and who validated),
``metrics.jsonl``, ``checkpoint-last/``, ``checkpoint-best/``, ``run.json`` when training has ended,
``results.json`` and ``predictions.npz`` after evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.ccau.config.toml_settings import flat
from baselines.ccau.runs.checkpoint import Checkpoint, files_of, is_checkpoint, load, remove
from baselines.ccau.runs.json_files import read_json, write_json
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.folders import Kind, look, refusal
from homage_sdk.storage import exclusive, explained
from homage_sdk.storage.folder_swap import recover, sweep

LAST, BEST = "checkpoint-last", "checkpoint-best"
_MAY_DIFFER = ("run.device", "run.tensorboard", "run.bootstrap_draws", "data.workers")
"""Settings that leave the trained weights as they are."""


@dataclass(frozen=True)
class Opened:
    """What a training command found in its folder."""

    finished: bool
    checkpoint: Checkpoint | None


def open_run(out: Path, description: Mapping[str, Any], *, fresh: bool, resume: bool) -> Opened:
    """Begin a run in ``out``, go on with it, or find it finished.

    Raises ConfigError when the folder holds a run with another configuration, naming the first
    setting that differs; ``fresh`` starts again from nothing; ``resume`` demands a checkpoint to go
    on with, CheckpointError otherwise. A checkpoint that a kill left in the middle of being
    replaced is put back first.
    """
    for name in (LAST, BEST):
        recover(out / name)
    if not (out / "config.json").is_file():
        if resume:
            raise CheckpointError("no run to resume", place=out, hint="leave out --resume")
        if out.exists() and any(not path.name.startswith(".tmp-") for path in out.iterdir()):
            raise ConfigError(
                "not empty and not a run",
                place=out,
                found=look(out).found,
                hint="choose another --out",
            )
    if fresh or not (out / "config.json").is_file():
        return Opened(finished=False, checkpoint=None)
    _refuse_another(out, read_json(out, "config.json"), description)
    finished = (out / "run.json").is_file()
    has_last = is_checkpoint(out / LAST)
    if finished and not has_last:
        raise CheckpointError("the finished run has lost its checkpoint", place=out / LAST)
    if resume and not has_last:
        raise CheckpointError(
            "nothing to resume from: no checkpoint yet", place=out / LAST, hint="leave out --resume"
        )
    return Opened(finished=finished, checkpoint=load(out / LAST) if has_last else None)


@contextmanager
def reserved(out: Path) -> Iterator[None]:
    """Make the folder and keep other training commands out; StorageError when one is at work."""
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    with exclusive(out / ".tmp-train.lock", out):
        yield


def begin(out: Path, description: Mapping[str, Any]) -> None:
    """Start from nothing: drop what the folder holds of an earlier run, describe the new one.

    Files that no run writes stay where they are.

    Whatever moment a kill comes at, the same command is accepted again: ``config.json``, by which a
    folder is known as a run, is replaced last and never missing.
    """
    for name in ("run.json", "results.json", "predictions.npz", "fewshot.json"):
        _drop(out / name)
    for name in (LAST, BEST):
        sweep(out / name, files_of)
        remove(out / name)
    _drop(out / "metrics.jsonl")
    write_json(out / "config.json", description)


def _drop(path: Path) -> None:
    """Remove a file; raises StorageError."""
    with explained(path):
        path.unlink(missing_ok=True)


def check_run(run: Path) -> None:
    """Raise CheckpointError unless the folder is a training run that has ended."""
    there = look(run)
    if there.kind is not Kind.RUN or not there.is_whole:
        from homage_sdk.release.files.find import what_is

        raise refusal(CheckpointError, Kind.RUN, what_is(run))


def result_checkpoint(run: Path) -> Path:
    """The checkpoint that a finished run is judged by."""
    check_run(run)
    checkpoint = run / str(read_json(run, "run.json")["result"])
    recover(checkpoint)
    return checkpoint


def _refuse_another(out: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    before, after = flat(old), flat(json.loads(json.dumps(new)))
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and key.removeprefix("config.") not in _MAY_DIFFER:
            raise ConfigError(
                f"this folder holds another run: {key} differs",
                place=out,
                found=str(before.get(key))[:80],
                expected=str(after.get(key))[:80],
                hint="choose another --out, or start again with --fresh",
            )
