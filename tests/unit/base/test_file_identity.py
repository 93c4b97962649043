"""A file is the one that was read, or it is not: by both ends, and by every byte where in doubt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homage_sdk.storage.file_identity import identify, still

SIZE = 300_000


@pytest.mark.parametrize("at", [0, 65_535, 150_000, SIZE - 1])
def test_a_byte_that_differs_is_noticed_where_the_time_is_another(tmp_path: Path, at: int) -> None:
    file = tmp_path / "video"
    file.write_bytes(bytes(SIZE))
    known = identify(file, "video")
    os.utime(file, (5, 5))
    moved = still(file, "video", known)
    assert moved is not None and moved.mtime_ns == 5_000_000_000 and moved.sha256 == known.sha256
    file.write_bytes(bytes(at) + b"x" + bytes(SIZE - at - 1))
    assert still(file, "video", known) is None
    os.utime(file, ns=(known.mtime_ns, known.mtime_ns))
    assert still(file, "elsewhere", known) is None


def test_both_ends_are_read_whatever_the_time_says(tmp_path: Path) -> None:
    file = tmp_path / "video"
    file.write_bytes(bytes(SIZE))
    known = identify(file, "video")
    assert still(file, "video", known) == known
    for at in (0, SIZE - 1):
        file.write_bytes(bytes(at) + b"x" + bytes(SIZE - at - 1))
        os.utime(file, ns=(known.mtime_ns, known.mtime_ns))
        assert still(file, "video", known) is None
    file.write_bytes(bytes(SIZE + 1))
    assert still(file, "video", known) is None
