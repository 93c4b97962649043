"""CSV exports read the same in the csv module and in pandas."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from homage_sdk import Dataset
from homage_sdk.export import csv_tables, export
from homage_sdk.testing import GraphSpec, TakeSpec, make_catalog
from tests.factories import example_takes


@pytest.fixture
def ds(tmp_path: Path) -> Dataset:
    return Dataset(make_catalog(tmp_path / "catalog", example_takes()))


def test_actions_are_those_of_the_sequences_with_their_seconds(ds: Dataset) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_tables(ds)["atomic_actions"])))
    expected = [
        (str(s.id), a.name, a.first_frame, a.last_frame, a.interval.begin_s(), a.interval.end_s())
        for s in ds
        for a in s.atomic_actions
    ]
    frames = ("first_frame", "last_frame")
    assert [
        (
            r["sequence"],
            r["name"],
            *(int(r[k]) for k in frames),
            float(r["begin_s"]),
            float(r["end_s"]),
        )
        for r in rows
    ] == expected


def test_boxes_and_relationships_are_those_of_the_scene_graphs(ds: Dataset) -> None:
    tables = csv_tables(ds)
    boxes = pd.read_csv(io.StringIO(tables["objects"]))
    found = set(boxes[["sequence", "frame", "name", "x1", "y1", "x2", "y2"]].itertuples(False))
    assert {tuple(row) for row in found} == {
        (str(s.id), g.frame, o.name, *o.box.xyxy)
        for s in ds
        for g in s.scene_graphs
        for o in g.objects
    }
    triples = pd.read_csv(io.StringIO(tables["relationships"]))
    assert sorted(map(tuple, triples[["subject", "predicate", "object"]].values)) == sorted(
        t for s in ds for g in s.scene_graphs for t in g.triples
    )


def test_names_with_commas_quotes_and_lines_survive(tmp_path: Path) -> None:
    names = ['take "the" cup', "pour, slowly", "line\nbreak", "=1+1", "ünïcode/slash"]
    graph = GraphSpec(1, 1, {0: (names[0], (0.0, 0.0, 1.0, 1.0))}, [(0, names[1], 0)])
    take = TakeSpec(
        "p0001_r001_a001", actions=[(n, 1, 2) for n in names], graphs=[graph], activity=names[2]
    )
    tables = csv_tables(Dataset(make_catalog(tmp_path / "catalog", [take])))
    rows = list(csv.DictReader(io.StringIO(tables["atomic_actions"], newline="")))
    assert sorted(r["name"] for r in rows) == sorted(names)
    assert list(pd.read_csv(io.StringIO(tables["relationships"]))["predicate"]) == [names[1]]
    assert list(pd.read_csv(io.StringIO(tables["sequences"]))["activity"]) == [names[2]]
    counts = export(Dataset(tmp_path / "catalog"), "csv", tmp_path / "out")
    assert counts["atomic_actions"] == len(names), "rows, not lines"


def test_files_hold_the_tables(ds: Dataset, tmp_path: Path) -> None:
    counts = export(ds.split("train"), "csv", tmp_path / "out")
    assert counts["sequences"] == 3 and counts["atomic_actions"] == 8
    for name, text in csv_tables(ds.split("train")).items():
        assert (tmp_path / "out" / f"{name}.csv").read_text() == text
    empty = Dataset(make_catalog(tmp_path / "none", []))
    assert export(empty, "csv", tmp_path / "empty")["sequences"] == 0
