"""Ingest writes the catalog whole or not at all, the same bytes each time, and nothing twice."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from homage_sdk.catalog import Catalog
from homage_sdk.catalog.tables import verify_catalog
from homage_sdk.cli import app, run
from homage_sdk.errors import ConfigError, ReleaseError, StorageError
from homage_sdk.ingest import ingest
from tests.unit.release.tiny import Tiny, action, whole


def digests(catalog: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(catalog.iterdir())}


def homage(*arguments: object) -> tuple[int, str]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = run(app, [str(item) for item in arguments])
    return code, text.getvalue()


def test_the_small_release_becomes_a_catalog_with_its_media_measured(small_catalog: Path) -> None:
    assert verify_catalog(small_catalog) == []
    catalog = Catalog(small_catalog)
    views = catalog.table("views").to_pylist()
    probed = [view for view in views if view["n_frames"]]
    assert len(probed) == len(views) > 12
    pts = catalog.table("pts").to_pandas()
    for view in probed:
        rows = pts[(pts.sequence == view["sequence"]) & (pts["view"] == view["view"])]
        assert len(rows) == view["n_frames"]
        assert rows.pts.is_monotonic_increasing
        assert rows.position.tolist() == list(range(1, len(rows) + 1))
        assert (view["width"], view["height"]) == (160, 120)
    sequences = {row["sequence"]: row for row in catalog.table("sequences").to_pylist()}
    for name, row in sequences.items():
        mine = [view for view in views if view["sequence"] == name]
        assert row["duration_s"] == max(view["duration_s"] for view in mine)
        assert row["has_ego"] == any(view["view"] == 0 for view in mine)
        assert row["has_audio"] == any(view["has_audio"] for view in mine)
    assert {row["has_ego"] for row in sequences.values()} == {True, False}


def test_the_same_release_gives_the_same_bytes(tmp_path: Path) -> None:
    whole(tmp_path / "r")
    ingest(tmp_path / "r", tmp_path / "a")
    ingest(tmp_path / "r", tmp_path / "b", workers=3)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_an_untouched_release_is_not_read_again(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    first = ingest(tiny.root, tmp_path / "c", media=False)
    before = (tmp_path / "c" / "catalog.json").stat().st_ino
    again = ingest(tiny.root, tmp_path / "c", media=False)
    assert (first.unchanged, again.unchanged) == (False, True)
    assert again.info == first.info
    assert (tmp_path / "c" / "catalog.json").stat().st_ino == before
    forced = ingest(tiny.root, tmp_path / "c", media=False, force=True)
    assert not forced.unchanged


@pytest.mark.parametrize("touch", ["content", "new file", "option", "damage"])
def test_any_change_is_noticed(tmp_path: Path, touch: str) -> None:
    tiny = whole(tmp_path / "r")
    ingest(tiny.root, tmp_path / "c", media=False)
    options: dict[str, Any] = {"media": False}
    if touch == "content":
        file = tiny.actions(
            "p0001_r001_a001", action("take cup", 1, 30), action("wash/dry cup", 16, 91)
        )
        os.utime(file, ns=(1, 1))
    elif touch == "new file":
        tiny.actions("p0009_r001_a001", action())
    elif touch == "option":
        options = {"media": True}
    else:
        (tmp_path / "c" / "pts.parquet").unlink()
    assert not ingest(tiny.root, tmp_path / "c", **options).unchanged
    assert verify_catalog(tmp_path / "c") == []


def test_a_catalog_inside_its_release_is_not_read_as_a_part_of_it(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    ingest(tiny.root, tmp_path / "c")
    shutil.copytree(tmp_path / "c", tiny.root / "catalog")
    assert ingest(tiny.root, tmp_path / "c").unchanged


@pytest.mark.parametrize("what", ["release", "other folder", "file"])
def test_nothing_but_a_catalog_is_ever_replaced(tmp_path: Path, what: str) -> None:
    tiny = whole(tmp_path / "r")
    target = {"release": tiny.root, "other folder": tmp_path / "photos", "file": tmp_path / "f"}[
        what
    ]
    if what == "other folder":
        target.mkdir()
        (target / "me.jpg").write_text("x")
    if what == "file":
        target.write_text("x")
    with pytest.raises(StorageError, match="will not be replaced"):
        ingest(tiny.root, target)
    assert tiny.root.exists()
    assert target.exists()


def test_a_failed_ingest_leaves_the_old_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = whole(tmp_path / "r")
    ingest(tiny.root, tmp_path / "c")
    before = digests(tmp_path / "c")
    tiny.actions("p0009_r001_a001", action())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(StorageError, match=r"disk is full|No space") as caught:
        ingest(tiny.root, tmp_path / "c")
    assert "\n" not in str(caught.value)
    assert digests(tmp_path / "c") == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".tmp-")] == []


def test_ctrl_c_leaves_the_old_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = whole(tmp_path / "r")
    ingest(tiny.root, tmp_path / "c")
    before = digests(tmp_path / "c")
    tiny.actions("p0009_r001_a001", action())

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(tiny.root, tmp_path / "c", progress=stop)
    assert digests(tmp_path / "c") == before


def test_a_video_that_cannot_be_read_is_a_problem_and_a_row_without_media(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    tiny.video("p0001_r001_v000_a001", os.urandom(4096))
    summary = ingest(tiny.root, tmp_path / "c")
    views = Catalog(tmp_path / "c").table("views").to_pylist()
    ego = next(view for view in views if view["kind"] == "ego")
    assert ego["path"] is not None
    assert ego["bytes"] == 4096
    assert ego["n_frames"] is None
    assert any(p.place.file == ego["path"] and p.severity == "error" for p in summary.problems)


def test_hashes_are_of_the_files(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    data = os.urandom(4096)
    tiny.video("p0001_r001_v000_a001", data)
    ingest(tiny.root, tmp_path / "c", media=False, hash_media=True)
    views = Catalog(tmp_path / "c").table("views").to_pylist()
    assert [v["sha256"] for v in views if v["path"]] == [hashlib.sha256(data).hexdigest()]


def test_strict_stops_at_the_first_error_and_writes_nothing(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    file = tiny.actions("p0001_r001_a001", raw="[{")
    with pytest.raises(ReleaseError, match="HOM110") as caught:
        ingest(tiny.root, tmp_path / "c", strict=True)
    assert file.name in str(caught.value)
    assert not (tmp_path / "c").exists()
    assert ingest(tiny.root, tmp_path / "c").errors
    with pytest.raises(ReleaseError, match="HOM110"):
        ingest(tiny.root, tmp_path / "c", strict=True)  # also when the catalog is up to date


def test_the_map_is_part_of_what_makes_a_catalog_up_to_date(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    mapping = tmp_path / "map.toml"
    mapping.write_text("[frames]\nbase = 0\n")
    ingest(tiny.root, tmp_path / "c")
    ingest(tiny.root, tmp_path / "c", scene_graph_map=mapping)
    frames = Catalog(tmp_path / "c").table("frames")["frame"].to_pylist()
    assert frames == [2, 17, 31] * 2
    assert ingest(tiny.root, tmp_path / "c", scene_graph_map=mapping).unchanged
    mapping.write_text("[frames]\nbase = 1\n")
    assert not ingest(tiny.root, tmp_path / "c", scene_graph_map=mapping).unchanged
    with pytest.raises(ConfigError):
        ingest(tiny.root, tmp_path / "c", scene_graph_map=tmp_path / "none.toml")


def test_progress_ends_at_the_number_of_label_files_and_videos(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    tiny.video("p0001_r001_v000_a001", os.urandom(999))
    calls: list[tuple[int, int]] = []
    ingest(tiny.root, tmp_path / "c", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5)
    assert calls == sorted(calls)


def test_catalog_json_counts_what_there_is(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    tiny.actions("p0003_r001_a001", action(last=0), action("x", 5, 9))
    ingest(tiny.root, tmp_path / "c")
    info = json.loads((tmp_path / "c/catalog.json").read_text())
    assert info["counts"]["atomic_actions"] == 5
    assert info["dropped"] == {"actions: a frame below 1": 1}
    assert info["source"]["layout"] == "hacgen"
    assert sum(info["problems"].values()) == info["counts"]["problems"]


def test_the_command_says_what_it_did_and_returns_by_what_it_found(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    code, text = homage("ingest", tiny.root, tmp_path / "c")
    assert code == 0
    assert "wrote" in text
    assert homage("ingest", tiny.root, tmp_path / "c")[1].count("up to date") == 1
    tiny.actions("p0001_r001_a001", raw="[{")
    code, text = homage("ingest", tiny.root, tmp_path / "c")
    assert code == 1
    assert "HOM110" in text
    assert "p0001_r001_a001__aa.json" in text
    code, text = homage("ingest", tmp_path / "nowhere", tmp_path / "c")
    assert code == 2
    assert "no such folder" in text
    assert Catalog(tmp_path / "c")


def test_info_says_what_a_folder_is(tmp_path: Path, small_catalog: Path) -> None:
    whole(tmp_path / "r")
    code, text = homage("info", tmp_path / "r")
    assert (code, "layout hacgen" in text) == (0, True)
    code, text = homage("info", small_catalog)
    assert code == 0
    assert "a catalog of schema version" in text
    (tmp_path / "empty").mkdir()
    code, text = homage("info", tmp_path / "empty")
    assert (code, "no HOMAGE release here" in text) == (2, True)


def test_a_copied_catalog_opens_anywhere(tmp_path: Path, small_catalog: Path) -> None:
    shutil.copytree(small_catalog, tmp_path / "copy")
    assert verify_catalog(tmp_path / "copy") == []
    assert Catalog(tmp_path / "copy").info == Catalog(small_catalog).info


def test_annotation_only_downloads_are_complete_without_a_video(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "r", "videoshift")
    tiny.actions("p0001_r001_a001", action())
    summary = ingest(tiny.root, tmp_path / "c")
    assert summary.errors == 0
    assert summary.counts["sequences"] == 1
    assert summary.counts["views"] == 0


def test_a_release_whose_name_is_not_utf8_is_refused_in_a_line_and_goes_by_a_link(
    tmp_path: Path,
) -> None:
    odd = tmp_path / os.fsdecode(b"r\xe9lease")
    whole(odd)
    with pytest.raises(ReleaseError, match=r"not UTF-8.*make a link"):
        ingest(odd, tmp_path / "c", media=False)
    (tmp_path / "plain").symlink_to(odd)
    info = ingest(tmp_path / "plain", tmp_path / "c", media=False).info
    assert info.source.root == str(tmp_path / "plain")
