"""A damaged label file is one problem at its place; the other files are read all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.problems import Problem
from homage_sdk.release import Release, read_release
from homage_sdk.release.faults import MOST_OF_A_KIND
from homage_sdk.release.files.text import MAX_LABEL_BYTES
from tests.unit.release.tiny import Tiny, action, document, graph, whole

AA = "annotation_files/atomic_actions/p0001/p0001_r001_a001__aa.json"
SG = "annotation_files/scene_graphs/p0001/p0001_r001_v001_a001__sg.json"


def read_with(root: Path, *, actions: bytes | None = None, scene: bytes | None = None) -> Release:
    tiny = whole(root)
    if actions is not None:
        tiny.put(root / AA, actions)
    if scene is not None:
        tiny.put(root / SG, scene)
    release = read_release(root)
    # Whatever happened, the second sequence is whole.
    second = [r for r in release["actions"].to_pylist() if r["sequence"] == "p0002_r001_a002"]
    assert len(second) == 2
    frames = [r for r in release["frames"].to_pylist() if r["sequence"] == "p0002_r001_a002"]
    assert len(frames) == 3
    return release


def places(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(p.code, p.place.pointer) for p in problems]


WHOLE_FILE = {
    "web page": (b"<!DOCTYPE html><html><body>log in</body></html>", "HOM101"),
    "web page after a blank line": (b"\n <html>", "HOM101"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "HOM102"),
    "nothing": (b"", "HOM103"),
    "white space": (b" \n\n", "HOM103"),
    "binary": (b"\x80\x81\x82\x83\x84", "HOM107"),
    "cut": (json.dumps([action()]).encode()[:-20], "HOM110"),
    "cut in a string": (b'[{"class": "take c', "HOM110"),
    "comma": (b'[{"class": "a",}]', "HOM111"),
    "two documents": (b"[][]", "HOM111"),
    "deep": (b"[" * 100_000 + b"]" * 100_000, "HOM112"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "HOM112"),
    "wrong kind": (b'"actions"', "HOM115"),
    "null": (b"null", "HOM115"),
}


@pytest.mark.parametrize("name", WHOLE_FILE)
def test_a_file_that_is_no_label_file_is_one_problem(tmp_path: Path, name: str) -> None:
    data, code = WHOLE_FILE[name]
    release = read_with(tmp_path, actions=data)
    assert [(p.code, p.place.file) for p in release.problems] == [(code, AA)]
    assert release.problems[0].place.sequence == "p0001_r001_a001"


@pytest.mark.parametrize("name", WHOLE_FILE)
def test_the_same_holds_for_scene_graphs(tmp_path: Path, name: str) -> None:
    data, code = WHOLE_FILE[name]
    release = read_with(tmp_path, scene=data)
    assert [(p.code, p.place.file) for p in release.problems] == [(code, SG)]


def test_the_line_and_column_of_a_cut_are_named(tmp_path: Path) -> None:
    data = json.dumps([action(), action("wash", 31, 60)], indent=1).encode()
    cut = data[: data.index(b"31,") + 2]
    line = cut.count(b"\n") + 1
    problem = read_with(tmp_path, actions=cut).problems[0]
    assert (problem.code, problem.place.row) == ("HOM110", line)
    assert f"line {line}, column" in problem.found


@pytest.mark.parametrize(
    ("encode", "codes"),
    [
        (lambda t: t.encode("utf-8-sig"), ["HOM106"]),
        (lambda t: t.encode("utf-16"), ["HOM105"]),
        (lambda t: t.encode("utf-16-le"), ["HOM105"]),
        (lambda t: t.encode("utf-16-be"), ["HOM105"]),
        (lambda t: t.encode("utf-32"), ["HOM105"]),
        (lambda t: t.replace(", ", ",\r\n").encode(), []),
        (lambda t: json.dumps(json.loads(t), indent=4).encode(), []),
        (lambda t: json.dumps(json.loads(t), separators=(",", ":")).encode(), []),
    ],
)
def test_unusual_encodings_are_told_and_read(tmp_path: Path, encode: Any, codes: list[str]) -> None:
    actions = json.dumps([action("take cup", 31, 90)])
    scene = json.dumps(document("p0001_r001_v001_a001", graph(31)))
    release = read_with(tmp_path, actions=encode(actions), scene=encode(scene))
    assert [p.code for p in release.problems] == codes * 2
    first = [r for r in release["actions"].to_pylist() if r["sequence"] == "p0001_r001_a001"]
    assert [(r["class_raw"], r["first_frame"], r["last_frame"]) for r in first] == [
        ("take cup", 31, 90)
    ]
    assert release["objects"].num_rows == 8


RECORDS: dict[str, tuple[Any, str, str, dict[str, Any]]] = {
    "key dropped": ({"frame_start": 1, "frame_end": 2}, "HOM117", "/1/class", {"class_raw": None}),
    "text for number": (action(first="1"), "HOM118", "/1/frame_start", {"first_frame": None}),
    "number for text": (action(7), "HOM118", "/1/class", {"class_raw": None}),  # type: ignore[arg-type]
    "blank name": (action(" "), "HOM118", "/1/class", {"class_raw": None}),
    "true": (action(first=True), "HOM118", "/1/frame_start", {"first_frame": None}),
    "null": (action(last=None), "HOM118", "/1/frame_end", {"last_frame": None}),
    "fraction": (action(last=30.5), "HOM118", "/1/frame_end", {"last_frame": None}),
    "huge": (action() | {"frame_end": 10**30}, "HOM119", "/1/frame_end", {"last_frame": None}),
    "huge but int64": (
        action() | {"frame_end": 2**62},
        "HOM119",
        "/1/frame_end",
        {"last_frame": None},
    ),
    "a list": (action(last=[30]), "HOM118", "/1/frame_end", {"last_frame": None}),
    "not an object": ("take cup", "HOM116", "/1", {}),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_faulty_record_is_named_and_its_value_missing(tmp_path: Path, name: str) -> None:
    record, code, pointer, values = RECORDS[name]
    release = read_with(
        tmp_path, actions=json.dumps([action(), record, action("x", 5, 6)]).encode()
    )
    assert places(release.problems) == [(code, pointer)]
    rows = {
        r["index"]: r for r in release["actions"].to_pylist() if r["sequence"] == "p0001_r001_a001"
    }
    assert rows.keys() == ({0, 1, 2} if values else {0, 2})
    for key, value in values.items():
        assert rows[1][key] == value
        assert rows[0][key] is not None


def test_a_whole_number_written_as_float_is_that_number(tmp_path: Path) -> None:
    release = read_with(tmp_path, actions=json.dumps([action(last=30.0)]).encode())
    assert not release.problems
    assert 30 in release["actions"]["last_frame"].to_pylist()


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not_are_named(tmp_path: Path, literal: str) -> None:
    text = json.dumps([action(), action()]).replace('"frame_end": 30', f'"frame_end": {literal}', 1)
    release = read_with(tmp_path, actions=text.encode())
    assert places(release.problems) == [("HOM113", "/0/frame_end")]
    scene = json.dumps(document("p0001_r001_v001_a001", graph(31)))
    other = tmp_path / "other"
    release = read_with(other, scene=scene.replace("50.5", literal).encode())
    assert places(release.problems) == [("HOM113", "/frames/0/objects/1/bbox/0")]


def test_a_key_given_twice_is_named_and_the_last_one_counts(tmp_path: Path) -> None:
    text = json.dumps([action(), action()]).replace(
        '"frame_start": 1,', '"frame_start": 9, "frame_start": 2,'
    )
    release = read_with(tmp_path, actions=text.encode())
    assert places(release.problems) == [("HOM114", "/0/frame_start"), ("HOM114", "/1/frame_start")]
    first = [r for r in release["actions"].to_pylist() if r["sequence"] == "p0001_r001_a001"]
    assert [r["first_frame"] for r in first] == [2, 2]


def test_an_endless_run_of_faults_is_counted_not_listed(tmp_path: Path) -> None:
    release = read_with(tmp_path, actions=json.dumps([1] * 5_000).encode())
    assert len(release.problems) == MOST_OF_A_KIND + 1
    assert any("4000 more" in p.message for p in release.problems)


def test_a_file_too_large_for_a_label_file_is_not_opened(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    with (tmp_path / AA).open("wb") as file:
        file.truncate(MAX_LABEL_BYTES + 1)
    release = read_release(tiny.root)
    assert [(p.code, p.place.file) for p in release.problems] == [("HOM104", AA)]


def test_names_without_ids_wrong_folders_and_second_files_are_told(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.put(tiny.atomic / "p0001" / "stray__aa.json", "[]")
    tiny.put(tiny.atomic / "p0001" / "p0007_r001_a001__aa.json", "[]")
    tiny.put(tiny.atomic / "zcopy" / "p0001_r001_a001__aa.json", json.dumps([action()]))
    tiny.put(tiny.lists / "other.json", "{}")
    release = read_release(tmp_path)
    assert sorted((p.code, Path(p.place.file).name) for p in release.problems) == [
        ("HOM108", "other.json"),
        ("HOM130", "stray__aa.json"),
        ("HOM131", "p0007_r001_a001__aa.json"),
        ("HOM132", "p0001_r001_a001__aa.json"),
    ]
    assert release["actions"].num_rows == 4


def test_videos_that_are_something_else_are_told(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.video("p0001_r001_v000_a001", b"<!doctype html><title>Sign in</title>")
    tiny.video("p0001_r001_v001_a001", b"")
    tiny.video("p0001_r001_v002_a001")
    release = read_release(tmp_path)
    assert [p.code for p in release.problems] == ["HOM101", "HOM103"]
    assert release["videos"]["view"].to_pylist() == [0, 1, 2]


def test_a_tree_of_empty_videos_is_one_remark(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    for view in range(3):
        tiny.video(f"p0001_r001_v{view:03d}_a001", b"")
    release = read_release(tmp_path)
    assert [p.code for p in release.problems] == ["HOM109"]
    assert release["videos"].num_rows == 3


def test_progress_counts_every_label_file(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    for take in range(5):
        tiny.actions(f"p0001_r001_a{take:03d}", action())
    calls: list[tuple[int, int]] = []
    read_release(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5)


def test_a_key_that_is_not_utf_8_is_a_fault_of_the_file_also_where_nothing_reads_it(
    tmp_path: Path,
) -> None:
    tiny = Tiny(tmp_path)
    tiny.scene("p0001_r001_v001_a001", raw=b'{"video": "x", "widt\xe8": 640, "frames": []}')
    assert "HOM107" in [problem.code for problem in read_release(tmp_path).problems]
