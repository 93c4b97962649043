"""How large the page of a sequence is, how long it takes to make, and how its views play.

``python tools/bench_explore.py [--seconds 60]``: a synthetic sequence with the most views of its
release, filmed at 640x360. Budget: 10 MB for 60 seconds of four views. Where Chromium and
``homage-sdk[browser]`` are here: when all views are ready, and how far they are apart over ten
seconds, as the page measures it.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from homage_sdk import Dataset
from homage_sdk.explore.page import view_page
from homage_sdk.explore.proxy_video import PAGE_BYTES
from homage_sdk.ingest import ingest
from homage_sdk.synth import write_release

OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PLAYED = """async (ms) => {
  await homageView.clock.play();
  await new Promise((done) => setTimeout(done, ms));
  await homageView.clock.pause();
  const { measure, clock } = homageView;
  const most = Math.max(...measure.samples);
  return [measure.samples.length, measure.withinOne(), most, clock.restarts];
}"""

SOUGHT = """async (frame) => {
  const began = performance.now();
  await homageView.clock.seek(frame);
  return performance.now() - began;
}"""


def played(page: Path, program: str) -> list[tuple[str, str]]:
    """What the browser says: name and figure."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(OPTIONS))
        shown = browser.new_page(viewport={"width": 1400, "height": 900})
        began = time.monotonic()
        shown.goto(page.as_uri())
        ready = "homageView.clock.tracks.every((each) => each.settled === 0)"
        while not shown.evaluate(ready):
            shown.wait_for_timeout(10)
        opened = time.monotonic() - began
        times = sorted(shown.evaluate(SOUGHT, 37 * k % 900) for k in range(1, 41))
        shown.evaluate("() => homageView.clock.seek(0)")
        found: list[Any] = shown.evaluate(PLAYED, 10_000)
        browser.close()
    samples, within, most, restarts = found
    return [
        ("all views on the screen after", f"{opened:.2f} s"),
        ("a seek of all views, p50 / p90", f"{times[20]:.0f} / {times[36]:.0f} ms"),
        (
            "views within one frame, 10 s",
            f"{within:.1%} of {samples} samples, at most {most} apart",
        ),
        ("started together again", f"{restarts} times"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds: float = parser.parse_args().seconds
    with TemporaryDirectory() as name:
        folder = Path(name)
        length = (seconds, seconds)
        write_release(folder / "release", sequences=3, size=(640, 360), seconds=length, clean=True)
        ingest(folder / "release", folder / "catalog")
        dataset = Dataset(folder / "catalog")
        sequence = max(dataset, key=lambda each: (min(len(each.views), 4), -len(each.views)))
        began, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        made = view_page(dataset, sequence)
        wall = time.monotonic() - began
        cpu = resource.getrusage(resource.RUSAGE_SELF).ru_utime - cpu
        page = folder / "page.html"
        page.write_text(made.html)
        view_s = len(sequence.views) * made.document.sequence.n_frames / 30
        budget = PAGE_BYTES * max(1.0, view_s / 240) / 1e6
        size = page.stat().st_size / 1e6
        rows = [
            ("the page shows", f"{len(sequence.views)} views of {seconds:g} s"),
            ("it is", f"{size:.2f} MB (budget {budget:.1f}){'' if size <= budget else ' MISSED'}"),
            ("its document", f"{len(made.document.to_json()) / 1e3:.0f} kB"),
            ("made in", f"{wall:.1f} s, {cpu:.1f} s of CPU"),
        ]
        program = shutil.which("chromium")
        try:
            rows += played(page, program) if program else []
        except ImportError:
            rows.append(("in a browser", "not measured: pip install 'homage-sdk[browser]'"))
        for what, figure in rows:
            print(f"{what:34} {figure}")
        if size > budget:
            sys.exit(1)


if __name__ == "__main__":
    main()
