"""What the pages about questions show is what happens."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(("name", "at_least"), [("queries.md", 30), ("cookbook.md", 40)])
def test_the_examples_of_the_page_run(example: Path, name: str, at_least: int) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    page = DOCS / name
    text = page.read_text().replace("```", "")
    test = doctest.DocTestParser().get_doctest(text, {"catalog": example}, name, str(page), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
    assert result.attempted >= at_least
    assert result.failed == 0, "".join(said)


def test_the_cookbook_answers_twenty_questions() -> None:
    assert (DOCS / "cookbook.md").read_text().count("\n## ") == 20
