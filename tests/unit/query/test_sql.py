"""SQL reads the selection's tables and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homage_sdk import Action, Dataset
from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import QueryError, UnknownIdError
from homage_sdk.query.sql import SQL_TABLES


def count(ds: Dataset, table: str) -> int:
    return int(ds.sql(f"SELECT count(*) AS n FROM {table}")["n"][0].as_py())


NAMES = {
    "sequences": ["activity"],
    "atomic_actions": ["name", "slug"],
    "objects": ["name"],
    "relationships": ["name"],
}
"""What is joined to a table: names beside ids."""


def test_every_catalog_table_is_there_with_its_columns_and_names(ds: Dataset) -> None:
    for name, schema in TABLES.items():
        found = ds.sql(f"SELECT * FROM {name}")
        assert found.column_names == [*schema.names, *NAMES.get(name, [])]
    for table, kind in (("objects", "object"), ("relationships", "relationship")):
        names = {class_id: each.name for class_id, each in ds.classes[kind].items()}
        rows = ds.sql(f"SELECT class_id, name FROM {table}").to_pylist()
        assert rows and all(row["name"] == names[row["class_id"]] for row in rows)


def test_the_tables_are_restricted_to_the_selection(ds: Dataset) -> None:
    tea = ds.activity("make tea").split("train")
    assert set(tea.sql("FROM atomic_actions")["sequence"].to_pylist()) == set(tea.ids)
    for name in TABLES:
        assert count(tea, name) == tea.table(name).num_rows
    assert count(tea, "triples") == 10
    assert count(ds.participant(3), "triples") == 0


def test_values_are_bound_by_name_or_by_place(ds: Dataset) -> None:
    named = ds.sql("SELECT sequence FROM sequences WHERE split = $s", {"s": "val"})
    placed = ds.sql("SELECT sequence FROM sequences WHERE split = ?", ["val"])
    assert named["sequence"].to_pylist() == placed["sequence"].to_pylist() == ["p0002_r002_a001"]
    hostile = ds.sql("SELECT * FROM sequences WHERE split = ?", ["' OR 1=1 --"])
    assert hostile.num_rows == 0


def test_actions_and_triples_carry_their_names(ds: Dataset) -> None:
    rows = ds.sql("SELECT subject, predicate, object FROM triples WHERE frame = 150").to_pylist()
    assert {tuple(r.values()) for r in rows} == {
        ("person", "drinking from", "cup"),
        ("kettle", "next to", "cup"),
    }
    assert ds.sql("SELECT name FROM atomic_actions ORDER BY action_id LIMIT 1")["name"][
        0
    ].as_py() == ("take cup from swh")


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sequences",
        "INSERT INTO classes VALUES ('x', 1, 'a', 'a')",
        "UPDATE sequences SET split = 'train'",
        "DROP TABLE sequences",
        "CREATE TABLE mine AS SELECT 1",
        "CREATE VIEW mine AS SELECT 1",
        "WITH gone AS (DELETE FROM sequences RETURNING *) SELECT * FROM gone",
        "WITH more AS (INSERT INTO classes SELECT * FROM classes RETURNING *) SELECT * FROM more",
        "SELECT 1; DELETE FROM sequences",
        "SELECT 1; SELECT 2",
        "",
        "COPY sequences TO '{out}'",
        "COPY (SELECT 1) TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
        "EXPLAIN ANALYZE DELETE FROM sequences",
        "ATTACH '{out}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "BEGIN TRANSACTION",
        "COMMIT",
        "CALL pragma_version()",
        "CHECKPOINT",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_parquet('{catalog}/sequences.parquet')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT * FROM local_variable",
        "SELECT getenv('HOME')",
        "SELECT nonsense FROM sequences",
        "SELEC 1",
    ],
)
def test_a_statement_that_does_more_than_read_the_tables_is_refused(
    statement: str, example: Path, tmp_path: Path
) -> None:
    ds = Dataset(example)
    local_variable = ds.table("sequences")
    before = {name: count(ds, name) for name in ("sequences", "classes")}
    with pytest.raises(QueryError) as caught:
        ds.sql(statement.format(out=tmp_path / "out", catalog=example))
    assert "\n" not in str(caught.value)
    assert before == {name: count(ds, name) for name in ("sequences", "classes")}
    assert list(tmp_path.iterdir()) == []
    assert local_variable.num_rows == 6


def test_an_unknown_table_or_column_is_named_with_what_there_is(ds: Dataset) -> None:
    with pytest.raises(QueryError, match=r"sequenze.*(Did you mean|tables: )"):
        ds.sql("SELECT * FROM sequenze")
    with pytest.raises(QueryError, match="splitt"):
        ds.sql("SELECT splitt FROM sequences")


def test_a_missing_or_surplus_parameter_is_a_query_error(ds: Dataset) -> None:
    for parameters in (None, {}, {"t": 1}, [1, 2]):
        with pytest.raises(QueryError):
            ds.sql("SELECT * FROM sequences WHERE split = $s", parameters)


def test_where_takes_a_condition_on_sequences(ds: Dataset) -> None:
    assert ds.where("n_views >= 3 AND has_ego").ids == ("p0001_r001_a001", "p0003_r001_a009")
    assert ds.where("split = ?", ["val"]).ids == ("p0002_r002_a001",)
    assert ds.split("train").where("true -- all").ids == ds.split("train").ids
    with pytest.raises(QueryError):
        ds.where("no_such_column")
    with pytest.raises((QueryError, UnknownIdError)):
        ds.where("false) UNION SELECT ('p9999_r001_a001'")


def test_a_table_that_is_only_spelled_out_inside_a_string_is_not_silently_empty(
    ds: Dataset,
) -> None:
    assert ds.sql("FROM query_table('sequences')").num_rows == 6
    assert "sequences" in ds.sql("SHOW TABLES")["name"].to_pylist()


def test_the_tables_that_are_listed_are_those_of_the_documents_each_once(ds: Dataset) -> None:
    documented = sorted(name for name in SQL_TABLES if name != "pts")
    listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
    for _ in range(2):  # the second time all are filled
        assert sorted(ds.sql("SHOW TABLES")["name"].to_pylist()) == documented
        assert sorted(ds.sql(listed)["table_name"].to_pylist()) == documented
        assert len(ds.find(Action("*"))) == 10  # a pattern reads what is stored


@pytest.mark.parametrize("how", ["stored.atomic_actions", '"stored" . "atomic_actions"'])
def test_a_table_is_there_without_names_too(ds: Dataset, how: str) -> None:
    stored = ds.sql(f"SELECT * FROM {how}")
    assert (stored.num_rows, "name" in stored.column_names) == (10, False)
    assert ds.sql(f"SELECT name FROM {how} JOIN atomic_actions USING (action_id)").num_rows >= 10


def test_sql_works_in_a_forked_process(ds: Dataset) -> None:
    assert count(ds, "sequences") == 6
    pid = os.fork()
    if pid == 0:
        ok = count(ds, "atomic_actions") == 10
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_sql_works_from_several_threads(ds: Dataset) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: count(ds, "triples"), range(40))) == {10}
