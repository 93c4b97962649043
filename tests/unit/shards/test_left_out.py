"""What cannot be read: listed by its own name, tried again, and never a fault of the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk.cli import app, run
from homage_sdk.errors import StorageError
from homage_sdk.export import export_pictures
from homage_sdk.shards import ShardSet, pack, repair, verify
from homage_sdk.storage import explained, write_file
from tests.unit.shards.test_repack import TINY, Place, place

__all__ = ["place"]

UNREADABLE = Path("/proc/self/mem")
"""A file that is there, and whose first byte nobody can read."""

VIEW = "p0003_r000_v001_a004"


def make_unreadable(file: Path) -> Path:
    """The file, moved away."""
    away = file.with_suffix(".away")
    file.rename(away)
    file.symlink_to(UNREADABLE)
    return away


def listed(place: Place) -> list[tuple[str, int | None]]:
    found = ShardSet.open(place.shards).manifest.quarantine
    return [(fault.sequence, fault.view) for fault in found]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_an_unreadable_video_is_listed_and_tried_again_by_the_next_pack(
    place: Place, workers: int
) -> None:
    file = place.video(VIEW)
    away = make_unreadable(file)
    pack(place.dataset, place.shards, TINY, workers=workers)
    (fault,) = ShardSet.open(place.shards).manifest.quarantine
    assert (fault.sequence, fault.view, fault.path) == ("p0003_r000_a004", 1, file.name)
    assert verify(place.shards, deep=True) == []
    before = place.stamps()
    assert place.pack() == set() and place.stamps() == before, "still broken: nothing is touched"
    file.unlink()
    away.rename(file)
    assert place.pack() == {"val-00000.tar"} and place.encoded == [VIEW]
    assert listed(place) == []
    place.require_fresh()


def test_repair_tries_again_what_was_left_out(place: Place) -> None:
    file = place.video(VIEW)
    away = make_unreadable(file)
    place.pack()
    assert repair(place.shards, place.dataset, workers=1).quarantine
    file.unlink()
    away.rename(file)
    summary = repair(place.shards, place.dataset, workers=1)
    assert summary.rebuilt == summary.changed == ("val-00000.tar",) and not summary.quarantine
    place.require_fresh()


def test_a_video_that_is_not_there_is_looked_for_at_each_call(place: Place) -> None:
    file = place.video(VIEW)
    away = file.rename(place.folder / "away.mkv")
    place.pack()
    assert listed(place) == [("p0003_r000_a004", 1)]
    assert place.pack() == set()
    away.rename(file)
    assert place.pack() == {"val-00000.tar"} and place.encoded == [VIEW]
    place.require_fresh()


@pytest.mark.slow
def test_an_unreadable_sensor_is_listed_as_itself(place: Place) -> None:
    folder = place.release / "sensors"
    folder.mkdir()
    for kind in ("acceleration", "gyro"):
        file = folder / f"p0003_r000_a004__{kind}__head.csv"
        file.write_text("time_s,x,y,z\n0.0,1,2,3\n0.5,4,5,6\n")
    place.ingest()
    away = make_unreadable(file)
    place.pack()
    (fault,) = ShardSet.open(place.shards).manifest.quarantine
    assert fault.path == file.name and fault.view is None
    assert len(ShardSet.open(place.shards).sensors("p0003_r000_a004")) == 1
    file.unlink()
    away.rename(file)
    place.pack()
    assert listed(place) == [] and not [name for name in place.encoded if name != VIEW]
    assert len(ShardSet.open(place.shards).sensors("p0003_r000_a004")) == 2
    place.require_fresh()


@pytest.mark.slow
def test_a_file_that_grows_while_it_is_read_is_not_packed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from homage_sdk.shards.packing import sample

    file, real = place.video(VIEW), sample.encode_view

    def encode(path: Path, *rest: object) -> object:
        made = real(path, *rest)  # type: ignore[arg-type]
        if path == file:
            with file.open("ab") as more:
                more.write(b"more")
        return made

    with monkeypatch.context() as patched:
        patched.setattr(sample, "encode_view", encode)
        pack(place.dataset, place.shards, TINY, workers=1)
    assert listed(place) == [("p0003_r000_a004", 1)]
    assert place.pack() == {"val-00000.tar"} and listed(place) == []
    place.require_fresh()


def test_sync_and_export_go_on_behind_an_unreadable_video(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = str(place.folder / "catalog")
    assert run(app, ["sync", catalog]) == 1  # no view has sound to compare by
    whole = capsys.readouterr().out.splitlines()[-1]
    file = place.video("p0001_r000_v000_a000")
    make_unreadable(file)
    assert run(app, ["sync", catalog]) == 1
    said = capsys.readouterr()
    assert file.name in said.err
    assert said.out.splitlines()[-1].split(":")[0] == whole.split(":")[0], "as many pairs"
    make_unreadable(place.video("p0001_r000_v002_a000"))
    counts = export_pictures(place.dataset, "coco", place.folder / "pictures")
    assert counts["pictures"] == 0 and sum(counts.values()) == 5


def test_a_failed_read_is_never_said_of_the_target(tmp_path: Path) -> None:
    source, target = tmp_path / "not" / "there", tmp_path / "target"
    with pytest.raises(FileNotFoundError), explained(target):
        source.read_bytes()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError), explained(target):
        (tmp_path / "file" / "video.mkv").read_bytes()
    with pytest.raises(StorageError):
        write_file(tmp_path / "file" / "x" / "page.html", b"")


def test_a_broken_video_beside_whole_ones_gives_exit_code_one_and_the_rest(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    make_unreadable(place.video(VIEW))
    command = ["pack", str(place.folder / "catalog"), str(place.shards), "--size", "32"]
    for _ in range(2):
        assert run(app, [*command, "--workers", "1"]) == 1
        assert "left out" in capsys.readouterr().out
    assert len(ShardSet.open(place.shards)) == 5
