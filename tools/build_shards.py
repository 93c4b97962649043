"""Pack a catalog into WebDataset shards: the same as `homage pack`, with the same options.

python tools/build_shards.py CATALOG SHARDS [--preset ccau] [--workers 8] [--views ego] ...
"""

from __future__ import annotations

import sys

from homage_sdk.cli import app, run

if __name__ == "__main__":
    sys.exit(run(app, ["pack", *sys.argv[1:]]))
