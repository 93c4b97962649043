"""A part of a release is normal: what was not downloaded is no fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from homage_sdk.problems import Severity
from homage_sdk.release import read_release
from homage_sdk.validation import validate
from tests.faults.clean import make_clean
from tests.faults.kit import Copy


def _no_videos(copy: Copy) -> None:
    copy.remove(*copy.videos)


def _no_labels(copy: Copy) -> None:
    copy.remove(*copy.actions, *copy.graphs)


def _no_lists(copy: Copy) -> None:
    copy.remove(*copy.files("_list.csv"))


def _no_class_lists(copy: Copy) -> None:
    copy.remove(*copy.files("classInd.txt"), *copy.files("classInd_atomic.txt"))


def _no_scene_graphs(copy: Copy) -> None:
    copy.remove(*copy.graphs)


def _no_sensors(copy: Copy) -> None:
    copy.remove(*copy.sensors)


def _one_participant(copy: Copy) -> None:
    first = copy.sequence(copy.videos[0]).split("_")[0]
    everything = [*copy.videos, *copy.actions, *copy.graphs, *copy.sensors]
    copy.remove(*(path for path in everything if not copy.sequence(path).startswith(first)))


def _labels_only(copy: Copy) -> None:
    copy.remove(*copy.videos, *copy.sensors)


def _videos_only(copy: Copy) -> None:
    _no_labels(copy)
    _no_lists(copy)
    _no_class_lists(copy)
    _no_sensors(copy)


PARTS = (
    _no_videos,
    _no_labels,
    _no_lists,
    _no_class_lists,
    _no_scene_graphs,
    _no_sensors,
    _one_participant,
    _labels_only,
    _videos_only,
)


@pytest.mark.parametrize("take_away", PARTS, ids=lambda part: part.__name__.strip("_"))
def test_a_partial_download_has_neither_errors_nor_warnings(
    take_away: Callable[[Copy], None], shared_folder: Path, tmp_path: Path
) -> None:
    copy = Copy(make_clean(shared_folder, "hacgen"), tmp_path / "release")
    take_away(copy)
    problems = validate(read_release(copy.root))
    assert [p for p in problems if p.severity is not Severity.INFO] == []


def test_the_ordinary_mess_gives_the_findings_it_is_known_for(small_release: Path) -> None:
    from homage_sdk.ingest.probe import probe_videos
    from homage_sdk.validation import video_paths

    release = read_release(small_release)
    problems = validate(release, probes=probe_videos(release.root, video_paths(release)))
    bad = {p.code for p in problems if p.severity is not Severity.INFO}
    assert (
        {"HOM220", "HOM222", "HOM303", "HOM603"}
        <= bad
        <= {
            "HOM220",
            "HOM222",
            "HOM231",
            "HOM303",
            "HOM603",
        }
    )
    assert {"HOM606", "HOM612", "HOM613"} <= {p.code for p in problems}


def test_the_same_release_gives_the_same_report_whatever_the_order_of_its_tables(
    shared_folder: Path, tmp_path: Path
) -> None:
    copy = Copy(make_clean(shared_folder, "hacgen"), tmp_path / "release")
    copy.set(copy.actions[0], 0, 0, "frame_start")
    copy.set(copy.actions[-1], -5, 0, "frame_start")
    first, second = (validate(read_release(copy.root)) for _ in range(2))
    assert first == second
    assert [p.place.file for p in first] == sorted(p.place.file for p in first)
