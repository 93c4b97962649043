"""`homage pack`, `verify` and `repair`: what they say and their exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from homage_sdk.cli import app, run


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
    assert code == 0 and "4 samples into" in said and "MB" in said and not out.exists()
    code, said = homage(capsys, *arguments)
    assert code == 0 and "shards made" in said and "4/4" in said
    code, said = homage(capsys, *arguments)
    assert code == 0 and "complete already, nothing to do" in said
    assert homage(capsys, "verify", out, "--deep")[0] == 0

    shard = next(out.glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:2000])
    code, said = homage(capsys, "verify", out)
    assert code == 1 and "HOM903" in said and "p000" in said
    code, said = homage(capsys, *arguments)
    assert code == 2 and "homage repair" in said
    code, said = homage(capsys, "repair", out, barcode_catalog)
    assert code == 0 and shard.name in said
    assert homage(capsys, "verify", out)[0] == 0


def test_faults_are_one_line_and_exit_code_two(
    barcode_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, words in (
        (("pack", barcode_catalog, tmp_path / "o", "--views", "left"), "not a choice of views"),
        (("pack", barcode_catalog, tmp_path / "o", "--preset", "huge"), "no preset 'huge'"),
        (("pack", barcode_catalog, tmp_path / "o", "--crf", 77), "impossible option crf"),
        (("pack", barcode_catalog, tmp_path / "o", "--split", "dev"), "nothing to pack"),
        (("pack", barcode_catalog, tmp_path / "o", "--root", tmp_path), "not one of the videos"),
        (("pack", tmp_path, tmp_path / "o"), "catalog"),
        (("repair", tmp_path, barcode_catalog), "no shards here"),
    ):
        code, said = homage(capsys, *arguments)
        assert code == 2 and words in said and "Traceback" not in said
        assert len([line for line in said.splitlines() if "error" in line]) == 1
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
    assert code == 1 and "left out: p0003_r000_a004 v001" in said and "an empty file" in said


def test_sync_reports_each_pair(barcode_catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = homage(capsys, "sync", barcode_catalog)
    assert code == 0 and "pairs of views" in said and "unknown" in said
    code, said = homage(capsys, "sync", barcode_catalog, "--json", "--split", "val")
    assert code == 0 and '"sequence":"p0003_r000_a004"' in said
