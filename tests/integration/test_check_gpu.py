"""The script that checks a GPU runs in miniature on a CPU, so that it cannot rot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ABSENT = ("duckdb", "librosa", "webdataset", "sklearn", "matplotlib", "jinja2", "scipy", "aiohttp")
"""What the script does not need; it must run where these are not installed."""


@pytest.mark.slow
def test_every_section_runs_and_finds_nothing_wrong(tmp_path: Path) -> None:
    script = ROOT / "tools" / "check_gpu.py"
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({ABSENT!r}))\n"
        f"sys.argv = ['check_gpu.py', '--small', '--device', 'cpu', '--out', {str(tmp_path)!r}]\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "check_gpu.json").read_text())
    sections = {row["section"] for row in report["rows"]}
    assert sections == {
        "environment", "shards", "gradients", "convolutions", "one rank", "shortcut", "resume",
        "loading", "training", "steps",
    }  # fmt: skip
    assert report["wrong"] == 0
    assert not [row for row in report["rows"] if row["name"] == "left out"]
    judged = [row for row in report["rows"] if row["good"] is not None]
    assert len(judged) > 20
