"""`homage pack`, `verify` and `repair`: what they say and their exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from homage_sdk.cli import app, run
from homage_sdk.errors import CatalogError, MediaError, ShardError, UnknownIdError, UsageError
from homage_sdk.shards import ShardSet

N_TRAIN = 4
"""Sequences of the split train."""


def homage(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = run(app, [str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_pack_verify_damage_repair(
    barcode_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "shards"
    arguments = ("pack", barcode_catalog, out, "--size", 64, "--workers", 1, "--split", "train")
    code, said = homage(capsys, *arguments, "--plan")
    assert code == 0 and f"{N_TRAIN} samples" in said and not out.exists()
    assert homage(capsys, *arguments)[0] == 0 and len(ShardSet.open(out)) == N_TRAIN
    made = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert homage(capsys, *arguments)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == made, "done is done"
    assert homage(capsys, "verify", out, "--deep")[0] == 0

    shard = next(out.glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:2000])
    code, said = homage(capsys, "verify", out)
    assert code == 1 and "HOM903" in said and "p000" in said
    assert homage(capsys, *arguments)[0] == 2
    code, said = homage(capsys, "repair", out, barcode_catalog)
    assert code == 0 and shard.name in said
    assert homage(capsys, "verify", out)[0] == 0


def test_faults_are_one_line_and_exit_code_two(
    barcode_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, error in (
        (("pack", barcode_catalog, tmp_path / "o", "--views", "left"), UsageError),
        (("pack", barcode_catalog, tmp_path / "o", "--preset", "huge"), UnknownIdError),
        (("pack", barcode_catalog, tmp_path / "o", "--crf", 77), UsageError),
        (("pack", barcode_catalog, tmp_path / "o", "--split", "dev"), UsageError),
        (("pack", barcode_catalog, tmp_path / "o", "--root", tmp_path), MediaError),
        (("pack", tmp_path, tmp_path / "o"), CatalogError),
        (("repair", tmp_path, barcode_catalog), ShardError),
    ):
        code, said = homage(capsys, *arguments)
        errors = [line for line in said.splitlines() if line.startswith("error HOM")]
        assert code == 2 and "Traceback" not in said
        assert [line.split(": ")[0] for line in errors] == [f"error {error.kind.code}"], said
        assert not (tmp_path / "o").exists()
    assert homage(capsys, "verify", tmp_path)[0] == 2


def test_a_quarantined_video_is_said_and_gives_exit_code_one(
    barcode_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from homage_sdk import Dataset

    source = Dataset(barcode_catalog).root
    assert source is not None
    root = Path(shutil.copytree(source, tmp_path / "release"))
    next(root.rglob("p0003_r000_v001_a004.mkv")).write_bytes(b"")
    code, said = homage(
        capsys,
        "pack",
        barcode_catalog,
        tmp_path / "o",
        "--root",
        root,
        "--split",
        "val",
        "--workers",
        1,
    )
    assert code == 1 and "p0003_r000_a004 v001" in said
    fault, *others = ShardSet.open(tmp_path / "o").manifest.quarantine
    assert (fault.sequence, fault.view) == ("p0003_r000_a004", 1) and not others


def test_sync_reports_each_pair(barcode_catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of views without sound nothing can be told, which is no success."""
    assert homage(capsys, "sync", barcode_catalog)[0] == 1
    code, said = homage(capsys, "sync", barcode_catalog, "--json", "--split", "val")
    assert code == 1 and '"sequence":"p0003_r000_a004"' in said
