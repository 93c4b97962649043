"""docs/house.md walks through rooms that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_walk_exists() -> None:
    named = re.findall(r"`([\w/.]+/[\w.]*)`", (ROOT / "docs" / "house.md").read_text("utf-8"))
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_layers_on_the_page_are_the_ones_that_are_tested() -> None:
    from tests.unit.base.test_layout import LAYERS

    page = (ROOT / "docs" / "house.md").read_text("utf-8")
    line = next(line for line in page.splitlines() if line.startswith("base <"))
    rooms = [re.split(r"[, ]+", part.strip()) for part in line.split("<")]
    there = {path.name for path in (ROOT / "homage_sdk").iterdir()} | {"codes", "codes.py"}
    assert rooms[1:] == [[each for each in layer.split() if each in there] for layer in LAYERS[1:]]
