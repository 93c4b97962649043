"""Writing where locks, renames or syncs of folders are missing: it works, or says so in a line."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

import pytest

from homage_sdk.errors import StorageError
from homage_sdk.storage import new_folder, write_file


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_folder_is_written_and_two_writers_refuse_each_other(
    tmp_path: Path,
) -> None:
    with new_folder(tmp_path / "c") as folder:
        (folder / "x").touch()
        with (
            pytest.raises(StorageError, match=r"another process is writing here.*remove"),
            new_folder(tmp_path / "c"),
        ):
            pass
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    assert (tmp_path / "c" / "x").exists()


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize(
    ("host", "process", "taken"),
    [
        ("here", "gone", True),
        ("here", "alive", False),
        ("another-machine", "gone", False),
    ],
)
def test_a_killed_writer_is_succeeded_on_its_own_machine_only(
    tmp_path: Path, host: str, process: str, taken: bool
) -> None:
    host = socket.gethostname() if host == "here" else host
    process = str(os.getpid()) if process == "alive" else "999999999"
    (tmp_path / ".tmp-c.claim").write_text(f"{host} {process}")
    if taken:
        with new_folder(tmp_path / "c"):
            pass
        assert [p.name for p in tmp_path.iterdir()] == ["c"]
        return
    with (
        pytest.raises(StorageError, match=f"process {process} on {host}"),
        new_folder(tmp_path / "c"),
    ):
        pass
    assert not (tmp_path / "c").exists()


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
