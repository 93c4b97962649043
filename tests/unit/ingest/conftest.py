"""Counting what is read, and a folder for readers without rights."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homage_sdk.media import probe as probing
from tests.unit.ingest.growing import Opened


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Which videos are probed from now on."""
    names = Opened()
    real = probing.probe_video

    def counted(path: Path) -> probing.VideoProbe:
        names.append(path.stem)
        return real(path)

    monkeypatch.setattr(probing, "probe_video", counted)
    return names


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and write."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)
