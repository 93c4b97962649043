"""What a real download folder holds besides the release: packed, half-there, copied, no files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from homage_sdk.errors import ReleaseError
from homage_sdk.problems import Problem
from homage_sdk.release import Release, read_release
from tests.unit.release.tiny import Tiny, action, whole

VIDEO = "p0001_r001_v000_a001"


def read(root: Path) -> Release:
    """Read as a user does; a reader that waits for a pipe would hang the test."""
    return read_release(root)


def only(release: Release) -> Problem:
    (problem,) = release.problems
    return problem


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".7z", ".part1.rar", ".zip.001", ".tgz"])
def test_an_archive_is_named_until_it_is_unpacked(tmp_path: Path, suffix: str) -> None:
    tiny = whole(tmp_path)
    tiny.put(tmp_path / f"p0003_videos{suffix}", b"PK")
    problem = only(read(tmp_path))
    assert (problem.code, problem.place.file) == ("HOM140", f"p0003_videos{suffix}")
    assert "unpack" in problem.hint
    tiny.put(tmp_path / "p0003_videos" / "readme.md", b"unpacked")
    assert read(tmp_path).problems == []


def test_an_archive_alone_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "HOMAGE.zip").write_bytes(b"PK")
    with pytest.raises(ReleaseError, match=r"found HOMAGE\.zip.*unpack"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", [".part", ".crdownload", ".aria2", ".download"])
def test_a_download_that_has_not_finished_is_named(tmp_path: Path, suffix: str) -> None:
    tiny = whole(tmp_path)
    tiny.video(VIDEO, suffix=f".mkv{suffix}")
    problem = only(read(tmp_path))
    assert (problem.code, problem.sequence) == ("HOM141", "p0001_r001_a001")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize(
    ("make", "found"),
    [(_pipe, "a pipe"), (_folder, "a folder"), (_link, "a link to /nowhere/at/all")],
)
@pytest.mark.parametrize("what", ["video", "labels", "list"])
@pytest.mark.timeout(20)
def test_what_is_no_file_is_named_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None], found: str, what: str
) -> None:
    tiny = whole(tmp_path)
    path = {
        "video": tiny.videos / "p0001" / f"{VIDEO}.mkv",
        "labels": tiny.atomic / "p0001" / "p0001_r009_a009__aa.json",
        "list": tiny.lists / "val_list.csv",
    }[what]
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    problem = only(read(tmp_path))
    assert (problem.code, tmp_path / problem.place.file) == ("HOM100", path)
    assert problem.found.startswith(found)


def test_a_copy_of_a_folder_never_wins_over_the_original(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.video(VIDEO)
    for copy, data in (
        ("action_split_data (copy)/V1.0/p0001", b"older"),
        ("action_split_data/V1.0/p0001", b"the one"),
    ):
        tiny.put(tmp_path / copy / f"{VIDEO}.mkv", data)
    other = tmp_path / "annotation_files - Copy" / "p0001" / "p0001_r001_a001__aa.json"
    tiny.put(other, "[]")
    release = read(tmp_path)
    assert [p.code for p in release.problems] == ["HOM132", "HOM132"]
    assert all(p.place.file.split("/")[0].endswith(("(copy)", "Copy")) for p in release.problems)
    read_from = release["files"]["path"].to_pylist()
    owned = [v for v in release["videos"].to_pylist() if v["sequence"]]
    assert [read_from[v["file"]] for v in owned] == [f"action_split_data/V1.0/p0001/{VIDEO}.mkv"]
    assert release["actions"].num_rows == 4


def test_ids_in_capitals_are_told_how_to_be_written(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.video(VIDEO.upper(), suffix=".MKV")
    problem = only(read(tmp_path))
    assert (problem.code, problem.expected) == ("HOM130", f"{VIDEO}.MKV")


def test_sensor_files_in_capitals_keep_their_position(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.put(tmp_path / "sensors" / "p0001_r001_a001__light__room.CSV", "time_s,x\r\n0,1\r\n")
    (sensor,) = read(tmp_path)["sensors"].to_pylist()
    assert (sensor["sensor"], sensor["position"]) == ("light", "room")


def test_a_header_in_a_split_list_is_called_one(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.list("train", "video_id,activity", "p0001_r001_a001,make_tea")
    problem = only(read(tmp_path))
    assert (problem.code, problem.place.row) == ("HOM201", 1)
    assert "header" in problem.hint


def test_a_missing_key_names_the_keys_that_are_there(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    tiny.actions("p0001_r001_a001", {"class": "take cup", "start": 1, "frame_end": 30})
    problem = only(read(tmp_path))
    assert (problem.code, problem.found) == ("HOM117", "only class, start, frame_end")


def test_text_that_is_not_utf8_names_its_line(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    tiny.actions("p0001_r001_a001", action())
    tiny.put(
        tiny.lists / "train_list.csv",
        "p0001_r001_a001,x\np0001_r001_a002,caf\xe9\n".encode("latin-1"),
    )
    problem = only(read(tmp_path))
    assert (problem.code, problem.found) == ("HOM107", "byte 0xe9 at offset 37, line 2")


def test_scene_graphs_of_another_shape_show_their_keys_and_the_way_to_map_them(
    tmp_path: Path,
) -> None:
    tiny = Tiny(tmp_path)
    tiny.scene("p0001_r001_v001_a001", raw='{"clip": "x", "graphs": {"1": {}}, "meta": 3}')
    problem = only(read(tmp_path))
    assert (problem.code, problem.found) == ("HOM117", "only clip, graphs, meta")
    assert "docs/scene_graph_maps.md" in problem.hint
