"""A small release that grows: real videos of a few frames, and reading with fewer rights."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from tests.unit.release.tiny import Tiny, whole

VIEWS = tuple(
    f"{sequence}_v00{view}_a00{take}"
    for sequence, take in (("p0001_r001", 1), ("p0002_r001", 2))
    for view in range(2)
)


def film(n_frames: int = 5) -> bytes:
    """A Matroska file of so many frames."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width = stream.height = 32
        for _ in range(n_frames):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def filmed(root: Path) -> Tiny:
    """Two sequences with two views each."""
    tiny = whole(root)
    for number, view in enumerate(VIEWS):
        tiny.video(view, film(5 + number))
    return tiny


class Opened(list[str]):
    """The names of the videos that were read by their packets."""

    def take(self) -> list[str]:
        names = sorted(self)
        self.clear()
        return names


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user whom file rights bind: they do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
