"""What docs/queries.md shows is what happens."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "queries.md"


def test_the_examples_of_the_page_run(example: Path) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    text = PAGE.read_text().replace("```", "")
    test = doctest.DocTestParser().get_doctest(text, {"catalog": example}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
    assert result.attempted > 30
    assert result.failed == 0, "".join(said)
