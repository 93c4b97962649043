"""SIGKILL at random moments: packing ends with the same bytes, a loader with the same batches.

The long version is ``make chaos``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.errors import StorageError
from homage_sdk.shards import pack
from homage_sdk.shards.packing import finish
from homage_sdk.storage import exclusive
from homage_sdk.storage.commit import LOCK
from tests.unit.shards.test_pack import SMALL, tree

TOOLS = Path(__file__).parents[3] / "tools"


def run(tool: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, str(TOOLS / tool), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_killed_pack_resumes_to_the_same_bytes(barcode_catalog: Path) -> None:
    assert run("chaos_pack.py", barcode_catalog, "--kills", 2).startswith("2 kills")


@pytest.mark.slow
def test_a_killed_loader_resumes_to_the_same_batches(barcode_shards: Path) -> None:
    said = run("chaos_loader.py", barcode_shards, "--kills", 1, "--workers", 0, "--batches", 8)
    assert "1 kills: the same 8 batches every time" in said


@pytest.mark.slow
def test_many_kills_change_nothing(barcode_catalog: Path, barcode_shards: Path) -> None:
    assert run("chaos_pack.py", barcode_catalog, "--kills", 12).startswith("12 kills")
    said = run("chaos_loader.py", barcode_shards, "--kills", 6, "--workers", 2, "--batches", 12)
    assert "6 kills: the same 12 batches every time" in said


@pytest.mark.parametrize(
    "leftover",
    [
        LOCK,
        ".parts/0123456789abcdef.plan.json",
        ".parts/0123456789abcdef.x-00000.tar.json",
        ".parts/0123456789abcdef/.tmp-x-00000.tar-7",
    ],
)
def test_what_a_kill_left_beside_whole_shards_is_removed_under_the_lock_only(
    dataset: Dataset,
    barcode_shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    leftover: str,
) -> None:
    out = shutil.copytree(barcode_shards, tmp_path / "out")
    (out / leftover).parent.mkdir(parents=True, exist_ok=True)
    (out / leftover).touch()
    locked: list[bool] = []

    def clean(folder: Path) -> None:
        with pytest.raises(StorageError, match="another"), exclusive(folder / LOCK, folder):
            pass
        locked.append(True)
        real(folder)

    real = finish.clean
    monkeypatch.setattr(finish, "clean", clean)
    pack(dataset, out, SMALL, workers=1)
    assert locked == [True]
    assert tree(out) == tree(barcode_shards)
    pack(dataset, out, SMALL, workers=1)
    assert locked == [True], "nothing to remove: nothing is touched"
