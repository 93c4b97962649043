"""Label files at full size have the paper's counts exactly and the measured shares."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.testing import write_labels
from homage_sdk.testing.full_size_intervals import at_once
from tests.unit.synth.files import digests, documents


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scale") / "homage"
    write_labels(out)
    return out


@pytest.fixture(scope="module")
def actions(full: Path) -> dict[str, Any]:
    return {name[:15]: a for name, a in documents(full, "*__aa.json").items()}


@pytest.fixture(scope="module")
def listed(full: Path) -> dict[str, dict[str, str]]:
    folder = full / "list_with_activity_labels"
    return {
        s: dict(csv.reader((folder / f"{s}_list.csv").open())) for s in ("train", "val", "test")
    }


def test_sequences_and_actions_per_split_are_the_papers(
    listed: dict[str, dict[str, str]], actions: dict[str, Any]
) -> None:
    assert {s: len(rows) for s, rows in listed.items()} == {"train": 1388, "val": 198, "test": 166}
    assert len(set().union(*listed.values())) == 1752
    counts = {s: sum(len(actions[q]) for q in rows) for s, rows in listed.items()}
    assert counts == {"train": 20_039, "val": 2_062, "test": 2_468}


def test_classes_are_the_papers(
    full: Path, listed: dict[str, dict[str, str]], actions: dict[str, Any]
) -> None:
    for rows in listed.values():
        assert len(set(rows.values())) == 75
    used = Counter(x["class"] for a in actions.values() for x in a)
    assert len(used) == 448
    assert sum(n == 1 for n in used.values()) == 13
    assert sum("/" in name for name in used) == 24
    lines = (full / "list_with_activity_labels/classInd_atomic.txt").read_text().splitlines()
    assert {line.split(" ", 1)[1] for line in lines} == {n.replace(" ", "_") for n in used}


@pytest.mark.slow
def test_boxes_and_relationships_are_the_papers(full: Path) -> None:
    objects: Counter[str] = Counter()
    predicates: Counter[str] = Counter()
    for graph in documents(full, "*_sg.json").values():
        for frame in graph["frames"]:
            objects.update(o["category"] for o in frame["objects"])
            predicates.update(r["category"] for r in frame["relationships"])
            triples = [tuple(r.values()) for r in frame["relationships"]]
            assert len(set(triples)) == len(triples)
            ids = {o["id"] for o in frame["objects"]}
            for r in frame["relationships"]:
                assert {r["subject"], r["object"]} <= ids
            for o in frame["objects"]:
                x1, y1, x2, y2 = o["bbox"]
                assert 0 <= x1 < x2 <= graph["width"]
                assert 0 <= y1 < y2 <= graph["height"]
    assert objects.total() == 497_534
    assert predicates.total() == 583_481
    assert len(objects.keys() - {"person"}) == 86
    assert len(predicates) == 29
    del objects["person"]
    assert {n for n, _ in objects.most_common(3)} == {"countertop", "clothes", "table"}
    common = [n for n, _ in predicates.most_common(3)]
    assert common == ["in front of", "looking at", "holding"]


def test_intervals_have_the_measured_shares(actions: dict[str, Any]) -> None:
    total = short = under_five = overlapping = 0
    most, last = 0, 0
    for own in actions.values():
        spans = [(x["frame_start"], x["frame_end"], x["class"]) for x in own]
        assert all(a % 30 == 1 and b % 30 == 0 for a, b, _ in spans)
        for k, (a, b, name) in enumerate(spans):
            others = [s for j, s in enumerate(spans) if j != k and s[0] <= b and a <= s[1]]
            assert name not in {s[2] for s in others}
            overlapping += bool(others)
            total += 1
            short += b - a + 1 <= 60
            under_five += b - a + 1 < 150
            last = max(last, b)
        most = max(most, at_once([((a - 1) // 30, b // 30) for a, b, _ in spans]))
    assert short / total == pytest.approx(0.599, abs=0.001)
    assert 0.74 < under_five / total < 0.77
    assert overlapping / total == pytest.approx(0.90, abs=0.01)
    assert most == 8
    assert last == 7230


def test_video_names_are_the_papers(full: Path) -> None:
    names = [p.stem for p in full.rglob("*.mkv")]
    assert len(names) == 5700
    views: dict[str, set[int]] = {}
    for name in names:
        p, r, v, a = re.fullmatch(r"(p\d{4})_(r\d{3})_v(\d{3})_(a\d{3})", name).groups()
        views.setdefault(f"{p}_{r}_{a}", set()).add(int(v))
    assert len(views) == 1752
    shares = Counter(map(len, views.values()))
    for n, measured in {2: 231, 3: 302, 4: 191, 5: 96}.items():
        assert shares[n] / 1752 == pytest.approx(measured / 825, abs=0.04)
    assert sum(0 not in v for v in views.values()) == 91  # 43 of 825
    gaps = sum(len(v) != max(v) - min(v) + 1 for v in views.values())
    assert gaps / 1752 == pytest.approx(147 / 825, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["hacgen", "videoshift"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_seed_meets_the_counts_and_repeats_its_bytes(
    tmp_path: Path, layout: str, seed: int
) -> None:
    for name in ("a", "b"):
        write_labels(tmp_path / name, layout=layout, seed=seed, scale="tiny", placeholders=False)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert not list((tmp_path / "a").rglob("*.mkv"))
    graphs = documents(tmp_path / "a", "*_sg.json").values()
    assert sum(len(f["objects"]) for g in graphs for f in g["frames"]) == 30_000
    own = documents(tmp_path / "a", "*_aa.json").values()
    assert sum(map(len, own)) == 1_475
