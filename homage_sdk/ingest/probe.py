"""Reading the videos of a release, several at a time; one that fails does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from homage_sdk.errors import HomageError, MediaError, ResourceError
from homage_sdk.problems import Place, Problem
from homage_sdk.progress import Meter, Progress
from homage_sdk.release.files.inventory import UNREADABLE
from homage_sdk.release.files.layouts import sequence_in
from homage_sdk.storage import sha256_file
from homage_sdk.storage.system_errors import require_enough

if TYPE_CHECKING:
    from homage_sdk.ingest.known_videos import KnownVideos
    from homage_sdk.media.probe import VideoProbe

Result = TypeVar("Result")


def probe_videos(
    root: Path,
    paths: Sequence[str],
    *,
    known: KnownVideos | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, VideoProbe | HomageError]:
    """Probe each path below ``root`` that is not ``known``; a failure takes the place of its probe.

    Threads are enough: the time goes into reading the files, which frees the interpreter.
    """
    recall = None if known is None else known.probe
    return _each(root, paths, _probe, recall, workers, progress)


def hash_videos(
    root: Path,
    paths: Sequence[str],
    *,
    known: KnownVideos | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, str | HomageError]:
    """SHA-256 of each file; a failure takes its place."""
    recall = None if known is None else known.sha256
    return _each(root, paths, _hash, recall, workers, progress)


def unread(outcomes: Mapping[str, object]) -> list[Problem]:
    """The videos that the operating system did not let us read: not those that are no videos."""
    return [
        UNREADABLE.at(
            Place(path, sequence=sequence_in(path.rpartition("/")[2]) or ""),
            found=error.__cause__.strerror or type(error.__cause__).__name__,
        )
        for path, error in outcomes.items()
        if isinstance(error, HomageError) and isinstance(error.__cause__, OSError)
    ]


def _each(
    root: Path,
    paths: Sequence[str],
    read: Callable[[Path], Result],
    recall: Callable[[str, Callable[[Path], Result]], Result] | None,
    workers: int | None,
    progress: Progress | None,
) -> dict[str, Result]:
    def work(path: str) -> Result:
        return recall(path, read) if recall else read(root / path)

    results: dict[str, Result] = {}
    meter = Meter(progress, len(paths))
    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 16)) as pool:
        try:
            for path, outcome in zip(paths, pool.map(work, paths), strict=True):
                results[path] = outcome
                meter.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _probe(path: Path) -> VideoProbe | HomageError:
    from homage_sdk.media.probe import probe_video

    try:
        return probe_video(path)
    except ResourceError:
        raise  # it says nothing about this video
    except HomageError as error:
        return error
    except (OSError, ValueError, ArithmeticError) as error:
        return _failed("cannot be read as video", path, error)


def _hash(path: Path) -> str | HomageError:
    try:
        return sha256_file(path)
    except OSError as error:
        require_enough(error, path)
        return _failed("cannot be read", path, error)


def _failed(message: str, path: Path, cause: Exception) -> MediaError:
    made = MediaError(message, place=str(path), found=f"{type(cause).__name__}: {cause}")
    made.__cause__ = cause
    return made
