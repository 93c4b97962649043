"""Split lists and class lists: every syntax that was seen, and each bad line at its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.release import read_release
from tests.unit.release.tiny import Tiny, whole


@pytest.mark.parametrize("line", ["{0} {1}", "{0},{1}", "{0}, {1}", "{0}\t{1}"])
def test_class_lists_are_read_in_either_syntax(tmp_path: Path, line: str) -> None:
    tiny = whole(tmp_path)
    tiny.classes("classInd_atomic.txt", line.format(1, "take_cup"), line.format(7, "wash/dry_cup"))
    rows = read_release(tmp_path)["class_entries"].to_pylist()
    atomic = [(row["id"], row["raw"], row["row"]) for row in rows if row["kind"] == "atomic"]
    assert atomic == [(1, "take_cup", 1), (7, "wash/dry_cup", 2)]


@pytest.mark.parametrize("folder", ["classInds", "data/lists", "."])
def test_class_lists_are_found_by_name_anywhere(tmp_path: Path, folder: str) -> None:
    tiny = Tiny(tmp_path)
    tiny.list("train", "p0001_r001_a001,make_tea")
    tiny.put(tmp_path / folder / "classInd.txt", "3 make_tea\n")
    assert read_release(tmp_path)["class_entries"]["id"].to_pylist() == [3]


def test_bare_names_get_their_line_numbers_and_it_is_said(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.classes("classInd.txt", "make_tea", "fold_towel")
    release = read_release(tmp_path)
    rows = [row for row in release["class_entries"].to_pylist() if row["kind"] == "activity"]
    assert [(row["id"], row["raw"]) for row in rows] == [(1, "make_tea"), (2, "fold_towel")]
    assert [(p.code, p.severity) for p in release.problems] == [("HOM212", "info")]


def test_of_two_class_lists_the_highest_counts_and_a_disagreement_is_told(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.put(tmp_path / "classInd.txt", "1 make_tea\n2 fold_towel\n")
    assert not read_release(tmp_path).problems
    tiny.put(tmp_path / "classInd.txt", "5 make_tea\n2 fold_towel\n")
    release = read_release(tmp_path)
    assert [(p.code, p.place.file) for p in release.problems] == [
        ("HOM211", "list_with_activity_labels/classInd.txt")
    ]
    rows = release["class_entries"].to_pylist()
    assert [row["id"] for row in rows if row["kind"] == "activity"] == [5, 2]


def test_every_bad_line_is_named_by_its_row(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.list(
        "train",
        "p0001_r001_a001,make_tea",
        "no comma here",
        "",
        "p1_r1_a1,make_tea",
        "p0003_r001_a001,",
    )
    tiny.classes("classInd.txt", "1 make_tea", "two fold_towel")
    release = read_release(tmp_path)
    assert [(p.code, p.place.row) for p in release.problems] == [
        ("HOM210", 2),
        ("HOM200", 2),
        ("HOM201", 4),
        ("HOM202", 5),
    ]
    entries = release["list_entries"].to_pylist()
    assert [row["sequence"] for row in entries] == [
        "p0002_r001_a002",
        "p0001_r001_a001",
        None,
        None,
        "p0003_r001_a001",
    ]


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (b"p0001_r001_a001,make_tea\r\np0003_r001_a001,make_tea\r\n", []),
        (b"\xef\xbb\xbfp0001_r001_a001,make_tea\np0003_r001_a001,make_tea", ["HOM106"]),
        ("p0001_r001_a001,make_tea\np0003_r001_a001,make_tea\n".encode("utf-16"), ["HOM105"]),
    ],
)
def test_line_ends_marks_and_utf16_do_not_hide_the_lines(
    tmp_path: Path, data: bytes, codes: list[str]
) -> None:
    tiny = whole(tmp_path)
    tiny.put(tiny.lists / "train_list.csv", data)
    release = read_release(tmp_path)
    assert [p.code for p in release.problems] == codes
    rows = [r for r in release["list_entries"].to_pylist() if r["split"] == "train"]
    assert [(r["sequence"], r["activity_raw"]) for r in rows] == [
        ("p0001_r001_a001", "make_tea"),
        ("p0003_r001_a001", "make_tea"),
    ]


@pytest.mark.parametrize("between", ["\x0b", "\x0c", "\x00", "J", ",", " "])
def test_a_line_end_that_was_overwritten_is_named_and_swallows_no_sequence(
    tmp_path: Path, between: str
) -> None:
    tiny = whole(tmp_path)
    first, second = "p0001_r001_a001,make_tea", "p0003_r001_a001,fold_towel"
    tiny.put(tiny.lists / "train_list.csv", f"{first}{between}{second}\n")
    release = read_release(tmp_path)
    assert [(p.code, p.place.row) for p in release.problems] == [("HOM200", 1)]
    assert between.isprintable() or between not in release.problems[0].found
    assert "p0003_r001_a001" not in release["list_entries"]["sequence"].to_pylist()
    assert all(
        "p0003" not in (raw or "") for raw in release["list_entries"]["activity_raw"].to_pylist()
    )
