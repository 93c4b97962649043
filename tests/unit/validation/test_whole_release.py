"""What no single record shows: a release without any person, one class in two alphabets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.problems import Problem
from homage_sdk.release import read_release
from homage_sdk.validation import validate
from tests.unit.release.tiny import Tiny, action, graph

SEQUENCE, VIDEO = "p0001_r001_a001", "p0001_r001_v001_a001"
NO_PERSON: dict[str, Any] = {
    "objects": [{"id": 3, "category": "cup", "bbox": [50, 40, 70, 60]}],
    "relationships": [],
}


def found(root: Path, code: str) -> list[Problem]:
    return [problem for problem in validate(read_release(root)) if problem.code == code]


@pytest.mark.parametrize("with_person", [0, 7])
def test_a_release_whose_frames_have_no_person_is_reported_once(
    tmp_path: Path, with_person: int
) -> None:
    tiny = Tiny(tmp_path)
    tiny.list("train", f"{SEQUENCE},make_tea")
    frames = [graph(10 * k + 1, **({} if k < with_person else NO_PERSON)) for k in range(10)]
    tiny.scene(VIDEO, *frames)
    (problem,) = found(tmp_path, "HOM428")
    assert f"{10 - with_person} of 10 " in problem.found
    assert problem.place.pointer == f"/frames/{with_person}"


def test_composed_and_decomposed_letters_are_one_class_and_told(tmp_path: Path) -> None:
    composed, decomposed = "pour caf\u00e9", "pour cafe\u0301"
    tiny = Tiny(tmp_path / "release")
    tiny.list("train", f"{SEQUENCE},make_tea")
    tiny.actions(SEQUENCE, action(composed), action(decomposed, 40, 60), action(composed, 70, 90))
    (problem,) = found(tmp_path / "release", "HOM248")
    assert "\\u0301" in problem.found and "\u00e9" in problem.expected
    ingest(tmp_path / "release", tmp_path / "catalog")
    dataset = Dataset(tmp_path / "catalog")
    assert len(dataset.taxonomy("atomic")) == 1
    assert len(dataset[SEQUENCE].atomic_actions.named(decomposed)) == 3
