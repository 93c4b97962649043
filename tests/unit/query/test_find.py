"""Patterns mean what loops over the labels say they mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homage_sdk import Action, Dataset, Seconds, Triple
from homage_sdk.errors import UnknownIdError, UsageError
from homage_sdk.query.compile import RELATION_SQL
from homage_sdk.query.patterns import Pattern
from homage_sdk.query.relations import RELATIONS
from homage_sdk.testing import TakeSpec, make_catalog
from homage_sdk.time import Interval
from tests.pattern_oracle import Oracle, as_set

HELD = Triple("person", "holding", "cup")

PATTERNS = {
    "an action": Action("pour*"),
    "two in a row": Action("pour*").before("drink*"),
    "two within a gap": Action("pour*").before("drink*", within=Seconds(0.2)),
    "after, in frames": Action("take*").after("hold cup", within=3),
    "overlapping": Action("hold cup").overlapping("pour*"),
    "inside": Action("pour*").inside("hold_cup"),
    "containing": Action("*").containing("open fridge/door"),
    "exact meets": Action("*").related("meets", "*"),
    "never before": Action("pour*").unrelated(("before", "meets"), "drink*", within=10),
    "never during one that shows": Action("pour*").unrelated(
        "during", Action("hold*").showing("person", "*", "*")
    ),
    "shows": Action("pour*").showing("person", "holding", "cup"),
    "shows two things": Action("*").showing("*", "holding").showing("*", "above", "table"),
    "shows none": Action("hold*").not_showing("person"),
    "lasting": Action("*").lasting(at_least=5, at_most=Seconds(0.4)),
    "three of them": Action("take*").before(Action("pour*").before("drink*"), within=20),
    "two conditions": Action("pour*").after("take*").before("drink*"),
    "all of it": Action("pour*").showing("*", "holding", "*").before("drink*", within=Seconds(2)),
    "nested and shown": Action("take*").before(Action("pour*").showing("*", "next to", "*")),
    "a triple": HELD,
    "any subject": Triple("*", "next to", "cup"),
    "everything": Triple(),
    "during": Triple("person", "holding").during("pour*"),
    "during, before": Triple("*", "*", "cup").during(Action("pour*").before("drink*", within=9)),
    "during two": Triple("person").during("pour*").during("hold*"),
    "during one that shows": Triple("person").during(Action("*").showing("cup", "above", "*")),
    "chain": Triple("person", "*", "cup").object_also("next to", "*"),
    "star": Triple("person", "holding", "*").subject_also("next to", "table"),
    "chain and star": Triple("*", "*", "cup").object_also("*").subject_also("holding").during("*"),
}


@pytest.fixture(scope="module")
def oracle(crowded: Path) -> Oracle:
    return Oracle(crowded)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_finds_what_brute_force_finds(name: str, crowded: Path, oracle: Oracle) -> None:
    expected = oracle.find(PATTERNS[name])
    assert expected, "a pattern that never occurs proves nothing"
    assert as_set(Dataset(crowded).find(PATTERNS[name])) == expected  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["two within a gap", "shows", "during", "never before", "star"])
def test_a_pattern_is_restricted_to_the_selection(name: str, crowded: Path, oracle: Oracle) -> None:
    some = Dataset(crowded).split("train", "val")
    expected = {row for row in oracle.find(PATTERNS[name]) if row[0] in some.ids}
    assert expected
    assert as_set(some.find(PATTERNS[name])) == expected  # type: ignore[call-overload]


def action_patterns(depth: int = 2) -> st.SearchStrategy[Action]:
    names = st.sampled_from(["pour*", "drink*", "hold cup", "*", "ta?e*", "open*"])
    base = st.builds(Action, names)
    if depth == 0:
        return base
    inner = action_patterns(depth - 1)
    relations = st.lists(st.sampled_from(RELATIONS), min_size=1, max_size=4).map(tuple)
    gaps = st.none() | st.integers(0, 30)
    things = st.sampled_from(["person", "cup", "*"])
    lengths = st.none() | st.integers(1, 20)

    def extend(action: Action) -> st.SearchStrategy[Action]:
        return st.one_of(
            st.builds(action.related, relations, inner, gaps),
            st.builds(action.unrelated, relations, inner, gaps),
            st.builds(action.showing, things, st.sampled_from(["holding", "*"]), things),
            st.builds(action.not_showing, things, st.sampled_from(["holding", "*"]), things),
            st.builds(action.lasting, lengths, lengths),
        )

    return base.flatmap(extend).flatmap(lambda a: st.one_of(st.just(a), extend(a)))


TRIPLES = [HELD, Triple("person"), HELD.object_also("*"), Triple().subject_also("above")]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Oracle]:
    from tests.factories import random_takes

    folder = tmp_path_factory.mktemp("few") / "catalog"
    make_catalog(folder, random_takes(5, n=10, actions=7))
    return Dataset(folder), Oracle(folder)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(pattern=action_patterns())
def test_any_pattern_of_actions_finds_what_brute_force_finds(
    pattern: Action, few: tuple[Dataset, Oracle]
) -> None:
    ds, oracle = few
    assert as_set(ds.find(pattern)) == oracle.find(pattern), ds.find(pattern).explain()


@settings(max_examples=60, deadline=None)
@given(
    pattern=st.builds(
        lambda triple, actions: _during(triple, actions),
        st.sampled_from(
            [HELD, Triple("person"), HELD.object_also("*"), Triple().subject_also("above")]
        ),
        st.lists(action_patterns(1), max_size=2),
    )
)
def test_any_pattern_of_triples_finds_what_brute_force_finds(
    pattern: Triple, few: tuple[Dataset, Oracle]
) -> None:
    ds, oracle = few
    assert as_set(ds.find(pattern)) == oracle.find(pattern), ds.find(pattern).explain()


def _during(triple: Triple, actions: list[Action]) -> Triple:
    for action in actions:
        triple = triple.during(action)
    return triple


def test_each_relation_in_sql_is_the_relation_of_intervals(tmp_path: Path) -> None:
    intervals = [Interval(a, b) for a in range(1, 6) for b in range(a, 6)]
    take = TakeSpec("p0001_r001_a001", actions=[("x", i.first, i.last) for i in intervals])
    ds = Dataset(make_catalog(tmp_path / "catalog", [take]))
    assert set(RELATION_SQL) == set(RELATIONS)
    for relation in RELATIONS:
        found = {
            (m.action.interval, m.others[0].interval)
            for m in ds.find(Action("x").related(relation, "x"))
        }
        expected = {
            (a, b) for a in intervals for b in intervals if a != b and a.relation(b) == relation
        }
        assert found == expected, relation


def test_frame_numbers_at_the_end_of_the_range_do_not_overflow(tmp_path: Path) -> None:
    top = 2**31 - 1
    take = TakeSpec("p0001_r001_a001", actions=[("x", 1, 1), ("y", top, top)], seconds=1.0)
    ds = Dataset(make_catalog(tmp_path / "catalog", [take]))
    for relation in RELATIONS:
        found = ds.find(Action("x").related(relation, "y", within=top))
        assert len(found) == (relation == "before")
        assert len(ds.find(Action("y").related(relation, "x", 5))) == 0


def test_matches_come_in_order_of_sequence_and_time(crowded: Path) -> None:
    found = Dataset(crowded).find(Action("*"))
    keys = [(m.sequence, m.action.first_frame, m.action.last_frame) for m in found]
    assert keys == sorted(keys)


def test_a_name_without_a_class_is_refused_with_the_nearest(ds: Dataset) -> None:
    with pytest.raises(UnknownIdError, match=r"unknown atomic class 'poor tea'.*pour tea"):
        ds.find(Action("poor tea"))
    with pytest.raises(UnknownIdError, match=r"unknown relationship class 'holdin'.*holding"):
        ds.find(Action("*").showing("person", "holdin", "*"))


def test_explain_shows_the_sql_and_what_each_parameter_means(ds: Dataset) -> None:
    found = ds.find(Action("pour*").before("drink*", within=Seconds(2)))
    text = found.explain()
    assert "SELECT" in text and found.sql in text
    assert "-- pour* [before/meets drink*, at most 60 frames between]" in text
    assert "= 60  (frames between the two, at most)" in text
    assert "(atomic drink*: drink from cup)" in text
    assert "pour" not in found.sql, "names travel as parameters"
    assert "Plan" in found.explain(plan=True) or "─" in found.explain(plan=True)


def test_a_hostile_name_is_only_a_name(ds: Dataset) -> None:
    with pytest.raises(UnknownIdError, match="unknown atomic class"):
        ds.find(Action("'; DROP TABLE atomic_actions; --"))
    assert ds.table("atomic_actions").num_rows == 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Action("x").related("befor", "y"), "unknown relation 'befor'"),
        (lambda: Action("x").before("y", within=-1), "cannot be negative"),
        (lambda: Action("x").showing(Triple("a").during("y")), "cannot name another action"),
    ],
)
def test_an_impossible_pattern_is_refused_when_written(make: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()  # type: ignore[operator]


def test_the_example_of_the_issue(ds: Dataset) -> None:
    """A person holding a cup during ``pour*``, before ``drink*`` within 2 s."""
    pattern: Pattern = HELD.during(Action("pour*").before("drink*", within=Seconds(2)))
    found = ds.find(pattern)
    assert [(str(m.sequence), m.frame.number) for m in found] == [
        ("p0001_r001_a001", 31),
        ("p0001_r001_a001", 60),
        ("p0001_r001_a001", 90),
        ("p0001_r001_a002", 60),
    ]
    assert found[0].subject == "person" and found[0].atomic_actions[0].name == "pour tea"
    assert found.sequences == ("p0001_r001_a001", "p0001_r001_a002")
    assert ds.select(found.sequences).ids == found.sequences


def test_matches_are_lazy_rows_that_also_come_as_tables(
    ds: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr("duckdb.connect", None)  # nothing runs before it is looked at
        found = ds.find(Action("pour*").before("drink*").showing(HELD))
    assert len(found) == 2 and found[0] == next(iter(found)) and found[-1:] == [found[1]]
    assert "pour*" in repr(found)
    frame = found.to_pandas()
    assert list(frame["sequence"]) == ["p0001_r001_a001", "p0001_r001_a002"]
    named = found.to_named().to_pylist()
    assert named[1] == {
        "sequence": "p0001_r001_a002",
        "action": "pour tea",
        "first": 1,
        "last": 60,
        "action_2": "drink from cup",
        "first_2": 61,
        "last_2": 120,
        "frames": [60],
    }
    triples = ds.find(HELD.during("hold*")).to_named().to_pylist()
    assert [row["frame"] for row in triples] == [31, 60, 90]
    assert triples[0]["object"] == "cup" and triples[0]["action"] == "hold_cup"
