"""The dataset's page is written for whatever a catalog holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.catalog import ingest
from homage_sdk.report.dataset import dataset_sections
from tests.unit.release.tiny import Tiny, action


def _lists(tiny: Tiny) -> None:
    tiny.list("train", "p0001_r001_a001,make_tea")


def _labels(tiny: Tiny) -> None:
    tiny.actions("p0001_r001_a001", action("take cup", 31, 90))


def _no_action(tiny: Tiny) -> None:
    _lists(tiny)
    tiny.actions("p0001_r001_a001")


@pytest.mark.parametrize("make", [_lists, _labels, _no_action])
def test_a_page_of_next_to_nothing_names_its_sequence(tmp_path: Path, make: object) -> None:
    tiny = Tiny(tmp_path / "r")
    make(tiny)  # type: ignore[operator]
    ingest(tiny.root, tmp_path / "c", media=False)
    sections = dataset_sections(Dataset(tmp_path / "c"))
    assert "p0001_r001_a001" in sections[-1].title
