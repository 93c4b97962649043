"""Writing where locks, renames or syncs of folders are missing: it works, or says so in a line."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.errors import StorageError
from homage_sdk.shards import pack
from homage_sdk.storage import exclusive, new_folder, write_file


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
    (tmp_path / ".tmp-c.lock.claim").write_text(f"{host} {process}")
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


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_second_packer_is_refused_while_the_first_one_packs(
    small_catalog: Path, tmp_path: Path
) -> None:
    dataset, out = Dataset(small_catalog), tmp_path / "out"

    def starting(*_: object) -> None:
        with pytest.raises(StorageError, match="another process is writing here"):
            pack(dataset, out, workers=1)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        pack(dataset, out, workers=1, starting=starting)
    assert [p.name for p in out.iterdir()] == ["plan.json"]


@pytest.mark.usefixtures("no_locks")
def test_without_locks_an_error_leaves_no_name_and_speaks_only_of_itself(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught, exclusive(tmp_path / ".tmp-lock", tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("no_locks")
def test_without_proc_a_live_writer_keeps_its_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda p: p.parts[:2] != ("/", "proc") and real(p))
    lock = tmp_path / ".tmp-lock"
    with (
        exclusive(lock, tmp_path),
        pytest.raises(StorageError, match=f"process {os.getpid()} on"),
        exclusive(lock, tmp_path),
    ):
        pass


@pytest.mark.usefixtures("no_locks")
def test_of_two_that_find_a_dead_claim_the_slower_one_leaves_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, claim = tmp_path / ".tmp-lock", tmp_path / ".tmp-lock.claim"
    claim.write_text(f"{socket.gethostname()} 999999999")
    holders, stack = [], ExitStack()

    def hold(name: str) -> None:
        with suppress(StorageError):
            stack.enter_context(exclusive(lock, tmp_path))
            holders.append(name)

    real = Path.read_text

    def read(path: Path, *args: str, **options: str) -> str:
        text = real(path, *args, **options)
        monkeypatch.setattr(Path, "read_text", real)
        hold("faster")  # it comes between the slower one's look and what follows from it
        return text

    monkeypatch.setattr(Path, "read_text", read)
    with stack:
        hold("slower")
        assert len(holders) == 1
        assert claim.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_locks")
def test_a_full_disk_leaves_no_claim_that_names_nobody(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(StorageError), exclusive(tmp_path / ".tmp-lock", tmp_path):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
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
