"""What makes it a project: licence, citation, changes, and how to take part."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from homage_sdk import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version_everywhere() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest is not None
    assert {__version__, PROJECT["version"], cited["version"], newest[1]} == {__version__}


def test_the_licence_is_the_one_that_is_declared() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0" and PROJECT["license-files"] == ["LICENSE"]
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["license"] == PROJECT["license"]


def test_the_citation_names_the_paper_and_this_software() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0" and cited["title"] == "homage_sdk"
    paper = cited["preferred-citation"]
    assert paper["title"].startswith("Home Action Genome") and len(paper["authors"]) == 8


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_a_page_names_files_that_are_there(page: str) -> None:
    named = set(re.findall(r"`((?:homage_sdk|baselines|tests|tools|docs)/[\w/.]+)`", _text(page)))
    missing = {path for path in named if not (ROOT / path).exists() and "NAME" not in path}
    assert not missing


def test_examples_of_the_page_for_contributors_are_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", _text("CONTRIBUTING.md"), flags=re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        for part in re.split(r"\n\n", block):
            ast.parse(part.strip().rstrip(","))


def _text(page: str) -> str:
    return (ROOT / page).read_text()
