"""Packing again into the same folder: nothing encoded twice, and the bytes of a new folder."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import pyarrow.parquet as pq
import pytest

from homage_sdk import Dataset
from homage_sdk.errors import ShardError, StorageError, UsageError
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, ShardSet, pack, repair, verify
from homage_sdk.shards.format.manifest import INDEX, INPUTS, MANIFEST
from homage_sdk.shards.packing import inputs, sample
from homage_sdk.shards.packing import survey as survey_module
from homage_sdk.shards.packing.pack import look_ahead
from homage_sdk.shards.packing.survey import Survey
from tests.unit.media.videos import write_video
from tests.unit.shards.test_pack import tree
from tests.unit.shards.test_write_shard import Cluster, cluster

__all__ = ["cluster"]

TINY = PackOptions(short_side=32, min_shards=3, gop=30)
WINDOWS = replace(TINY, unit="action")


@dataclass
class Place:
    """A release, its catalog and its shards, all of which may change."""

    folder: Path
    encoded: list[str]
    """What was encoded in this process since it was last looked at."""

    @property
    def release(self) -> Path:
        return self.folder / "release"

    @property
    def shards(self) -> Path:
        return self.folder / "shards"

    def video(self, name: str) -> Path:
        return next(self.release.rglob(f"{name}.mkv"))

    def label(self, sequence: str, change: Callable[[list[dict[str, object]]], object]) -> None:
        file = next(self.release.rglob(f"{sequence}__aa.json"))
        rows = json.loads(file.read_text())
        change(rows)
        file.write_text(json.dumps(rows))

    def ingest(self) -> Dataset:
        ingest(self.release, self.folder / "catalog", workers=1)
        return self.dataset

    @property
    def dataset(self) -> Dataset:
        return Dataset(self.folder / "catalog", root=self.release)

    def pack(self, options: PackOptions = TINY, dataset: Dataset | None = None) -> set[str]:
        """Pack; the shards that were touched."""
        before = self.stamps()
        self.encoded.clear()
        pack(dataset or self.dataset, self.shards, options, workers=1)
        return {name for name, stamp in self.stamps().items() if before.get(name) != stamp}

    def stamps(self) -> dict[str, tuple[int, int]]:
        files = self.shards.glob("*.tar")
        return {f.name: (s.st_ino, s.st_mtime_ns) for f in files if (s := f.stat())}

    def require_fresh(self, options: PackOptions = TINY, dataset: Dataset | None = None) -> None:
        """The shards are those of a new folder, byte for byte."""
        encoded, fresh = list(self.encoded), self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        pack(dataset or self.dataset, fresh, options, workers=1)
        assert tree(self.shards) == tree(fresh)
        self.encoded[:] = encoded


@pytest.fixture
def place(barcode_catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root = Dataset(barcode_catalog).root
    assert root is not None
    shutil.copytree(root, tmp_path / "release")
    place = Place(tmp_path, [])
    for name in ("encode_view", "encode_sound"):

        def count(path: Path, *rest: object, encode: object = getattr(sample, name)) -> object:
            place.encoded.append(path.stem)
            return encode(path, *rest)  # type: ignore[operator]

        monkeypatch.setattr(sample, name, count)
    place.ingest()
    return place


def correct(rows: list[dict[str, object]]) -> None:
    rows[0]["frame_end"] = 100


def test_a_corrected_label_touches_one_shard_and_encodes_nothing(place: Place) -> None:
    place.pack()
    assert len(place.encoded) == 12
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    ahead = look_ahead(ds, place.shards, TINY)
    assert [shard.name for shard in ahead.todo] == ["val-00000.tar"]
    assert (ahead.n_kept, ahead.to_encode.total()) == (12, 0)
    assert place.pack() == {"val-00000.tar"} and place.encoded == []
    place.require_fresh()
    assert verify(place.shards, deep=True) == []
    assert place.pack() == set()


def test_where_nothing_changed_no_sample_is_looked_into(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(place.pack()) == 3

    def never(*_: object) -> None:
        raise AssertionError("a sample was made")

    monkeypatch.setattr(survey_module, "make_sample", never)
    assert place.pack() == set()
    place.require_fresh()


def test_only_an_added_video_is_encoded(place: Place) -> None:
    late = place.video("p0001_r000_v005_a000")
    late.rename(place.folder / "late.mkv")
    place.ingest()
    place.pack()
    (place.folder / "late.mkv").rename(late)
    ds = place.ingest()
    assert look_ahead(ds, place.shards, TINY).to_encode == {"new": 1}
    assert len(place.pack()) == 1 and place.encoded == [late.stem]
    place.require_fresh()


def test_only_a_replaced_video_is_encoded_again_also_without_ingest(place: Place) -> None:
    place.pack()
    old, other = place.video("p0003_r000_v000_a004"), place.video("p0001_r000_v000_a000")
    shutil.copy(other, old)
    for opened in (lambda: place.dataset, place.ingest):
        dataset = opened()
        assert place.pack(dataset=dataset) == {"val-00000.tar"}
        assert set(place.encoded) == {old.stem}
        place.require_fresh(dataset=dataset)


def test_a_moved_disk_changes_nothing_but_the_side_file(place: Place) -> None:
    place.pack()
    before = tree(place.shards)
    for file in place.release.rglob("*.mkv"):
        os.utime(file, (1, 1))
    place.release.rename(place.folder / "elsewhere")
    shutil.copytree(place.folder / "elsewhere", place.release)
    assert place.pack() == set() and place.encoded == []
    after = tree(place.shards)
    assert {name for name in after if after[name] != before[name]} == {INPUTS}
    place.require_fresh()


@pytest.mark.slow
def test_bytes_that_differ_are_noticed_whatever_the_time_says(place: Place) -> None:
    place.pack()
    file = place.video("p0001_r000_v002_a000")
    state, data = file.stat(), bytearray(file.read_bytes())
    data[-2000] ^= 255
    file.write_bytes(bytes(data))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert len(place.pack()) == 1 and place.encoded == [file.stem]
    place.require_fresh()


def test_more_and_fewer_sequences_are_packed_in_place(place: Place) -> None:
    whole = place.dataset
    some = whole.select(["p0001_r000_a001", "p0001_r001_a002"])
    place.pack(dataset=some)
    n_encoded = len(place.encoded)
    place.pack()
    assert n_encoded + len(place.encoded) == 12
    place.require_fresh()
    place.pack(dataset=some)
    assert place.encoded == []
    place.require_fresh(dataset=some)
    assert not list(place.shards.glob("val*"))


@pytest.mark.slow
def test_windows_that_are_counted_anew_are_kept(place: Place) -> None:
    place.pack(WINDOWS)
    place.label("p0001_r000_a000", lambda rows: rows.insert(0, rows[0] | {"frame_end": 20}))
    ds = place.ingest()
    ahead = look_ahead(ds, place.shards, WINDOWS)
    place.pack(WINDOWS)
    assert sorted(set(place.encoded)) == [
        "p0001_r000_v000_a000",
        "p0001_r000_v002_a000",
        "p0001_r000_v005_a000",
    ]
    assert len(place.encoded) == ahead.to_encode.total() == 4  # three views and one sound
    place.require_fresh(WINDOWS)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [None, b"", b"{", b'{"files":[],"members":{}}', b"\xff\xfe"])
def test_without_its_side_file_everything_is_made_again_and_never_wrong(
    place: Place, damage: bytes | None
) -> None:
    place.pack()
    if damage is None:
        (place.shards / INPUTS).unlink()
    else:
        (place.shards / INPUTS).write_bytes(damage)
    assert place.pack() == set(), "nothing speaks against what is there"
    place.label("p0003_r000_a004", correct)
    place.ingest()
    assert place.pack() == {"val-00000.tar"}
    assert len(place.encoded) == 12
    place.require_fresh()


@pytest.mark.slow
def test_a_side_file_of_other_shards_is_not_believed(place: Place) -> None:
    """It says of a member that it was made from a video that lies there again."""
    place.pack()
    before = (place.shards / INPUTS).read_bytes()
    video, first = place.video("p0003_r000_v001_a004"), place.folder / "first.mkv"
    video.rename(first)
    write_video(video, size=(192, 128), frames=330, rotation=180)
    place.pack()
    assert place.encoded == [video.stem] and not ShardSet.open(place.shards).manifest.quarantine
    first.replace(video)
    (place.shards / INPUTS).write_bytes(before)
    place.label("p0003_r000_a004", correct)
    place.ingest()
    place.pack()
    place.require_fresh()


@pytest.mark.slow
def test_members_of_other_libraries_are_made_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.pack()
    monkeypatch.setattr(inputs, "PACKING", inputs.PACKING + 1)
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    assert look_ahead(ds, place.shards, TINY).to_encode == {"made by another version": 12}
    place.pack()
    assert len(place.encoded) == 12
    place.require_fresh()


def test_other_libraries_alone_change_nothing_and_looking_ahead_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.pack()
    monkeypatch.setattr(av, "__version__", "another")
    ahead = look_ahead(place.dataset, place.shards, TINY)
    assert (ahead.todo, ahead.n_kept, ahead.to_encode.total()) == ((), 12, 0)
    assert place.pack() == set() and place.encoded == []


@pytest.mark.slow
@pytest.mark.parametrize("has_side_file", [True, False])
def test_nothing_of_other_libraries_is_kept_where_anything_changes(
    place: Place, monkeypatch: pytest.MonkeyPatch, has_side_file: bool
) -> None:
    """One video that was not there before is the only thing to change."""
    video, away = place.video("p0003_r000_v001_a004"), place.folder / "away.mkv"
    video.rename(away)
    place.pack()
    away.rename(video)
    if not has_side_file:
        (place.shards / INPUTS).unlink()
    monkeypatch.setattr(inputs, "PACKING", inputs.PACKING + 1)
    place.pack()
    assert len(place.encoded) == 12
    place.require_fresh()


@pytest.mark.slow
def test_shards_that_a_repair_left_to_older_libraries_are_made_again_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair with other libraries makes the broken shards alone."""
    video, away = place.video("p0003_r000_v001_a004"), place.folder / "away.mkv"
    video.rename(away)
    place.pack()
    monkeypatch.setattr(inputs, "PACKING", inputs.PACKING + 1)
    broken = place.shards / "train-00001.tar"
    os.truncate(broken, broken.stat().st_size - 1024)
    assert broken.name in repair(place.shards, place.dataset, workers=1).rebuilt
    away.rename(video)
    place.pack()
    place.require_fresh()


