"""Decoding pictures and sound of a release, several videos at a time, each in one thread."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from homage_sdk.errors import HomageError, MediaError, ResourceError
from homage_sdk.processes import KILLED, NEVER_BEGAN, end_pool, leave_with, start_all
from homage_sdk.progress import Meter, Progress
from homage_sdk.storage.system_errors import require_enough

if TYPE_CHECKING:
    from homage_sdk.media.check_pictures import CheckedPictures
    from homage_sdk.media.probe import Probes
    from homage_sdk.media.pts_index import PtsIndex


def decode_videos(
    root: Path,
    probes: Probes,
    *,
    everything: bool,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Mapping[str, CheckedPictures]:
    """What decoding each probed video gives; ``progress`` counts pictures.

    A video that can no longer be opened is left out. Raises MediaError when a process is lost.
    """
    indices = {
        path: probe.index
        for path, probe in probes.items()
        if not isinstance(probe, HomageError) and probe.n_frames
    }
    meter = Meter(progress, sum(map(len, indices.values())))
    found: dict[str, CheckedPictures] = {}
    if not indices:
        return found
    context = multiprocessing.get_context("spawn")
    n_workers = min(workers or os.cpu_count() or 1, len(indices))
    pool = ProcessPoolExecutor(
        n_workers, mp_context=context, initializer=leave_with, initargs=(os.getpid(),)
    )
    try:
        start_all(pool)
        jobs = {
            pool.submit(check_video, root / path, index, everything): path
            for path, index in indices.items()
        }
        for job in as_completed(jobs):
            if (checked := job.result()) is not None:
                found[jobs[job]] = checked
            meter.advance(len(indices[jobs[job]]))
    except BrokenProcessPool:
        hint = KILLED if found else NEVER_BEGAN
        raise MediaError("a decoding process ended early", place=root, hint=hint) from None
    finally:
        end_pool(pool)
    return {path: found[path] for path in indices if path in found}


def check_video(path: Path, index: PtsIndex, everything: bool) -> CheckedPictures | None:
    """What decoding pictures and sound gives; None where the pictures can no longer be opened.

    A fault of the sound costs nothing of the pictures. Raises ResourceError, which says nothing
    about this video.
    """
    from homage_sdk.media.check_pictures import check_pictures
    from homage_sdk.media.soundtrack import CheckedSound, check_sound

    try:
        pictures = check_pictures(path, index, everything=everything)
    except (HomageError, OSError) as error:
        _fault(path, error)
        return None
    try:
        return replace(pictures, sound=check_sound(path, everything=everything))
    except (HomageError, OSError) as error:
        return replace(pictures, sound=CheckedSound(fault=_fault(path, error)))


def _fault(path: Path, error: HomageError | OSError) -> str:
    """What an error says of a video, in one line; ResourceError where it says nothing of it."""
    from homage_sdk.media.header.opening import reason

    if isinstance(error, ResourceError):
        raise error
    if isinstance(error, HomageError):
        return "; ".join(filter(None, [error.message, error.found]))
    require_enough(error, path)
    return reason(error)
