"""Reports that other programs read: JSON, CSV and JUnit hold what was found, whatever it was."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from homage_sdk.problems import FIELDS, Place, Problem, Severity
from homage_sdk.validation import CODES
from homage_sdk.validation.reports.baseline import (
    fingerprint,
    read_baseline,
    subtract,
    write_baseline,
)
from homage_sdk.validation.reports.formats import to_csv, to_json, to_junit
from homage_sdk.validation.reports.table import problem_table, render

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_PROBLEMS = st.lists(
    st.builds(
        Problem,
        code=st.sampled_from([*CODES, "HOM799"]),
        severity=st.sampled_from(Severity),
        message=_TEXT,
        place=st.builds(Place, _TEXT, _TEXT, st.one_of(st.none(), st.integers(1, 99)), _TEXT),
        found=_TEXT,
        expected=_TEXT,
        hint=_TEXT,
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(_PROBLEMS)
def test_json_gives_back_every_problem(problems: list[Problem]) -> None:
    document = json.loads(to_json(problems, path="x"))
    assert sum(document["counts"].values()) == len(problems)
    assert [Problem.from_row(row) for row in document["problems"]] == problems


@settings(max_examples=60, deadline=None)
@given(_PROBLEMS)
def test_csv_has_one_row_a_problem_for_any_text(problems: list[Problem]) -> None:
    text = to_csv(problems)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["code"] for row in rows] == [problem.code for problem in problems]
    assert "\0" not in text
    for row, problem in zip(rows, problems, strict=True):
        assert tuple(row) == FIELDS
        assert row["row"] == ("" if problem.place.row is None else str(problem.place.row))
        if problem.found.isprintable():
            assert row["found"] == problem.found


def test_csv_opens_in_pandas() -> None:
    place = Place("a,b.csv", row=3)
    problems = [Problem("HOM203", Severity.WARNING, 'said "twice"', place, found="x\ny")]
    table = pd.read_csv(io.StringIO(to_csv(problems)))
    assert table.loc[0, ["file", "row", "found", "message"]].tolist() == [
        "a,b.csv",
        3,
        "x\ny",
        'said "twice"',
    ]


@settings(max_examples=60, deadline=None)
@given(_PROBLEMS)
def test_junit_is_well_formed_and_fails_the_rules_that_found_something(
    problems: list[Problem],
) -> None:
    suite = ElementTree.fromstring(to_junit(problems, CODES, path="x").encode()).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    failed = {case.get("name", "").split()[0] for case in cases if case.find("failure") is not None}
    assert failed == {p.code for p in problems if p.severity is not Severity.INFO}
    assert int(suite.get("tests", "")) == len(cases) == len({*CODES, *(p.code for p in problems)})
    assert int(suite.get("failures", "")) == len(failed)


@settings(max_examples=40, deadline=None)
@given(_PROBLEMS)
def test_the_table_shows_any_text_and_every_code(problems: list[Problem]) -> None:
    shown = render(problem_table(problems, path="[bold]x"))
    for problem in problems:
        assert problem.code in shown
    assert "[bold]x" in shown


@settings(max_examples=60, deadline=None)
@given(_PROBLEMS, st.data())
def test_a_baseline_hides_what_it_knows_as_often_as_it_knows_it(
    problems: list[Problem], data: st.DataObject
) -> None:
    known = data.draw(st.lists(st.sampled_from(problems), unique_by=id)) if problems else []
    from collections import Counter

    marks = Counter(map(fingerprint, known))
    left = subtract(problems, marks)
    assert Counter(map(fingerprint, left)) == Counter(map(fingerprint, problems)) - marks


def test_a_baseline_survives_entries_that_move(tmp_path: Path) -> None:
    def at(pointer: str) -> Problem:
        return Problem("HOM302", Severity.ERROR, "", Place("a.json", pointer), "9 to 3", "in order")

    write_baseline(tmp_path / "known.json", [at("/3")])
    known = read_baseline(tmp_path / "known.json")
    assert subtract([at("/4")], known) == []
    assert len(subtract([at("/4"), at("/9")], known)) == 1
