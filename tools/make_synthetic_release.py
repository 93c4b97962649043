"""Write a synthetic release: `homage synth` for people who look into tools/ first."""

import sys

from homage_sdk.cli import app, run

if __name__ == "__main__":
    sys.exit(run(app, ["synth", *sys.argv[1:]]))
