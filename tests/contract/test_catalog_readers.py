"""A catalog opens in readers that know nothing of this SDK, and they see the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as pads
import pytest

from homage_sdk.catalog import Catalog
from homage_sdk.catalog.schema import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_pandas_duckdb_and_pyarrow_dataset_open_each_table(small_catalog: Path, name: str) -> None:
    file = small_catalog / f"{name}.parquet"
    table = Catalog(small_catalog).table(name)
    frame = pd.read_parquet(file)
    assert list(frame.columns) == table.column_names
    assert len(frame) == table.num_rows
    assert pads.dataset(file).to_table().equals(table)
    relation = duckdb.read_parquet(str(file))
    assert relation.columns == table.column_names
    assert relation.fetchall() == [tuple(row.values()) for row in table.to_pylist()]


def test_duckdb_joins_labels_across_tables(small_catalog: Path) -> None:
    sql = f"""
        SELECT c.name, count(*) FROM '{small_catalog}/atomic_actions.parquet' a
        JOIN '{small_catalog}/classes.parquet' c ON c.kind = 'atomic' AND c.id = a.class_id
        GROUP BY c.name
    """
    counts = dict(duckdb.sql(sql).fetchall())
    catalog = Catalog(small_catalog)
    names = {
        c["id"]: c["name"] for c in catalog.table("classes").to_pylist() if c["kind"] == "atomic"
    }
    expected: dict[str, int] = {}
    for row in catalog.table("atomic_actions").to_pylist():
        expected[names[row["class_id"]]] = expected.get(names[row["class_id"]], 0) + 1
    assert counts == expected


def test_duckdb_unnests_the_actions_of_a_frame(small_catalog: Path) -> None:
    sql = f"""
        SELECT count(*) FROM (
            SELECT *, unnest(action_ids) AS action_id FROM '{small_catalog}/frames.parquet') f
        JOIN '{small_catalog}/atomic_actions.parquet' a USING (action_id)
        WHERE a.sequence <> f.sequence OR f.frame NOT BETWEEN a.first_frame AND a.last_frame
    """
    assert duckdb.sql(sql).fetchall() == [(0,)]


def test_catalog_json_is_plain_json_that_lists_every_file(small_catalog: Path) -> None:
    info = json.loads((small_catalog / "catalog.json").read_text("utf-8"))
    assert {f"{name}.parquet" for name in info["files"]} == {
        p.name for p in small_catalog.glob("*.parquet")
    }
    for name, file in info["files"].items():
        assert file["rows"] == len(pd.read_parquet(small_catalog / f"{name}.parquet"))
