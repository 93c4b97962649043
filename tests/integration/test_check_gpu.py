"""The script that checks a GPU runs in miniature on a CPU, so that it cannot rot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.ccau.config.config import read_config
from baselines.ccau.planning.speed import of_check_gpu
from baselines.ccau.runs.build_task import model_config
from homage_sdk.shards import ShardSet

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
    config = read_config(
        "ccau",
        [
            "model.width=8", "model.audio_width=4", "data.size=32", "data.blocks=2",
            "data.block_frames=2", "data.batch_size=2", "data.n_mels=32", "data.workers=1",
        ],
    )  # fmt: skip
    model = model_config(config, ShardSet.open(tmp_path / "shards"))
    read = of_check_gpu(tmp_path / "check_gpu.json", config, model)  # as `--dry-run --gpu` does
    assert read.steps and read.loading, read.why
