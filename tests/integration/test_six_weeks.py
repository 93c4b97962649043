"""Six weeks of a download: each step ends as a fresh start would, and no work is done twice."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "six_weeks.py"


@pytest.mark.slow
def test_every_step_ends_as_a_fresh_start_would_and_costs_no_more_than_it_must():
    done = subprocess.run([sys.executable, TOOL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
