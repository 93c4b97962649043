"""The ``ccau`` command as a whole."""

import subprocess
import sys


def test_help_answers_without_loading_torch():
    code = (
        "import sys\n"
        "from baselines.ccau.cli import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1:] == ["False"], done.stdout + done.stderr
