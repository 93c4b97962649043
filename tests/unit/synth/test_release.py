"""The same options give the same bytes, in the published places, all of them or none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homage_sdk.errors import UsageError
from homage_sdk.synth import write_release
from homage_sdk.testing import write_labels
from tests.command import tree
from tests.unit.synth.files import digests

TINY = {"sequences": 4, "size": (96, 72), "activities": 2, "seconds": (4, 5)}

PLACES = {
    "hacgen": (
        r"list_with_activity_labels/(train|val|test)_list\.csv",
        r"list_with_activity_labels/classInd(_atomic)?\.txt",
        r"annotation_files/atomic_actions/(p\d{4})/\1_r\d{3}_a\d{3}__aa\.json",
        r"annotation_files/scene_graphs/(p\d{4})/\1_r\d{3}_v\d{3}_a\d{3}_sg\.json",
        r"action_split_data/V1\.0/(p\d{4})/\1_r\d{3}_v\d{3}_a\d{3}\.mkv",
        r"sensors/(p\d{4})/\1_r\d{3}_a\d{3}__[a-z_]+__[a-z0-9]+\.csv",
        r"synth\.json",
    ),
    "videoshift": (
        r"activity_lists/(train|test)_list\.csv",
        r"activity_lists/format_list_files\.md",
        r"activity_lists/classInd(_atomic)?\.txt",
        r"annotations/atomic_actions/(p\d{4})/\1_r\d{3}_a\d{3}_aa\.json",
        r"annotations/scene_graph_annotations/(p\d{4})/\1_r\d{3}_v\d{3}_a\d{3}_sg\.json",
        r"ego-and-3rd-person-view/(p\d{4})/\1_r\d{3}_v\d{3}_a\d{3}\.mkv",
        r"sensors/(p\d{4})/\1_r\d{3}_a\d{3}__[a-z_]+__[a-z0-9]+\.csv",
        r"synth\.json",
    ),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "release"
    write_release(out, workers=1, **TINY)
    return out


@pytest.mark.slow
def test_two_workers_in_other_processes_write_the_same_bytes(release: Path, tmp_path: Path) -> None:
    write_release(tmp_path / "again", workers=2, **TINY)
    assert digests(tmp_path / "again") == digests(release)


def test_another_seed_writes_another_release(release: Path, tmp_path: Path) -> None:
    write_release(tmp_path / "other", workers=1, seed=1, **{**TINY, "sequences": 2})
    videos = {d for name, d in digests(tmp_path / "other").items() if name.endswith(".mkv")}
    assert videos
    assert not videos & set(digests(release).values())


@pytest.mark.parametrize("layout", PLACES)
def test_every_file_lies_where_the_layout_has_it(
    release: Path, tmp_path: Path, layout: str
) -> None:
    root = release
    if layout != "hacgen":
        root = tmp_path / layout
        write_release(root, layout=layout, workers=1, **{**TINY, "sequences": 3})
    names = list(digests(root))
    for name in names:
        assert any(re.fullmatch(p, name) for p in PLACES[layout]), name
    for pattern in PLACES[layout]:
        assert any(re.fullmatch(pattern, name) for name in names), pattern


def test_class_files_are_spelled_as_each_layout_spells_them(tmp_path: Path, release: Path) -> None:
    lines = (release / "list_with_activity_labels/classInd.txt").read_text().splitlines()
    assert [re.fullmatch(r"(\d+) [a-z_]+", line).group(1) for line in lines] == ["1", "2"]
    atomic = (release / "list_with_activity_labels/classInd_atomic.txt").read_text().splitlines()
    assert all(re.fullmatch(r"\d+ [a-z_/]+", line) for line in atomic)
    write_release(tmp_path / "v", layout="videoshift", workers=1, **{**TINY, "sequences": 2})
    lines = (tmp_path / "v/activity_lists/classInd.txt").read_text().splitlines()
    assert all(re.fullmatch(r"\d+,[a-z_]+", line) for line in lines)


def test_the_same_command_again_does_nothing(release: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in release.rglob("*")}
    summary = write_release(release, workers=1, **TINY)
    assert summary.already_there
    assert summary.sequences == 4
    assert {p: p.stat().st_mtime_ns for p in release.rglob("*")} == before


def test_a_folder_with_something_else_is_refused_also_when_forced(
    release: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(UsageError, match="not empty"):
            write_release(tmp_path / "mine", workers=1, force=force, **TINY)
        assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    with pytest.raises(UsageError, match=r"other options.*--force"):
        write_release(release, workers=1, seed=9, **TINY)


@pytest.mark.slow
def test_a_forced_release_replaces_another_one_and_keeps_what_else_lies_there(
    tmp_path: Path,
) -> None:
    write_labels(tmp_path / "out", scale="tiny", seed=1)
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    write_labels(tmp_path / "out", scale="tiny", seed=2, force=True)
    (tmp_path / "out" / "thesis.tex").unlink()
    write_labels(tmp_path / "fresh", scale="tiny", seed=2)
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_ctrl_c_midway_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_release(tmp_path / "out", workers=1, progress=stop, **TINY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"layout": "ucf101"},
        {"sequences": 0},
        {"activities": 99},
        {"size": (101, 72)},
        {"size": (8, 8)},
        {"seconds": (9, 5)},
        {"seconds": (1, 2)},
        {"workers": 0},
    ],
)
def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"found|unknown"):
        write_release(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()
