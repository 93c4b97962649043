"""Probing the videos of a release, several at a time; one that fails does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from homage_sdk.errors import HomageError, MediaError
from homage_sdk.progress import Meter, Progress
from homage_sdk.storage import sha256_file

if TYPE_CHECKING:
    from homage_sdk.media.probe import VideoProbe

Result = TypeVar("Result")


def probe_videos(
    root: Path,
    paths: Sequence[str],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, VideoProbe | HomageError]:
    """Probe each path below ``root``; a failure takes the place of its probe.

    Threads are enough: the time goes into reading the files, which frees the interpreter.
    """
    outcomes = _each(root, paths, _probe, workers, progress)
    return {path: outcomes[path] for path in paths}


def hash_videos(
    root: Path,
    paths: Sequence[str],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, str | None]:
    """SHA-256 of each file, None where it cannot be read."""
    return _each(root, paths, _hash, workers, progress)


def _each(
    root: Path,
    paths: Sequence[str],
    work: Callable[[Path], Result],
    workers: int | None,
    progress: Progress | None,
) -> dict[str, Result]:
    results: dict[str, Result] = {}
    meter = Meter(progress, len(paths))
    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 16)) as pool:
        futures = {pool.submit(work, root / path): path for path in paths}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                meter.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _probe(path: Path) -> VideoProbe | HomageError:
    from homage_sdk.media.probe import probe_video

    try:
        return probe_video(path)
    except HomageError as error:
        return error
    except (OSError, ValueError, ArithmeticError) as error:
        return MediaError(
            "cannot be read as video", place=str(path), found=f"{type(error).__name__}: {error}"
        )


def _hash(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None
