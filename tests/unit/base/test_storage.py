"""What is written is there whole or not at all, whoever kills it."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from homage_sdk.errors import StorageError
from homage_sdk.storage import sha256_file, write_file
from homage_sdk.storage.folder_swap import new_folder

KILLED = """
import sys, time
from pathlib import Path
from homage_sdk.storage.folder_swap import new_folder
with new_folder(Path(sys.argv[1]), lambda _: ["a", "b"]) as folder:
    (folder / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def ours(folder: Path) -> list[str]:
    """What an earlier call wrote; the tests' folders hold a and b."""
    return [name for name in ("a", "b") if (folder / name).exists()]


def _start_writer(target: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


def test_a_killed_writer_leaves_the_old_folder_and_the_next_one_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "catalog"
    with new_folder(target) as folder:
        (folder / "a").write_text("old")
    process = _start_writer(target)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [p.name for p in target.iterdir()] == ["a"]
    with new_folder(target, ours) as folder:
        (folder / "b").write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["catalog"], "no leftovers"
    assert [p.name for p in target.iterdir()] == ["b"]


def test_a_second_writer_is_refused_while_the_first_one_writes(tmp_path: Path) -> None:
    process = _start_writer(tmp_path / "catalog")
    try:
        with (
            pytest.raises(StorageError, match="another process is writing"),
            new_folder(tmp_path / "catalog"),
        ):
            pass
    finally:
        process.kill()
        process.wait()


def test_an_error_while_writing_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "catalog"
    with new_folder(target) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), new_folder(target, ours) as folder:
        (folder / "a").write_text("new")
        raise ZeroDivisionError
    assert (target / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["catalog"]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    retired = tmp_path / ".tmp-catalog.old"
    retired.mkdir()
    (retired / "a").write_text("old")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "catalog", ours):
        raise RuntimeError
    assert (tmp_path / "catalog" / "a").read_text() == "old"


def test_a_full_disk_is_one_line_that_names_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "x.json", "old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"x\.json.*disk is full"):
        write_file(tmp_path / "x.json", "new")
    assert (tmp_path / "x.json").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_file_is_never_seen_half_written(tmp_path: Path) -> None:
    target = tmp_path / "value"
    write_file(target, "0" * 100_000)
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom pathlib import Path\nfrom homage_sdk.storage import write_file\n"
            "for i in range(200): write_file(Path(sys.argv[1]), str(i % 10) * 100_000)",
            str(target),
        ]
    )
    seen = set()
    deadline = time.monotonic() + 30
    while writer.poll() is None and time.monotonic() < deadline:
        text = target.read_text()
        assert len(text) == 100_000
        assert len(set(text)) == 1
        seen.add(text[0])
    assert writer.wait() == 0
    assert len(seen) > 1


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_file(tmp_path / "x").startswith("ba7816bf8f01cfea")