@pytest.mark.slow
def test_a_kept_member_that_is_damaged_is_made_again(place: Place) -> None:
    place.pack()
    shards = ShardSet.open(place.shards)
    shard, offset, *_ = shards.locations()["p0003_r000_a004"]["v001.mp4"]
    with (place.shards / shard).open("r+b") as file:
        file.seek(offset + 200)
        file.write(b"damage")
    place.label("p0003_r000_a004", correct)
    place.ingest()
    assert place.pack() == {shard} and place.encoded == ["p0003_r000_v001_a004"]
    place.require_fresh()


@pytest.mark.slow
def test_what_was_packed_from_a_video_that_is_not_there_now_stays(place: Place) -> None:
    place.pack()
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    pack(ds, place.folder / "fresh", TINY, workers=1)
    for file in place.release.rglob("*.mkv"):
        file.unlink()
    assert place.pack(dataset=ds) == {"val-00000.tar"}
    assert tree(place.shards) == tree(place.folder / "fresh")


class StopError(Exception):
    """What ends a pack in a test."""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["one process", "processes"])
def test_a_stopped_update_leaves_the_old_state_and_goes_on(place: Place, engine: str) -> None:
    place.pack()
    (place.shards / "notes.txt").write_text("mine")
    before = tree(place.shards)
    for sequence in ("p0001_r000_a000", "p0001_r000_a001", "p0003_r000_a004"):
        place.label(sequence, correct)
    ds, workers = place.ingest(), 1 if engine == "one process" else 2

    def stop(done: int, total: int) -> None:
        if done == total:
            raise StopError

    with pytest.raises(StopError):
        pack(ds, place.shards, TINY, workers=workers, progress=stop)
    assert {k: v for k, v in tree(place.shards).items() if not k.startswith(".parts")} == before
    assert [p.place.file for p in verify(place.shards)] == ["notes.txt"]
    kept = {p.name: p.stat().st_mtime_ns for p in (place.shards / ".parts").rglob("*.tar")}
    told: list[Survey] = []
    pack(ds, place.shards, TINY, workers=workers, starting=told.append)
    assert kept and len(told[0].todo) == 3 - len(kept)
    assert all((place.shards / name).stat().st_mtime_ns == at for name, at in kept.items())
    assert (place.shards / "notes.txt").read_text() == "mine"
    (place.shards / "notes.txt").unlink()
    place.require_fresh()


