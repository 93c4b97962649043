"""What is replaced in a folder is old or new at any moment, and nothing else in it is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from homage_sdk.errors import StorageError
from homage_sdk.storage.commit import current, reading, replacing, require_writable, settle
from homage_sdk.storage.folder_swap import new_folder, recover
from tests.unit.base import commit_kills
from tests.unit.base.commit_kills import FOREIGN, NEW, OLD, begin, owned, write_in_place


def allow(_: Path) -> None:
    """The check of a folder that takes any target."""


def killed_at_every_moment(folder: Path, writer: str) -> list[Path]:
    program = Path(commit_kills.__file__)
    subprocess.run([sys.executable, str(program), str(folder), writer], check=True, timeout=300)
    return [moment / "target" for moment in sorted(folder.iterdir())]


def seen(folder: Path) -> dict[str, str]:
    """Our files as a reader finds them."""
    names = OLD if reading(folder, "state", Path.read_text) == "old" else NEW
    return {name: reading(folder, name, Path.read_text) for name in names}


def ours(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in owned(folder) if (folder / name).exists()}


def is_whole(folder: Path) -> bool:
    """Whether everything foreign is there and as it was."""
    return (
        all((folder / name).read_text() == text for name, text in FOREIGN.items())
        and (folder / "empty").is_dir()
        and (folder / "link").readlink() == Path("notes.txt")
    )


def test_a_commit_killed_at_any_moment_is_old_or_new_and_loses_nothing(tmp_path: Path) -> None:
    states = []
    for target in killed_at_every_moment(tmp_path, "in_place"):
        assert is_whole(target)
        assert seen(target) in (OLD, NEW)
        states.append(seen(target)["state"])
        settle(target, "state")
        assert is_whole(target)
        assert ours(target) in (OLD, NEW)
        assert ours(target)["state"] == states[-1], "settling changes nothing for a reader"
        write_in_place(target)
        assert is_whole(target)
        assert ours(target) == NEW
        assert [p.name for p in target.glob(".tmp-*")] == [".tmp-mine"], "no leftovers"
    assert states == sorted(states, reverse=True), "old up to one moment, new from then on"
    assert min(states.count("old"), states.count("new")) > 8


def test_a_swap_killed_at_any_moment_is_old_or_new_and_loses_nothing(tmp_path: Path) -> None:
    states = []
    for target in killed_at_every_moment(tmp_path, "swap"):
        recover(target)
        states.append((target / "state").read_text())
        assert ours(target) == (OLD if states[-1] == "old" else NEW)
        commit_kills.write_swap(target)
        assert is_whole(target)
        assert ours(target) == NEW
        assert [p.name for p in target.parent.iterdir()] == ["target"], "no leftovers"
    assert states == sorted(states, reverse=True)
    assert min(states.count("old"), states.count("new")) > 8


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    begin(tmp_path / "old")
    for name in ("old", "new/below"):
        with (
            pytest.raises(ZeroDivisionError),
            replacing(tmp_path / name, owned, allow, first="state") as folder,
        ):
            (folder / "state").write_text("half")
            raise ZeroDivisionError
    assert ours(tmp_path / "old") == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["old"], "and no folder that was not there"


def test_links_are_followed_to_their_end(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    (tmp_path / "dangling").symlink_to("disk/new")
    for name, real in (("link", "disk"), ("dangling", "disk/new")):
        write_in_place(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert ours(tmp_path / real) == NEW


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_appeared_in_the_way_meanwhile_is_refused_and_stays(
    tmp_path: Path, is_folder: bool
) -> None:
    begin(tmp_path / "c")
    thing = tmp_path / "c" / "d"
    with (
        pytest.raises(StorageError, match="in the way"),
        replacing(tmp_path / "c", owned, allow, first="state") as folder,
    ):
        (folder / "d").write_text("ours")
        if is_folder:
            thing.mkdir()
            (thing / "x").write_text("theirs")
        else:
            thing.write_text("theirs")
    assert (thing / "x" if is_folder else thing).read_text() == "theirs"
    assert is_whole(tmp_path / "c")
    assert ours(tmp_path / "c") == OLD


def test_the_check_is_made_again_before_the_commit(tmp_path: Path) -> None:
    def check(target: Path) -> None:
        if (target / "theirs").exists():
            raise StorageError("no")

    with (
        pytest.raises(StorageError),
        replacing(tmp_path / "c", owned, check, first="state") as folder,
    ):
        (folder / "state").write_text("new")
        (tmp_path / "c" / "theirs").write_text("x")
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["theirs"]


@pytest.mark.parametrize("thing", ["file", "folder", "empty"])
def test_a_folder_that_appeared_at_a_new_one_s_place_is_left_alone(
    tmp_path: Path, thing: str
) -> None:
    target = tmp_path / "out"

    def make() -> None:
        with new_folder(target) as folder:
            (folder / "x").write_text("ours")
            if thing == "file":
                target.write_text("theirs")
            else:
                target.mkdir()
            if thing == "folder":
                (target / "x").write_text("theirs")

    if thing == "empty":
        make()
        assert (target / "x").read_text() == "ours"
        return
    with pytest.raises(StorageError, match="will not be replaced"):
        make()
    assert (target if thing == "file" else target / "x").read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_swap_refuses_where_a_foreign_file_has_a_new_one_s_name(tmp_path: Path) -> None:
    begin(tmp_path / "out")
    with (
        pytest.raises(StorageError, match="will not be replaced"),
        new_folder(tmp_path / "out", owned) as folder,
    ):
        (folder / "notes.txt").write_text("ours")
    assert is_whole(tmp_path / "out")
    assert ours(tmp_path / "out") == OLD


def test_what_could_not_be_written_later_is_refused_now(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "below", 1)
    assert list(tmp_path.iterdir()) == [], "trying leaves nothing"
    with pytest.raises(StorageError, match="not enough space"):
        require_writable(tmp_path / "new", 1 << 60)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="is a file"):
        require_writable(tmp_path / "file" / "below", 1)
    with pytest.raises(StorageError, match="cannot write"):
        require_writable(Path("/sys/below"), 1)
    with (
        replacing(tmp_path / "c", owned, allow, first="state"),
        pytest.raises(StorageError, match="another process"),
    ):
        require_writable(tmp_path / "c", 1)


def test_a_reader_finds_a_file_that_moves_to_its_place_meanwhile(tmp_path: Path) -> None:
    committed = current(tmp_path, "a").parent / ".tmp-commit"
    committed.mkdir()
    (committed / "a").write_text("new")
    (tmp_path / "a").write_text("old")

    def read(path: Path) -> str:
        if path.parent == committed:
            path.replace(tmp_path / "a")
        return path.read_text()

    assert reading(tmp_path, "a", read) == "new"
    with pytest.raises(FileNotFoundError):
        reading(tmp_path, "b", Path.read_text)
