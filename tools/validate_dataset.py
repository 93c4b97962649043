"""Validate a release, thinly: the same as `homage validate`, for those who run scripts.

python tools/validate_dataset.py PATH [--deep] [--format rich|json|junit|csv] ...
"""

from __future__ import annotations

import sys

from homage_sdk.cli import app, run

if __name__ == "__main__":
    sys.exit(run(app, ["validate", *sys.argv[1:]]))
