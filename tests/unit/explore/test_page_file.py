"""The page is one file: it fetches nothing, runs nothing that labels hold, says what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from homage_sdk import Dataset
from homage_sdk.cli import run
from homage_sdk.cli.command import app
from homage_sdk.explore.joined_modules import asset, join_module, joined_modules
from homage_sdk.explore.page import view_page
from homage_sdk.testing import TakeSpec, make_catalog
from tests.factories import example_takes
from tests.filmed import HOSTILE, SEQUENCE, filmed_catalog


class Parsed(HTMLParser):
    """Elements with their attributes; the text of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.elements.append((tag, facts))
        self._within = facts.get("id") or facts.get("type") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self._within] = self.texts.get(self._within, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._within = ""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(filmed_catalog(tmp_path_factory.mktemp("hostile"), frames=125, hostile=True))


def test_what_labels_hold_is_data_and_comes_through_whole(hostile: Dataset) -> None:
    made = view_page(hostile, hostile[SEQUENCE])
    parsed = Parsed(made.html)
    tags = [tag for tag, _ in parsed.elements]
    assert "img" not in tags and "iframe" not in tags and "link" not in tags
    scripts = [facts.get("type") for tag, facts in parsed.elements if tag == "script"]
    media = ["text/plain"] * 5  # four videos and the sound
    assert scripts == ["application/json", *media, "module"]
    document = json.loads(parsed.texts["document"])
    assert document == orjson.loads(made.document.to_json())
    assert HOSTILE in [each["name"] for each in document["classes"]]
    assert HOSTILE in document["graphs"][0]["relations"][0]["names"]


def test_only_its_own_script_and_style_may_run(hostile: Dataset) -> None:
    parsed = Parsed(view_page(hostile, hostile[SEQUENCE]).html)
    (policy,) = (
        str(facts["content"])
        for tag, facts in parsed.elements
        if tag == "meta" and facts.get("http-equiv") == "Content-Security-Policy"
    )
    for kind, text in (("script", parsed.texts["module"]), ("style", parsed.texts["style"])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "http:" not in policy and "https:" not in policy and "unsafe" not in policy


def test_the_script_cannot_end_its_element() -> None:
    script = joined_modules("main.js")
    assert "</script" not in script.lower() and "<!--" not in script
    assert not re.search(r"^(import|export)\b", script, re.M)
    assert "innerHTML" not in script


@pytest.mark.parametrize(
    "line", ['import a from "./a.js";', 'import "./a.js";', "export default 1;"]
)
def test_another_form_of_import_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="form"):
        join_module(line)


def test_a_page_of_a_missing_video_keeps_its_place_and_says_why(filmed: Path) -> None:
    dataset = Dataset(filmed)
    made = view_page(dataset, dataset[SEQUENCE])
    broken = made.document.views[4]
    assert broken.video is None and "cannot be opened" in broken.missing
    assert [view.video for view in made.document.views[:4]] == [f"video-v00{k}" for k in range(4)]
    assert any("p0001_r001_v004_a001" in line for line in made.missing)
    assert made.shows_media


def test_annotations_alone_make_a_page(tmp_path: Path) -> None:
    dataset = Dataset(make_catalog(tmp_path / "c", example_takes()))
    for sequence in dataset:
        made = view_page(dataset, sequence)
        parsed = Parsed(made.html)
        assert json.loads(parsed.texts["document"])["sequence"]["id"] == str(sequence.id)
        assert made.shows_media == (not any(view.has_video for view in sequence.views))


def test_a_sensor_that_is_gone_is_no_missing_video(tmp_path: Path) -> None:
    take = TakeSpec(SEQUENCE, None, None, (), False, 5.0, sensors=("infrared",))
    dataset = Dataset(make_catalog(tmp_path / "c", [take]))
    made = view_page(dataset, dataset[SEQUENCE])
    assert any("sensor" in line for line in made.missing) and made.shows_media


def test_the_command_names_the_page_after_the_sequence(
    filmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(app, ["view", str(filmed), SEQUENCE]) == 0
    assert run(app, ["view", str(filmed), SEQUENCE, "-o", "other.html"]) == 0
    page = (tmp_path / f"{SEQUENCE}.html").read_bytes()
    assert page == (tmp_path / "other.html").read_bytes()  # the same bytes again


def test_without_its_videos_the_command_writes_the_page_and_exits_with_1(
    filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["view", str(filmed), SEQUENCE, "-o", str(tmp_path / "p.html")]
    assert run(app, [*words, "--root", str(tmp_path)]) == 1
    assert "video" in capsys.readouterr().err
    assert (tmp_path / "p.html").is_file()


def test_an_unknown_sequence_is_named(filmed: Path, tmp_path: Path) -> None:
    assert run(app, ["view", str(filmed), "p0001_r001_a009", "-o", str(tmp_path / "p.html")]) == 2
    assert not (tmp_path / "p.html").exists()


def test_the_template_has_every_place_that_the_modules_fill() -> None:
    asked = set(re.findall(r'place\("([\w-]+)"\)', joined_modules("main.js"))) - {"document"}
    assert asked
    assert {each for each in asked if f'id="{each}"' not in asset("view.html")} == set()
