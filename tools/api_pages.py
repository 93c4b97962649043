"""The API reference, made of docstrings: ``python tools/api_pages.py [OUT]`` (``make docs``).

Fails on any warning of the generator (pdoc).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pdoc

PAGES = (
    "homage_sdk",
    *("homage_sdk.time", "homage_sdk.errors", "homage_sdk.problems", "homage_sdk.taxonomy"),
    *("homage_sdk.release", "homage_sdk.validation", "homage_sdk.ingest", "homage_sdk.catalog"),
    *("homage_sdk.query.patterns", "homage_sdk.query.relations", "homage_sdk.query.matches"),
    *("homage_sdk.shards", "homage_sdk.loader", "homage_sdk.export"),
    *("homage_sdk.report.statistics", "homage_sdk.media.sync"),
    *("homage_sdk.media.spectrograms.logmel", "homage_sdk.media.spectrograms.jet"),
    *("homage_sdk.evaluation.metrics", "homage_sdk.evaluation.intervals"),
    *("homage_sdk.synth", "homage_sdk.testing"),
)
"""What people import from."""


def write_api_pages(out: Path) -> Path:
    """Write one page a module below ``out``; the page to open. Raises at the first warning."""
    pdoc.render.configure(docformat="google", footer_text="homage_sdk")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc(*PAGES, output_directory=out)
    return out / "index.html"


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/api")
    sys.stdout.write(f"{write_api_pages(folder)}\n")
