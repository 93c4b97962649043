"""The dataset under test: a release of your own, or a clean synthetic one."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.problems import Problem
from homage_sdk.validation import validate, video_paths
from tests.faults.clean import make_clean


def _path(config: pytest.Config, option: str) -> Path | None:
    value = config.getoption(option)
    return Path(value) if value else None


@pytest.fixture(scope="session")
def is_deep(pytestconfig: pytest.Config) -> bool:
    """Whether the videos are looked into: always for the synthetic release, else on request."""
    return bool(pytestconfig.getoption("--homage-deep") or not pytestconfig.getoption("--homage"))


@pytest.fixture(scope="session")
def problems(
    pytestconfig: pytest.Config, is_deep: bool, shared_folder: Path
) -> dict[str, list[Problem]]:
    """Everything found in one pass, by code; what a baseline knows is left out."""
    from homage_sdk.ingest.probe import probe_videos
    from homage_sdk.release import read_release
    from homage_sdk.validation.reports.baseline import read_baseline, subtract

    path = _path(pytestconfig, "--homage") or make_clean(shared_folder, "hacgen")
    release = read_release(path, scene_graph_map=_path(pytestconfig, "--homage-map"))
    probes = probe_videos(release.root, video_paths(release)) if is_deep else None
    found = validate(release, probes=probes)
    baseline = _path(pytestconfig, "--homage-baseline")
    if baseline is not None:
        found = subtract(found, read_baseline(baseline))
    by_code: dict[str, list[Problem]] = {}
    for problem in found:
        by_code.setdefault(problem.code, []).append(problem)
    return by_code
