"""Errors of the system and of libraries below us come out of a command as one line of ours."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.cli import run
from homage_sdk.errors import HomageError, ResourceError, StorageError
from homage_sdk.storage.system_errors import as_ours, require_enough


def _av(folder: Path) -> None:
    import av

    (folder / "x.mkv").write_bytes(b"no video")
    av.open(str(folder / "x.mkv"))


def _cv2(folder: Path) -> None:
    import cv2
    import numpy as np

    cv2.cvtColor(np.zeros((2, 2, 2), np.uint8), cv2.COLOR_RGB2GRAY)


def _duckdb(folder: Path) -> None:
    import duckdb

    duckdb.connect(":memory:").execute("SELECT * FROM nowhere")


def _pyarrow(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.read_table(pa.BufferReader(b"no table"))


def _safetensors(folder: Path) -> None:
    from safetensors.numpy import load

    load(b"no tensors at all")


def _tarfile(folder: Path) -> None:
    tarfile.open(fileobj=io.BytesIO(b"no tar"))  # noqa: SIM115


def _zipfile(folder: Path) -> None:
    zipfile.ZipFile(io.BytesIO(b"no zip"))


def _zlib(folder: Path) -> None:
    zlib.decompress(b"no stream")


def _permission(folder: Path) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder / "x"))


RAISE = [_av, _cv2, _duckdb, _pyarrow, _safetensors, _tarfile, _zipfile, _zlib, _permission]


@pytest.mark.parametrize("fail", RAISE)
def test_a_command_says_it_in_one_line(
    fail: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def entry(words: list[str], **_: Any) -> None:
        fail(tmp_path)

    assert run(entry, []) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error HOM001: ") and len(said.splitlines()) == 1
    assert said.endswith("run the same command again)")


def test_a_mistake_of_ours_stays_one() -> None:
    def entry(words: list[str], **_: Any) -> None:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        run(entry, [])


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (OSError(errno.ENOSPC, "x"), StorageError, "free some space"),
        (OSError(errno.EROFS, "x", "/data/a"), StorageError, "/data/a: cannot write"),
        (OSError(errno.EMFILE, "x"), ResourceError, "ulimit -n"),
        (MemoryError(), ResourceError, "free some memory"),
    ],
)
def test_each_kind_says_what_to_do(
    error: BaseException, kind: type[HomageError], says: str
) -> None:
    ours = as_ours(error)
    assert type(ours) is kind and says in str(ours)


def test_a_library_that_hides_the_number_is_understood() -> None:
    from safetensors import SafetensorError

    error = SafetensorError('Error while serializing: I/O error: Too many (os error 24) at "x"')
    assert isinstance(as_ours(error), ResourceError)


def test_only_what_the_machine_lacks_is_no_fault_of_the_file() -> None:
    import av

    with pytest.raises(ResourceError, match=r"a\.mkv"):
        require_enough(OSError(errno.EMFILE, "x"), "a.mkv")
    require_enough(OSError(errno.EIO, "x"), "a.mkv")
    # What FFmpeg says of a damaged file that states an absurd size.
    require_enough(av.error.MemoryError(errno.ENOMEM, "x"), "a.mkv")  # type: ignore[attr-defined]
