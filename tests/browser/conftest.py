"""A real browser, or one line that says why not: the tests here skip, unless CI insists on them.

``HOMAGE_BROWSER=required`` makes what is missing an error; ``.ci/run`` sets it. The browser is the
system's Chromium (playwright's own plays no H.264), playwright drives it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from homage_sdk import Dataset
from homage_sdk.explore.page import view_page
from tests.conftest import once
from tests.filmed import SEQUENCE, filmed_catalog

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def need(what: object, why: str) -> None:
    """Skip where something is missing; fail where it is required."""
    if what:
        return
    if os.environ.get("HOMAGE_BROWSER") == "required":
        pytest.fail(f"{why}, and HOMAGE_BROWSER=required")
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless."""
    program = shutil.which("chromium")
    need(program, "no chromium here (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        need(None, "no playwright here (pip install 'homage-sdk[browser]')")
        raise
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield chromium
        chromium.close()


@dataclass
class Opened:
    """A page in the browser, and what it complained of or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def ask(self, script: str, argument: object = None) -> Any:
        """The value of a JavaScript expression or function, promises awaited."""
        return self.page.evaluate(script, argument)

    @property
    def at(self) -> int:
        """The frame that the page is at, 1-based."""
        return int(self.ask("homageView.clock.at")) + 1

    def until(self, condition: str, seconds: float = 30) -> None:
        """Wait for a JavaScript condition (asked again and again: the page forbids eval)."""
        end = time.monotonic() + seconds
        while not self.ask(condition):
            assert time.monotonic() < end, f"not within {seconds} s: {condition}"
            self.page.wait_for_timeout(25)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Open a file in a new page; at the end no page may have complained or fetched anything."""
    opened: list[Opened] = []

    def go(path: Path, *, width: int = 1400, theme: str = "light", at: int = 1) -> Opened:
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme=theme,  # type: ignore[arg-type]
        )
        made = Opened(page)
        opened.append(made)
        page.on(
            "console",
            lambda said: (
                made.complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: made.complaints.append(str(error)))
        page.on("dialog", lambda dialog: made.complaints.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: made.requests.append(request.url))
        page.goto(f"{path.as_uri()}#frame={at}")
        made.until("homageView.clock.tracks.every((track) => track.shown === homageView.clock.at)")
        return made

    yield go
    for each in opened:
        each.page.close()
        assert each.complaints == []
        elsewhere = [
            url for url in each.requests if not url.startswith(("file:", "blob:", "data:"))
        ]
        assert elsewhere == []


def written(folder: Path, name: str, **options: Any) -> Path:
    """The page of a filmed sequence, made once a run."""

    def make(target: Path) -> None:
        dataset = Dataset(filmed_catalog(target, **options))
        (target / "page.html").write_text(view_page(dataset, dataset[SEQUENCE]).html)

    return once(folder, name, make) / "page.html"


@pytest.fixture
def steady(shared_folder: Path) -> Path:
    """Four whole views of ten seconds."""
    return written(shared_folder, "steady_page", frames=300, faults=False)


@pytest.fixture
def faulty(shared_folder: Path) -> Path:
    """Five views with all that goes wrong, and names that would be markup."""
    return written(shared_folder, "faulty_page", hostile=True)
