"""A mistake in a configuration is said before torch is loaded, which takes seconds."""

import subprocess
import sys

CODE = """
import sys
from baselines.ccau.cli import main
sys.argv = ["ccau", "train", "demo", "--set", "optim.lrr=3", "--shards", "x", "--out", "y"]
try:
    main()
finally:
    print("torch" in sys.modules)
"""


def test_a_wrong_setting_is_refused_without_torch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "HOM060" in done.stderr
    assert done.stdout.split() == ["False"]
