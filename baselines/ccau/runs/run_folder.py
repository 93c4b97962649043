"""A run folder: what is in it, and whether a command continues it.

``config.json`` (configuration, shards, class lists, who trained and who validated),
``metrics.jsonl``, ``checkpoint-last/``, ``checkpoint-best/`` and their card ``README.md`` (the
run's own is that of the checkpoint it is judged by), ``run.json`` when training has ended,
``results.json`` and ``predictions.npz`` after evaluation; what other commands make of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.ccau.config.config import as_it_ran
from baselines.ccau.config.resume_settings import Change, changes, require_harmless
from baselines.ccau.distributed import World, by_first
from baselines.ccau.runs.boards import WANDB_ID
from baselines.ccau.runs.card_file import drop_card
from baselines.ccau.runs.checkpoint import (
    MANIFEST,
    Checkpoint,
    files_of,
    is_checkpoint,
    load,
    remove,
)
from baselines.ccau.runs.json_files import read_json, write_json
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.folders import Kind, look, refusal
from homage_sdk.storage import exclusive, explained
from homage_sdk.storage.folder_swap import recover, sweep

LAST, BEST = "checkpoint-last", "checkpoint-best"
_OF_THE_END = (
    "run.json", "results.json", "predictions.npz", "fewshot.json", "fewshot.npz",
    "localisation.json", "tsne.json", "tsne.svg", "tsne.png",
)  # fmt: skip
"""What says something of the weights that a run ended with."""


@dataclass(frozen=True)
class Opened:
    """What a training command found in its folder."""

    finished: bool
    checkpoint: Checkpoint | None
    changes: tuple[Change, ...] = ()
    """Settings that differ from those that the folder states."""


def open_run(out: Path, description: Mapping[str, Any], *, fresh: bool, resume: bool) -> Opened:
    """Begin a run in ``out``, go on with it, or find it finished.

    Raises ConfigError when a setting differs that may not (``config.resume_settings``), naming it
    and both values; ``fresh`` starts again from nothing; ``resume`` demands a checkpoint to go on
    with, CheckpointError otherwise. A checkpoint that a kill left in the middle of being replaced
    is put back first.
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
    changed = _changed(out, read_json(out, "config.json"), description)
    finished = (out / "run.json").is_file()
    has_last = is_checkpoint(out / LAST)
    if finished and not has_last:
        raise CheckpointError("the finished run has lost its checkpoint", place=out / LAST)
    if resume and not has_last:
        raise CheckpointError(
            "nothing to resume from: no checkpoint yet", place=out / LAST, hint="leave out --resume"
        )
    return Opened(finished, load(out / LAST) if has_last else None, changed)


@contextmanager
def reserved(out: Path, world: World) -> Iterator[None]:
    """Make the folder and lock it; StorageError where another command writes it.

    The first rank holds it for all of them. Training and judging both write a run.
    """

    def hold() -> None:
        with explained(out):
            out.mkdir(parents=True, exist_ok=True)
        held.enter_context(exclusive(out / ".tmp-train.lock", out))

    with ExitStack() as held:
        by_first(world, hold)
        yield


def begin(out: Path, description: Mapping[str, Any]) -> None:
    """Start from nothing: drop what the folder holds of an earlier run, describe the new one.

    Files that no run writes stay where they are.

    Whatever moment a kill comes at, the same command is accepted again: ``config.json``, by which a
    folder is known as a run, is replaced last and never missing.
    """
    for name in _OF_THE_END:
        _drop(out / name)
    for name in (LAST, BEST):
        sweep(out / name, files_of)
        remove(out / name)
    _drop(out / "metrics.jsonl")
    _drop(out / WANDB_ID)
    drop_card(out)
    write_json(out / "config.json", description)


def go_on(out: Path, description: Mapping[str, Any], opened: Opened, step: int) -> None:
    """Record at which step which settings changed; results of weights that change now are dropped.

    Whatever moment a kill comes at, the same command goes on.
    """
    if opened.changes:
        known = read_json(out, "config.json").get("changes", [])
        new = [{"step": step, "setting": c.key, "old": c.old, "new": c.new} for c in opened.changes]
        write_json(out / "config.json", {**description, "changes": [*known, *new]})
    for name in _OF_THE_END:
        _drop(out / name)


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


def finish(out: Path, state: Mapping[str, Any], result: str) -> None:
    """Say that training has ended, and by which checkpoint the run is judged."""
    model = read_json(out / result, MANIFEST)["files"]["model.safetensors"]["sha256"]
    write_json(out / "run.json", {**state, "result": result, "model_sha256": model})


def load_result(run: Path) -> Checkpoint:
    """The checkpoint that a finished run is judged by, verified.

    Raises CheckpointError: no finished run, a file cut or changed, or a checkpoint that is not the
    one that the run ended with (older runs do not say which that was).
    """
    while True:
        check_run(run)
        ended = read_json(run, "run.json")
        folder = run / str(ended["result"])
        recover(folder)
        found = load(folder)
        if ended.get("model_sha256") in (None, found.model_sha256):
            return found
        if read_json(run, "run.json") == ended:
            raise CheckpointError(
                "these are not the weights that this run ended with",
                place=folder,
                found=f"sha256 {found.model_sha256[:12]}...",
                expected=f"sha256 {ended['model_sha256'][:12]}...",
                hint="copy the whole run folder again, or train it again",
            )


@contextmanager
def one_state(*runs: Path) -> Iterator[None]:
    """Raise CheckpointError where a run was written while its files were read."""
    before = [_stamps(run) for run in runs]
    try:
        yield
    except Exception:  # perhaps of files that do not belong together
        _require_same(runs, before)
        raise
    _require_same(runs, before)


def _require_same(runs: Sequence[Path], before: Sequence[_Stamps]) -> None:
    for run, stamps in zip(runs, before, strict=True):
        if _stamps(run) != stamps:
            raise CheckpointError(
                "the run was written while it was read",
                place=run,
                hint="wait until it is trained and evaluated, then run the same command again",
            )


_Stamps = list[tuple[int, ...] | None]


def _stamps(run: Path) -> _Stamps:
    """What changes when a file of a run is replaced, of each that is read."""
    found: _Stamps = []
    for name in ("config.json", "metrics.jsonl", *_OF_THE_END):
        try:
            state = (run / name).stat()
            found.append((state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


def _changed(out: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs and may; raises ConfigError for the first setting that may not."""
    schedule = str(old["config"].get("optim", {}).get("schedule"))
    before = {key: value for key, value in old.items() if key != "changes"}
    after = json.loads(json.dumps(new))
    for stated in (before, after):
        stated["config"] = as_it_ran(stated["config"])
    found = tuple(changes(before, after))
    for change in found:
        require_harmless(change, schedule, out)
    return found
