"""A kill at any moment leaves the old catalog or the new one, and the next ingest goes through."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from homage_sdk.catalog import Catalog
from homage_sdk.catalog.tables import verify_catalog
from homage_sdk.errors import StorageError
from homage_sdk.ingest import ingest
from homage_sdk.storage import exclusive
from homage_sdk.storage.commit import LOCK, STAGED
from homage_sdk.storage.folder_swap import new_folder, sweep
from tests.unit.release.tiny import action, whole

LOOP = """
import sys
from pathlib import Path
from homage_sdk.ingest import ingest
print("ready", flush=True)
while True:
    ingest(Path(sys.argv[1]), Path(sys.argv[2]), media=False, force=True)
"""


@pytest.mark.parametrize("wait_s", [0.03, 0.17, 0.31])
def test_a_kill_leaves_a_whole_catalog(tmp_path: Path, wait_s: float) -> None:
    tiny = whole(tmp_path / "r")
    for take in range(40):
        tiny.actions(f"p0009_r001_a{take:03d}", *(action("x", 1 + i, 9 + i) for i in range(50)))
    ingest(tiny.root, tmp_path / "c", media=False)
    expected = Catalog(tmp_path / "c").info
    worker = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(tiny.root), str(tmp_path / "c")], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    time.sleep(wait_s)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    before = Catalog(tmp_path / "c").info
    assert before == expected, "a reader needs no writer"
    summary = ingest(tiny.root, tmp_path / "c", media=False)
    assert summary.info == expected
    assert Catalog(tmp_path / "c").info == expected
    assert verify_catalog(tmp_path / "c") == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "r"]


def test_two_ingests_of_one_catalog_refuse_each_other(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    (tmp_path / "c").mkdir()
    with (
        exclusive(tmp_path / "c" / LOCK, tmp_path / "c"),
        pytest.raises(StorageError, match="another process is writing here"),
    ):
        ingest(tiny.root, tmp_path / "c", media=False)


def test_what_a_kill_left_in_an_unchanged_catalog_is_swept_away(tmp_path: Path) -> None:
    tiny = whole(tmp_path / "r")
    ingest(tiny.root, tmp_path / "c", media=False)
    before = sorted((tmp_path / "c").iterdir())
    (tmp_path / "c" / LOCK).touch()
    (tmp_path / "c" / STAGED).mkdir()
    (tmp_path / "c" / STAGED / "classes.parquet").touch()
    assert ingest(tiny.root, tmp_path / "c", media=False).unchanged
    assert sorted((tmp_path / "c").iterdir()) == before


def test_a_sweep_leaves_a_writer_alone(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with new_folder(tmp_path / "c") as folder:
        (folder / "half").touch()
        sweep(tmp_path / "c", lambda _: [])
        assert (folder / "half").exists()
