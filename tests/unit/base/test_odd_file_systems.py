"""Writing where locks, renames or syncs of folders are missing: it works, or says so in a line."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.errors import StorageError
from homage_sdk.shards import pack
from homage_sdk.storage import exclusive, write_file
from homage_sdk.storage.folder_swap import new_folder


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_nothing_is_written_and_the_reason_is_named(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "old").touch()
    with pytest.raises(StorageError) as caught, new_folder(tmp_path / "c") as folder:
        (folder / "x").touch()
    assert "locks" in caught.value.message and str(caught.value.place) == str(tmp_path / "c")
    assert caught.value.found is not None and caught.value.found.startswith("flock: ")
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["old"]


@pytest.mark.usefixtures("no_locks")
def test_without_locks_nothing_is_packed(small_catalog: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(StorageError, match="locks"):
        pack(Dataset(small_catalog), out, workers=1)
    assert not out.exists()


def test_whoever_waits_for_a_lock_gets_it_when_it_is_free(tmp_path: Path) -> None:
    """Also where the name of the lock was removed and made anew meanwhile."""
    lock, order = tmp_path / ".tmp-lock", []
    asked = [threading.Event() for _ in range(3)]

    def hold(number: int) -> None:
        asked[number].set()
        with exclusive(lock, tmp_path, wait=True):
            order.append(number)
            assert lock.exists()
            with pytest.raises(StorageError, match="another process"), exclusive(lock, tmp_path):
                pass

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(3)]
    with exclusive(lock, tmp_path):
        for thread in threads:
            thread.start()
        assert all(event.wait(10) for event in asked)
        assert order == []
    for thread in threads:
        thread.join(10)
    assert sorted(order) == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_a_folder_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.fsync

    def sync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    with new_folder(tmp_path / "c") as folder:
        (folder / "x").touch()
    write_file(tmp_path / "y", "text")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "y"]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_rename_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def rename(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "rename", rename)
    with (
        pytest.raises(StorageError, match="write to a local folder"),
        new_folder(tmp_path / "c") as folder,
    ):
        (folder / "x").touch()
    assert list(tmp_path.iterdir()) == []
