"""The mess of a real release is there unless ``clean``, and never in more than a third of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from homage_sdk.release import read_release
from homage_sdk.synth import write_release
from homage_sdk.synth.mess import KINDS
from homage_sdk.synth.takes import plan_takes
from homage_sdk.validation import validate


@pytest.mark.parametrize("n", [12, 13, 24, 120])
def test_every_kind_of_mess_is_dealt(n: int) -> None:
    takes = plan_takes(0, n, 8, (8, 16), clean=False)
    assert {kind for t in takes for kind in t.mess} == set(KINDS)


@pytest.mark.parametrize("n", range(1, 61))
def test_two_thirds_stay_ordinary_and_clean_means_all(n: int) -> None:
    takes = plan_takes(5, n, 8, (8, 16), clean=False)
    assert sum(bool(t.mess) for t in takes) <= n / 3
    assert not any(t.mess for t in plan_takes(5, n, 8, (8, 16), clean=True))


def test_the_mess_is_in_the_files(small_release: Path) -> None:
    lists = small_release / "list_with_activity_labels"
    listed = {row[0] for p in lists.glob("*_list.csv") for row in csv.reader(p.open())}
    actions = {p.name[:15]: json.loads(p.read_text()) for p in small_release.rglob("*__aa.json")}
    views: dict[str, set[str]] = {}
    for path in small_release.rglob("*.mkv"):
        p, r, v, a = path.stem.split("_")
        views.setdefault(f"{p}_{r}_{a}", set()).add(v)
    assert len(listed - actions.keys()) == 1
    assert len(actions.keys() - listed) == 1
    assert sum("v000" not in v for v in views.values()) == 1
    assert sum(len(v) == 1 for v in views.values()) == 1
    ends = [max(x["frame_end"] for x in a) / 30 for a in actions.values()]
    longest = {s: max(x["frame_end"] for x in a) for s, a in actions.items()}
    assert max(ends) - sorted(ends)[0] > 0
    late = [
        s
        for s, a in actions.items()
        if longest[s] >= 150 + max([x["frame_end"] for x in a if x["frame_end"] != longest[s]])
    ]
    assert len(late) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "n"), [("hacgen", 1), ("hacgen", 2), ("videoshift", 3), ("hacgen", 6)]
)
def test_validation_finds_nothing_in_a_clean_release(tmp_path: Path, layout: str, n: int) -> None:
    out = tmp_path / "clean"
    write_release(
        out, layout=layout, sequences=n, size=(96, 72), seconds=(4, 5), clean=True, workers=1
    )
    assert validate(read_release(out)) == []


def test_validation_finds_the_mess(small_release: Path) -> None:
    codes = {p.code for p in validate(read_release(small_release))}
    assert {"HOM220", "HOM222", "HOM612", "HOM613"} <= codes
