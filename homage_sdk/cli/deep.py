"""Probing every video of a release, in several processes, for `--deep`."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from homage_sdk.errors import HomageError

if TYPE_CHECKING:
    from homage_sdk.media.probe import VideoProbe
    from homage_sdk.release.records import Release

_FEW = 16  # below this, starting processes takes longer than probing


def probe_release(
    release: Release,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, VideoProbe | HomageError]:
    """By path relative to the release root: the probe of each video, or why there is none."""
    paths = [row["path"] for row in release["files"].to_pylist() if row["kind"] == "video"]
    workers = workers or min(os.cpu_count() or 1, 8)
    outcomes: dict[str, VideoProbe | HomageError] = {}

    def keep(path: str, outcome: VideoProbe | HomageError) -> None:
        outcomes[path] = outcome
        if progress is not None:
            progress(len(outcomes), len(paths))

    files = [release.root / path for path in paths]
    if workers == 1 or len(paths) < _FEW:
        for path, file in zip(paths, files, strict=True):
            keep(path, _probe(file))
        return outcomes
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        chunk = max(1, min(16, len(paths) // (4 * workers)))
        for path, outcome in zip(paths, pool.map(_probe, files, chunksize=chunk), strict=True):
            keep(path, outcome)
    return outcomes


def _probe(file: Path) -> VideoProbe | HomageError:
    from homage_sdk.media.probe import probe_video

    try:
        return probe_video(file)
    except HomageError as error:
        return error
