"""A release is found where it is, and its absence is said in one useful line."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.errors import ReleaseError
from homage_sdk.release import find_release, read_release
from tests.unit.release.tiny import FOLDERS, Tiny, action, whole


@pytest.mark.parametrize("layout", FOLDERS)
def test_each_layout_is_detected_by_itself(tmp_path: Path, layout: str) -> None:
    whole(tmp_path / "x", layout)
    assert find_release(tmp_path / "x").layout.name == layout


@pytest.mark.parametrize("layout", FOLDERS)
def test_a_release_one_folder_down_is_found(tmp_path: Path, layout: str) -> None:
    whole(tmp_path / "download" / "HOMAGE", layout)
    (tmp_path / "download" / "notes").mkdir()
    found = find_release(tmp_path / "download")
    assert (found.root, found.layout.name) == (tmp_path / "download" / "HOMAGE", layout)


@pytest.mark.parametrize("layout", FOLDERS)
@pytest.mark.parametrize("part", range(4))
def test_any_part_of_a_release_is_enough(tmp_path: Path, layout: str, part: int) -> None:
    tiny = Tiny(tmp_path / "x", layout)
    [
        lambda: tiny.list("train", "p0001_r001_a001,make_tea"),
        lambda: tiny.actions("p0001_r001_a001", action()),
        lambda: tiny.scene("p0001_r001_v001_a001"),
        lambda: tiny.video("p0001_r001_v000_a001"),
    ][part]()
    release = read_release(tmp_path / "x")
    assert release.layout == layout or part == 2  # scene graphs alone name no layout for certain
    assert release["files"].num_rows == 1


def test_files_without_their_folders_are_a_release(tmp_path: Path) -> None:
    (tmp_path / "p0001_r001_a001_aa.json").write_text("[]")
    assert find_release(tmp_path).layout.name == "videoshift"


def test_two_releases_below_one_folder_have_to_be_named(tmp_path: Path) -> None:
    whole(tmp_path / "a")
    whole(tmp_path / "b", "videoshift")
    with pytest.raises(ReleaseError, match=r"more than one release.*found a, b.*name one of them"):
        find_release(tmp_path)


def test_the_fuller_layout_wins_where_two_share_a_folder(tmp_path: Path) -> None:
    whole(tmp_path, "videoshift")
    (tmp_path / "action_split_data").mkdir()
    assert find_release(tmp_path).layout.name == "videoshift"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: None, r"no such folder.*homage synth"),
        (lambda p: p.mkdir(), r"no HOMAGE release here; found an empty folder; expected list_with"),
        (lambda p: p.write_text("x"), "no HOMAGE release here; found a file"),
        (lambda p: (p / "cats").mkdir(parents=True), r"no HOMAGE release here; found cats;"),
    ],
)
def test_what_is_no_release_is_said_in_one_line(tmp_path: Path, make: object, says: str) -> None:
    target = tmp_path / "target"
    make(target)  # type: ignore[operator]
    with pytest.raises(ReleaseError, match=says) as caught:
        read_release(target)
    assert str(target) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_inside_a_release_points_to_the_whole(tmp_path: Path) -> None:
    whole(tmp_path)
    with pytest.raises(ReleaseError, match=f"part of the release at {tmp_path}"):
        find_release(tmp_path / "annotation_files" / "atomic_actions")


def test_link_loops_and_hidden_files_are_left_alone(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    (tiny.atomic / "again").symlink_to(tmp_path, target_is_directory=True)
    (tiny.atomic / "._p0001_r001_a001__aa.json").write_bytes(b"\0\5\x16\7")
    release = read_release(tmp_path)
    assert release["actions"].num_rows == 4
    assert not release.problems


def test_a_broken_link_is_a_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    (tiny.atomic / "p0001" / "p0009_r001_a001__aa.json").symlink_to(tmp_path / "gone")
    release = read_release(tmp_path)
    assert [p.code for p in release.problems] == ["HOM100"]
    assert release["actions"].num_rows == 4


@pytest.mark.parametrize("copy", ["beside", "in the layout's folder", "below the participants'"])
def test_of_nested_copies_the_regular_place_wins(tmp_path: Path, copy: str) -> None:
    tiny = whole(tmp_path / "r")
    sequence, view = "p0001_r001_a001", "p0001_r001_v000_a001"
    regular = tiny.video(view)
    sensor = f"sensors/p0001/{sequence}__acceleration__head.csv"
    tiny.put(tiny.root / sensor, "time_s,x\n0,1\n1,2\n")
    folders = [
        tiny.lists.relative_to(tiny.root),
        tiny.atomic.relative_to(tiny.root),
        tiny.graphs.relative_to(tiny.root),
        tiny.videos.relative_to(tiny.root),
        Path("sensors"),
    ]
    for folder in folders:
        below = {
            "beside": Path("0 backup"),
            "in the layout's folder": Path(folder.parts[0]) / "0 backup",
            "below the participants'": folder / "0" / "p0001",
        }[copy]
        other = Tiny(tiny.root / below)
        if folder.parts[-1].startswith("list"):
            other.list("train", f"{sequence},fold_towel", "p0002_r001_a002,make_tea")
        elif "atomic" in folder.parts[-1]:
            other.actions(sequence, action("old label", 1, 2))
        elif "graphs" in folder.parts[-1]:
            other.scene("p0001_r001_v001_a001")
        elif folder.parts[-1] == "sensors":
            other.put(other.root / sensor, "time_s,x\n0,1\n")
        else:
            other.video(view)
    release = read_release(tiny.root)
    lines = {r["sequence"]: r["split"] for r in reversed(release["list_entries"].to_pylist())}
    assert lines == {sequence: "train", "p0002_r001_a002": "test"}
    actions = release["actions"].to_pylist()
    assert "old label" not in {row["class_raw"] for row in actions}
    assert len(actions) == 4
    assert len(release["frames"]) == 6
    paths = release["files"]["path"].to_pylist()
    videos = [row for row in release["videos"].to_pylist() if row["sequence"]]
    assert [paths[row["file"]] for row in videos] == [regular.relative_to(tiny.root).as_posix()]
    assert release["sensors"]["n_rows"].to_pylist() == [2]
