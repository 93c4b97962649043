"""What could not be read is tried again; what changes while it is read is never up to date."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from homage_sdk.catalog import Catalog
from homage_sdk.errors import ConfigError
from homage_sdk.ingest import ingest
from tests.unit.ingest.growing import VIEWS, film, filmed, without_rights
from tests.unit.release.tiny import Tiny, action, whole

SENSOR = "p0001_r001_a001__acceleration__head.csv"


def unreadable(catalog: Path) -> list[str]:
    rows = Catalog(catalog).table("problems").to_pylist()
    return [row["file"] for row in rows if row["code"] == "HOM100"]


def label(tiny: Tiny) -> Path:
    return next(tiny.atomic.rglob("p0001*_aa.json"))


def scene(tiny: Tiny) -> Path:
    return next(tiny.graphs.rglob("*sg.json"))


def split(tiny: Tiny) -> Path:
    return tiny.lists / "train_list.csv"


def classes(tiny: Tiny) -> Path:
    return tiny.lists / "classInd_atomic.txt"


def sensor(tiny: Tiny) -> Path:
    return tiny.put(tiny.root / "sensors" / SENSOR, "time_s,x\n0,1\n1,2\n")


def small_video(tiny: Tiny) -> Path:
    return tiny.video(VIEWS[0], film())


def large_video(tiny: Tiny) -> Path:
    return tiny.video(VIEWS[0], film() + bytes(2 << 20))


def folder(tiny: Tiny) -> Path:
    return tiny.atomic / "p0001"


@pytest.mark.slow
@pytest.mark.parametrize(
    "what", [label, scene, split, classes, sensor, small_video, large_video, folder]
)
def test_repaired_rights_are_noticed(open_folder: Path, what: Callable[[Tiny], Path]) -> None:
    tiny, catalog = whole(open_folder / "r"), open_folder / "c"
    path = what(tiny)
    rights = path.stat().st_mode
    path.chmod(0)
    name = path.relative_to(tiny.root).as_posix()
    with without_rights():
        ingest(tiny.root, catalog, hash_media=True)
        assert unreadable(catalog) == [f"{name}/" if what is folder else name]
        ingest(tiny.root, catalog, hash_media=True)
        assert len(unreadable(catalog)) == 1, "as long as it cannot be read, that is said"
    path.chmod(rights)
    with without_rights():
        assert not ingest(tiny.root, catalog, hash_media=True).unchanged
        assert unreadable(catalog) == []
        assert ingest(tiny.root, catalog, hash_media=True).unchanged
        if what is classes:  # their ids stay what they were before the list could be read
            ingest(tiny.root, catalog, hash_media=True, renumber=True)
        fresh = ingest(tiny.root, open_folder / "fresh", hash_media=True)
    assert Catalog(catalog).info == fresh.info


def test_a_video_of_which_only_the_hash_was_asked_for_is_named_too(open_folder: Path) -> None:
    tiny = whole(open_folder / "r")
    path = large_video(tiny)
    path.chmod(0)
    with without_rights():
        ingest(tiny.root, open_folder / "c", media=False, hash_media=True)
    assert unreadable(open_folder / "c") == [path.relative_to(tiny.root).as_posix()]


def test_a_video_that_is_none_is_not_tried_again(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    tiny.video(VIEWS[0], b"RIFF" + bytes(2 << 20))
    assert ingest(tiny.root, tmp_path / "c").errors
    assert ingest(tiny.root, tmp_path / "c").unchanged


def test_a_broken_link_is_noticed_when_it_holds_and_when_it_goes(tmp_path: Path) -> None:
    tiny, catalog = whole(tmp_path / "r"), tmp_path / "c"
    link = tiny.atomic / "p0009" / "p0009_r001_a001__aa.json"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "disk" / link.name)
    ingest(tiny.root, catalog, media=False)
    assert unreadable(catalog) == [link.relative_to(tiny.root).as_posix()]
    assert ingest(tiny.root, catalog, media=False).unchanged
    Tiny(tmp_path).put(tmp_path / "disk" / link.name, "[]")
    assert not ingest(tiny.root, catalog, media=False).unchanged
    assert unreadable(catalog) == []
    (tmp_path / "disk" / link.name).unlink()
    ingest(tiny.root, catalog, media=False)
    link.unlink()
    ingest(tiny.root, catalog, media=False)
    assert unreadable(catalog) == [], "a link that is gone is no problem"


def test_a_map_that_cannot_be_read_is_never_up_to_date(open_folder: Path) -> None:
    tiny, catalog = whole(open_folder / "r"), open_folder / "c"
    mapping = tiny.put(open_folder / "map.toml", "[frames]\nbase = 1\n")
    ingest(tiny.root, catalog, media=False)
    with pytest.raises(ConfigError):
        ingest(tiny.root, catalog, media=False, scene_graph_map=open_folder / "none.toml")
    mapping.chmod(0)
    with without_rights(), pytest.raises(ConfigError):
        ingest(tiny.root, catalog, media=False, scene_graph_map=mapping)


def more_actions(tiny: Tiny) -> None:
    tiny.actions("p0001_r001_a001", *(action("take cup", 1, 30 + i) for i in range(9)))


def new_label(tiny: Tiny) -> None:
    tiny.actions("p0009_r001_a001", action())


def gone_label(tiny: Tiny) -> None:
    label(tiny).unlink()


def other_video(tiny: Tiny) -> None:
    tiny.video(VIEWS[0], film(9))


@pytest.mark.slow
@pytest.mark.parametrize("change", [more_actions, new_label, gone_label, other_video])
def test_files_that_change_while_they_are_read_are_named_and_read_again(
    tmp_path: Path, change: Callable[[Tiny], None]
) -> None:
    tiny, catalog = filmed(tmp_path / "r"), tmp_path / "c"
    calls = []

    def progress(done: int, total: int) -> None:
        if done and not calls:
            calls.append(done)
            change(tiny)

    summary = ingest(tiny.root, catalog, progress=progress)
    assert calls
    assert [p.code for p in summary.problems if p.code == "HOM142"] == ["HOM142"]
    after = ingest(tiny.root, catalog)
    assert not after.unchanged
    assert not [p for p in after.problems if p.code == "HOM142"]
    assert ingest(tiny.root, catalog).unchanged
    fresh = ingest(tiny.root, tmp_path / "fresh")
    assert Catalog(catalog).info == fresh.info


def test_a_map_that_changes_while_files_are_read_is_read_again(tmp_path: Path) -> None:
    tiny, catalog = whole(tmp_path / "r"), tmp_path / "c"
    mapping = tiny.put(tmp_path / "map.toml", "[frames]\nbase = 1\n")

    def progress(done: int, total: int) -> None:
        mapping.write_text("[frames]\nbase = 0\n")

    ingest(tiny.root, catalog, scene_graph_map=mapping, progress=progress)
    assert not ingest(tiny.root, catalog, scene_graph_map=mapping).unchanged
    assert Catalog(catalog).table("frames")["frame"].to_pylist() == [2, 17, 31] * 2


def test_what_returns_to_what_it_was_is_read_again(tmp_path: Path) -> None:
    tiny, catalog = whole(tmp_path / "r"), tmp_path / "c"
    file = label(tiny)
    data, state = file.read_bytes(), file.stat()

    def progress(done: int, total: int) -> None:
        tiny.actions("p0001_r001_a001")

    ingest(tiny.root, catalog, progress=progress)
    assert Catalog(catalog).table("atomic_actions").num_rows == 2
    file.write_bytes(data)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    ingest(tiny.root, catalog)
    assert Catalog(catalog).table("atomic_actions").num_rows == 4
