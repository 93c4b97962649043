"""The ``ccau`` command as a whole."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path


def test_help_answers_without_loading_torch():
    code = (
        "import sys\n"
        "from baselines.ccau.cli import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1:] == ["False"], done.stdout + done.stderr


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "baselines.ccau", "--help"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    assert done.returncode == 0 and "import-official" in done.stdout
    refused = subprocess.run(
        [sys.executable, "-m", "baselines.ccau", "train"], capture_output=True, timeout=300
    )
    assert refused.returncode == 2


def test_the_command_that_is_installed_exists():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for name, value in project["scripts"].items():
        assert callable(EntryPoint(name, value, "console_scripts").load())