@pytest.mark.slow
def test_what_was_encoded_for_another_plan_is_not_encoded_again(place: Place) -> None:
    def stop(done: int, total: int) -> None:
        if done == 4:
            raise StopError

    with pytest.raises(StopError):
        pack(place.dataset, place.shards, TINY, workers=1, progress=stop)
    n_before = len(place.encoded)
    n_kept = sum(len(s.views) + (s.sound is not None) for s in finished_samples(place))
    assert n_kept
    place.label("p0001_r000_a000", correct)
    place.ingest()
    with pytest.raises(UsageError):
        place.pack(replace(TINY, crf=40))
    place.pack()
    assert len(place.encoded) == 12 - n_kept < n_before
    place.require_fresh()


def finished_samples(place: Place) -> list:  # type: ignore[type-arg]
    from homage_sdk.shards.packing.shard_file import read_record

    found = []
    for tar in (place.shards / ".parts").rglob("*.tar"):
        record = read_record(tar.parent, tar.name)
        found += record.samples if record else ()
    return found


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_state(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.pack()
    before = tree(place.shards)
    place.label("p0003_r000_a004", correct)
    ds, real = place.ingest(), os.fsync

    def full(handle: int) -> None:
        if "tar" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="free some space"):
        pack(ds, place.shards, TINY, workers=1)
    assert {k: v for k, v in tree(place.shards).items() if not k.startswith(".parts")} == before
    monkeypatch.undo()
    place.pack()
    place.require_fresh()


