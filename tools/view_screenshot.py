"""The picture of a sequence's page in docs: a synthetic sequence, made, opened and photographed.

``python tools/view_screenshot.py docs/view.jpg`` (needs Chromium, and ``homage-sdk[browser]``).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from homage_sdk import Dataset
from homage_sdk.explore.page import view_page
from homage_sdk.ingest import ingest
from homage_sdk.synth import write_release

WIDTH, HEIGHT = 1200, 860
MOST_BYTES = 150_000
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def write_page(folder: Path) -> tuple[Path, int]:
    """A page of the sequence with the most views, and a frame of it that has a scene graph."""
    write_release(folder / "release", sequences=4, seed=3, size=(640, 480), seconds=(8.0, 10.0))
    ingest(folder / "release", folder / "catalog")
    dataset = Dataset(folder / "catalog")
    sequence = max(dataset, key=lambda each: (each.ego is not None, len(each.views)))
    page = folder / "page.html"
    page.write_text(view_page(dataset, sequence).html)
    graphs = sequence.scene_graphs
    return page, max(graphs, key=lambda g: (len(g.relationships), -g.frame)).frame if graphs else 1


def photograph(page: Path, frame: int, out: Path, program: str) -> None:
    """The upper part of a page at a frame, as a JPEG."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(OPTIONS))
        shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        shown.goto(f"{page.as_uri()}#frame={frame}")
        at = "homageView.clock.tracks.every((each) => each.settled === homageView.clock.at)"
        while not shown.evaluate(at):
            shown.wait_for_timeout(50)
        shown.wait_for_timeout(200)  # the boxes are drawn with the next refresh
        shown.screenshot(path=out, type="jpeg", quality=72)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=Path("docs/view.jpg"))
    out: Path = parser.parse_args().out
    program = shutil.which("chromium")
    if program is None:
        sys.exit("no chromium here: apt-get install chromium")
    with TemporaryDirectory() as folder:
        photograph(*write_page(Path(folder)), out, program)
    size = out.stat().st_size
    print(f"{out}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
