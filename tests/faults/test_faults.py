"""Every kind of fault, planted in a clean release: found at its place, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homage_sdk.errors import HomageError
from homage_sdk.ingest.decode import decode_videos
from homage_sdk.media.probe import VideoProbe, probe_video
from homage_sdk.problems import Problem
from homage_sdk.release import read_release
from homage_sdk.validation import CODES, validate
from tests.faults import (
    file_faults,
    graph_faults,
    interval_faults,
    list_faults,
    media_faults,
    sensor_faults,
    stream_faults,
)
from tests.faults.kit import At, Copy, Fault, places

FAULTS: tuple[Fault, ...] = (
    *file_faults.FAULTS,
    *interval_faults.FAULTS,
    *list_faults.FAULTS,
    *graph_faults.FAULTS,
    *sensor_faults.FAULTS,
    *media_faults.FAULTS,
    *stream_faults.FAULTS,
)

_PROBES: dict[int, VideoProbe | HomageError] = {}


def _problems(
    root: Path, *, deep: bool, decode: bool = False, scene_graph_map: Path | None = None
) -> list[Problem]:
    release = read_release(root, scene_graph_map=scene_graph_map)
    probes = {}
    if deep:
        for row in release["files"].to_pylist():
            if row["kind"] == "video":
                probes[row["path"]] = _probed(root / row["path"])
    checked = decode_videos(root, probes, everything=True, workers=1) if decode else None
    return validate(release, probes=probes, checked=checked)


def _probed(video: Path) -> VideoProbe | HomageError:
    """Untouched videos are links to the clean release's and need to be probed once only."""
    inode = video.stat().st_ino
    shared = video.stat().st_nlink > 1
    if shared and inode in _PROBES:
        return _PROBES[inode]
    try:
        outcome: VideoProbe | HomageError = probe_video(video)
    except HomageError as error:
        outcome = error
    if shared:
        _PROBES[inode] = outcome
    return outcome


def test_a_clean_release_of_each_layout_gives_no_problem(clean_release: Path) -> None:
    assert _problems(clean_release, deep=True) == []


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_found_at_its_place_and_nothing_else(
    fault: Fault, clean_hacgen: Path, tmp_path: Path
) -> None:
    copy = Copy(clean_hacgen, tmp_path / "release")
    planted = fault.plant(copy)
    expected = [planted] if isinstance(planted, At) else planted
    mapping = None
    if copy.scene_graph_map:
        mapping = tmp_path / "map.toml"
        mapping.write_text(copy.scene_graph_map)
    decode = "HOM616" <= fault.code <= "HOM619"
    problems = _problems(copy.root, deep=fault.deep, decode=decode, scene_graph_map=mapping)
    assert places(problems) == sorted(
        (at.code or fault.code, replace(at, code="")) for at in expected
    )
    for problem in problems:
        assert problem.hint
        assert problem.message
        assert problem.found


def test_every_code_of_a_release_has_a_planted_fault() -> None:
    assert CODES.keys() - {fault.code for fault in FAULTS} == set()