@pytest.mark.slow
@pytest.mark.parametrize("moves", range(6))
def test_a_commit_that_is_cut_short_reads_as_the_new_state(
    place: Place, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """One, two ... of the files are in their places, and the process is gone."""
    place.pack()
    place.label("p0003_r000_a004", correct)
    ds, real, left = place.ingest(), Path.replace, [moves]

    def move(self: Path, target: Path) -> Path:
        if self.parent.name == ".tmp-commit":
            if not left[0]:
                raise StopError
            left[0] -= 1
        return real(self, target)

    monkeypatch.setattr(Path, "replace", move)
    with pytest.raises(StopError) if moves < 5 else pytest.MonkeyPatch.context():
        pack(ds, place.shards, TINY, workers=1)
    monkeypatch.undo()
    pack(ds, place.folder / "new", TINY, workers=1)
    new, there = ShardSet.open(place.folder / "new"), ShardSet.open(place.shards)
    assert there.manifest == new.manifest
    for key, members in new.locations().items():
        for field in members:
            assert there.read(key, field) == new.read(key, field)
    assert verify(place.shards) == []
    place.pack()
    assert tree(place.shards) == tree(place.folder / "new")


def test_a_shard_of_somebody_else_is_not_replaced(place: Place) -> None:
    place.pack(dataset=place.dataset.split("train"))
    (place.shards / "val-00000.tar").write_bytes(b"mine")
    with pytest.raises(StorageError, match="not ours"):
        place.pack()
    assert place.encoded == [] and (place.shards / "val-00000.tar").read_bytes() == b"mine"


@pytest.mark.slow
def test_sensors_that_come_later_are_packed_in_place(place: Place) -> None:
    place.pack()
    folder = place.release / "sensors"
    folder.mkdir()
    file = folder / "p0003_r000_a004__acceleration__head.csv"
    file.write_text("time_s,x,y,z\n0.0,1,2,3\n0.5,4,5,6\n")
    ds = place.ingest()
    if not ds["p0003_r000_a004"].sensors:
        pytest.fail("the sensor is not found")
    assert place.pack() == {"val-00000.tar"} and place.encoded == []
    place.require_fresh()
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    ahead = look_ahead(ds, place.shards, TINY)
    assert ahead.n_kept == 13 and not ahead.to_encode
    with pytest.raises(UsageError):
        place.pack(replace(TINY, sensors=False))
    place.pack()
    place.require_fresh()


def test_looking_ahead_writes_nothing(place: Place) -> None:
    assert len(look_ahead(place.dataset, place.shards, TINY).todo) == 3
    assert not place.shards.exists()
    place.pack()
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    before = {path: path.stat().st_mtime_ns for path in place.folder.rglob("*")}
    look_ahead(ds, place.shards, TINY)
    assert {path: path.stat().st_mtime_ns for path in place.folder.rglob("*")} == before


def test_ray_keeps_what_the_processes_keep(place: Place, cluster: Cluster) -> None:
    place.pack()
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    place.encoded.clear()
    pack(ds, place.shards, TINY, engine="ray")
    assert place.encoded == [] and len(cluster.results) == 1
    place.require_fresh()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_broken_shards_of_an_older_catalog_are_made_again(place: Place, how: str) -> None:
    """`repair` needs the catalog that they were packed from."""
    place.pack()
    broken = place.shards / "train-00001.tar"
    n_members = sum(
        len(s.views) + (s.sound is not None)
        for s in ShardSet.open(place.shards).samples
        if s.shard == broken.name
    )
    if how == "cut":
        os.truncate(broken, broken.stat().st_size - 1024)
    else:
        broken.unlink()
    with pytest.raises(ShardError, match="homage repair"):
        place.pack()
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    with pytest.raises(ShardError, match="homage pack"):
        repair(place.shards, ds)
    assert place.pack() == {broken.name, "val-00000.tar"}
    assert len(place.encoded) == (n_members if how == "gone" else 0)
    place.require_fresh()


def test_labels_alone_touch_their_shard_alone(place: Place) -> None:
    labels = replace(TINY, views=(9,), audio=False)
    place.pack(labels)
    place.label("p0003_r000_a004", correct)
    ds = place.ingest()
    ahead = look_ahead(ds, place.shards, labels)
    assert [shard.name for shard in ahead.todo] == ["val-00000.tar"] and not ahead.wants_media
    assert place.pack(labels) == {"val-00000.tar"}
    place.require_fresh(labels)


def make_of_schema(folder: Path, version: int) -> None:
    """The manifest, and its copy, as schema 2 had it: with ``raw`` names; it has a shard more."""
    written = json.loads((folder / MANIFEST).read_text())
    classes = [each for kind in written["taxonomy"].values() for each in kind]
    for each in classes:
        each["raw"] = each.pop("name")
    more = written["shards"][0] | {"name": "train-00099.tar"}
    shutil.copy(folder / written["shards"][0]["name"], folder / more["name"])
    written["shards"].append(more)
    data = json.dumps(written | {"schema_version": version})
    index = pq.read_table(folder / INDEX)
    pq.write_table(index.replace_schema_metadata({"homage.manifest": data}), folder / INDEX)
    (folder / MANIFEST).write_text(data)
    assert classes


@pytest.mark.slow
def test_shards_of_an_older_schema_are_replaced_whole_and_what_is_not_ours_stays(
    place: Place,
) -> None:
    place.pack()
    make_of_schema(place.shards, 2)
    for name in ("notes.txt", "mine-00000.tar"):
        (place.shards / name).write_text("mine")
    before = tree(place.shards)
    for read in (ShardSet.open, lambda at: repair(at, place.dataset)):
        with pytest.raises(ShardError, match=r"schema version.*found 2.*pack again"):
            read(place.shards)
    with pytest.raises(UsageError, match="another crf"):
        place.pack(replace(TINY, crf=40))
    ahead = look_ahead(place.dataset, place.shards, TINY)
    assert (len(ahead.todo), ahead.n_kept, ahead.removed) == (3, 0, {"train-00099.tar"})

    def stop(done: int, total: int) -> None:
        if done == total:
            raise StopError

    with pytest.raises(StopError):
        pack(place.dataset, place.shards, TINY, workers=1, progress=stop)
    assert {k: v for k, v in tree(place.shards).items() if not k.startswith(".parts")} == before
    place.pack()
    for name in ("notes.txt", "mine-00000.tar"):
        assert (place.shards / name).read_text() == "mine"
        (place.shards / name).unlink()
    place.require_fresh()
    assert verify(place.shards, deep=True) == [] and place.pack() == set()


def test_a_file_of_the_user_in_the_place_of_a_new_shard_stops_an_upgrade(place: Place) -> None:
    place.pack()
    make_of_schema(place.shards, 2)
    written = json.loads((place.shards / MANIFEST).read_text())
    mine = written["shards"].pop(0)["name"]
    (place.shards / MANIFEST).write_text(json.dumps(written))
    before = tree(place.shards)
    with pytest.raises(StorageError, match=f"{mine}.*not ours"):
        place.pack()
    assert tree(place.shards) == before


def test_shards_of_a_newer_schema_are_not_replaced(place: Place) -> None:
    place.pack()
    make_of_schema(place.shards, 4)
    before = tree(place.shards)
    with pytest.raises(ShardError, match=r"schema version.*found 4.*new folder"):
        place.pack()
    assert tree(place.shards) == before


def test_a_manifest_of_an_older_schema_that_names_no_shards_of_ours_is_not_replaced(
    place: Place,
) -> None:
    place.pack()
    make_of_schema(place.shards, 2)
    outside = place.folder / "outside.tar"
    outside.write_text("mine")
    written = json.loads((place.shards / MANIFEST).read_text())
    written["shards"][0]["name"] = "../outside.tar"
    (place.shards / MANIFEST).write_text(json.dumps(written))
    before = tree(place.folder / "shards")
    with pytest.raises(ShardError, match="another schema version"):
        place.pack()
    assert tree(place.shards) == before and outside.read_text() == "mine"
