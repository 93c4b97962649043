"""Writing a release: a pool renders the takes, and the folder appears when all is there."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

from homage_sdk.errors import StorageError, UsageError, require_known
from homage_sdk.processes import NEVER_BEGAN, end_pool, leave_with, start_all
from homage_sdk.progress import Meter, Progress
from homage_sdk.storage.folder_swap import new_folder, recover, sweep
from homage_sdk.storage.trees import inner_paths
from homage_sdk.synth.label_files import write_lists
from homage_sdk.synth.record_take import TakeOptions, TakeSummary, write_take
from homage_sdk.synth.release_paths import LAYOUTS
from homage_sdk.synth.takes import HELD_OUT, Take, World, plan_takes
from homage_sdk.synth.world.grammar import ACTIVITIES
from homage_sdk.synth.world.scene import used_classes

MARKER = "synth.json"
"""Lies at the root of a synthetic release and says with which options it was made."""

VERSION = 3
"""Goes up when the same options give other bytes."""


@dataclass(frozen=True, slots=True)
class SynthSummary:
    """What a release holds; ``already_there`` when nothing had to be done."""

    path: Path
    layout: str
    sequences: int
    videos: int
    actions: int
    boxes: int
    relationships: int
    seconds: int
    already_there: bool = False


def write_release(
    out: Path,
    *,
    layout: str = "hacgen",
    sequences: int = 24,
    seed: int = 0,
    size: tuple[int, int] = (1024, 768),
    activities: int = 8,
    seconds: tuple[float, float] = (8.0, 16.0),
    clean: bool = False,
    world: World = "home",
    workers: int | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> SynthSummary:
    """Write a synthetic release with video, sound, labels, scene graphs and sensors.

    The bytes are a pure function of the options, whatever the number of ``workers``. With ``clean``
    there is none of the mess of ``mess.py`` and validation has nothing to find. A folder that
    already holds this very release is left alone. ``force`` replaces another synthetic release, and
    keeps what else lies in its folder. ``world`` is what the videos show: ``home``, or gratings of
    which it is known what two views have in common (``shared``, ``apart``; labels, sound and
    sensors stay those of the home, and are not about the gratings).

    Raises:
        UsageError: an option that makes no sense, or ``out`` holds something else: another release
            without ``force``, or files that are none.
        StorageError: the disk is full, or someone else writes there.

    """
    options = {
        "layout": layout,
        "sequences": sequences,
        "seed": seed,
        "size": list(size),
        "activities": activities,
        "seconds": list(seconds),
        "clean": clean,
        **({} if world == "home" else {"world": world}),
    }
    require_known("world", world, HELD_OUT)
    _check(layout, sequences, size, activities, seconds)
    if workers is not None and workers < 1:
        raise UsageError("no workers", found=str(workers), expected="1 or more")
    out = Path(out)
    marker = {"version": VERSION, "options": options}
    found = existing(out, marker, force=force)
    if found is not None:
        return found
    takes = plan_takes(seed, sequences, activities, seconds, clean=clean, world=world)
    paths = LAYOUTS[layout]
    with new_folder(out, release_files if force else None) as folder:
        write_lists(folder, paths, takes, used_classes(seed, takes))
        job = TakeOptions(str(folder), layout, seed, size, world)
        done = list(_render(job, takes, workers, progress))
        summary = SynthSummary(
            path=out,
            layout=layout,
            sequences=len(takes),
            videos=sum(s.videos for s in done),
            actions=sum(s.actions for s in done),
            boxes=sum(s.boxes for s in done),
            relationships=sum(s.relationships for s in done),
            seconds=sum(s.seconds for s in done),
        )
        write_marker(folder, marker, summary)
    return summary


def _check(
    layout: str,
    sequences: int,
    size: tuple[int, int],
    activities: int,
    seconds: tuple[float, float],
) -> None:
    require_known("layout", layout, LAYOUTS)
    if sequences < 1:
        raise UsageError("no sequences", found=str(sequences), expected="1 or more")
    if not 1 <= activities <= len(ACTIVITIES):
        raise UsageError(
            "activities out of range", found=str(activities), expected=f"1 to {len(ACTIVITIES)}"
        )
    if any(s % 2 or not 64 <= s <= 4096 for s in size):
        raise UsageError(
            "size out of range", found=f"{size[0]}x{size[1]}", expected="even numbers, 64 to 4096"
        )
    low, high = seconds
    if not 4 <= low <= high <= 600:
        raise UsageError(
            "seconds out of range", found=f"{low} to {high}", expected="4 <= low <= high <= 600"
        )


def existing(out: Path, marker: dict[str, object], *, force: bool) -> SynthSummary | None:
    """The summary of the same release if ``out`` holds it; None if the way is free."""
    recover(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        document = json.loads((out / MARKER).read_text(encoding="utf-8"))
        same = {k: document[k] for k in ("version", "options")} == marker
    except (OSError, ValueError, KeyError, TypeError):
        document, same = {}, False
    if same:
        sweep(out, release_files)
        return SynthSummary(path=out, already_there=True, **document["holds"])
    is_release = bool(release_files(out))
    if force and is_release:
        return None
    raise UsageError(
        "the folder is not empty",
        place=str(out),
        found="a release made with other options" if is_release else "something else",
        hint="choose another folder" + (", or pass --force to replace it" if is_release else ""),
    )


def release_files(folder: Path) -> list[str]:
    """The files of a synthetic release, by its marker, itself last; nothing where there is none."""
    try:
        document = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return [*inner_paths(document["files"]), MARKER]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_marker(folder: Path, marker: dict[str, object], summary: SynthSummary) -> None:
    """Say at the root with which options this release was made, and which files are its own."""
    files = sorted(str(p.relative_to(folder).as_posix()) for p in folder.rglob("*") if p.is_file())
    holds = {k: v for k, v in asdict(summary).items() if k not in ("path", "already_there")}
    text = json.dumps({**marker, "holds": holds, "files": files}, indent=2) + "\n"
    (folder / MARKER).write_text(text, encoding="utf-8")


def _render(
    job: TakeOptions,
    takes: tuple[Take, ...],
    workers: int | None,
    progress: Progress | None,
) -> Iterator[TakeSummary]:
    count = min(workers or os.cpu_count() or 1, len(takes))
    meter = Meter(progress, len(takes))
    if count <= 1:
        for take in takes:
            yield write_take(job, take)
            meter.advance()
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        count, mp_context=context, initializer=leave_with, initargs=(os.getpid(),)
    )
    try:
        start_all(pool)
        for future in as_completed([pool.submit(write_take, job, take) for take in takes]):
            yield future.result()
            meter.advance()
    except BrokenProcessPool as error:
        raise StorageError(
            "a worker process died",
            place=job.folder,
            hint=f"try workers=1; {NEVER_BEGAN}",
        ) from error
    finally:
        end_pool(pool)
