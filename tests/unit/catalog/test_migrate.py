"""Migration: a catalog of an older schema becomes one of this schema, or stays as it was."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homage_sdk import Dataset
from homage_sdk.catalog import Catalog
from homage_sdk.catalog.migrate import Old, migrate
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.catalog.tables import verify_catalog
from homage_sdk.errors import CatalogError
from homage_sdk.ingest import ingest
from homage_sdk.storage import sha256_file
from tests.unit.release.tiny import whole

OLD = SCHEMA_VERSION - 1


def age(catalog: Path) -> None:
    """Turn a catalog into what a former SDK would have written: a column and a table less."""
    file = catalog / "sequences.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["n_views"]), file)
    (catalog / "pts.parquet").unlink()
    document = json.loads((catalog / "catalog.json").read_text())
    document["schema_version"] = OLD
    del document["seal"], document["files"]["pts"]
    document["files"]["sequences"] = {"sha256": sha256_file(file)}
    (catalog / "catalog.json").write_text(json.dumps(document))


def step(old: Old) -> Old:
    """The step that such a change of schema would come with."""
    counts = old.tables["views"].group_by("sequence").aggregate([("view", "count")]).to_pydict()
    views = dict(zip(counts["sequence"], counts["view_count"], strict=True))
    sequences = old.tables["sequences"]
    n_views = [views.get(name, 0) for name in sequences["sequence"].to_pylist()]
    sequences = sequences.append_column("n_views", pa.array(n_views, pa.int16()))
    pts = pa.table({"sequence": pa.array([], pa.string()), "view": pa.array([], pa.int16()),
                    "position": pa.array([], pa.int32()), "pts": pa.array([], pa.int64()),
                    "keyframe": pa.array([], pa.bool_())})  # fmt: skip
    return replace(old, tables={**old.tables, "sequences": sequences, "pts": pts})


@pytest.fixture
def aged(tmp_path: Path) -> Path:
    whole(tmp_path / "r")
    ingest(tmp_path / "r", tmp_path / "c")
    age(tmp_path / "c")
    return tmp_path / "c"


def test_an_older_catalog_is_brought_to_this_schema_without_the_release(aged: Path) -> None:
    with pytest.raises(CatalogError, match="homage migrate"):
        Catalog(aged)
    (aged.parent / "r").rename(aged.parent / "gone")
    assert migrate(aged, steps={OLD: step}) == (OLD, SCHEMA_VERSION)
    assert verify_catalog(aged) == []
    catalog = Catalog(aged)
    (aged.parent / "gone").rename(aged.parent / "r")
    ingest(aged.parent / "r", aged.parent / "fresh")
    fresh = Catalog(aged.parent / "fresh")
    for name in TABLES:
        assert catalog.table(name).equals(fresh.table(name)), name
    assert catalog.info.source == fresh.info.source


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A catalog that homage_sdk 1 wrote (schema version 1), of a synthetic sequence."""
    return shutil.copytree(Path(__file__).parent / "version_1", tmp_path / "catalog")


def test_a_catalog_of_version_1_keeps_every_row_under_new_names(version_1: Path) -> None:
    before = {name: pq.read_table(version_1 / f"{name}.parquet") for name in TABLES}
    with pytest.raises(CatalogError, match="homage migrate"):
        Catalog(version_1)
    assert migrate(version_1) == (1, SCHEMA_VERSION)
    assert verify_catalog(version_1) == []
    after = Catalog(version_1)
    renamed = {"classes": {"raw": "name"}, "pts": {"frame": "position"}}
    for name, table in before.items():
        columns = [renamed.get(name, {}).get(column, column) for column in table.column_names]
        assert after.table(name).to_pydict() == table.rename_columns(columns).to_pydict(), name
        assert table.num_rows or name == "problems", name
    assert Dataset(version_1)[0].activity is not None


def test_an_ingest_over_a_catalog_of_version_1_keeps_its_class_ids(
    version_1: Path, tmp_path: Path
) -> None:
    whole(tmp_path / "release")
    (version_1 / "pts.parquet").unlink()  # another table that is lost changes no class
    before = pq.read_table(version_1 / "classes.parquet").to_pylist()
    ingest(tmp_path / "release", version_1, force=True)
    after = {
        (c.kind, c.id): c.name for t in Dataset(version_1).classes.values() for c in t.values()
    }
    assert {(row["kind"], row["id"]): row["raw"] for row in before}.items() <= after.items()


def test_a_catalog_of_this_schema_is_left_as_it_is(tmp_path: Path) -> None:
    whole(tmp_path / "r")
    ingest(tmp_path / "r", tmp_path / "c")
    before = (tmp_path / "c/catalog.json").stat().st_mtime_ns
    assert migrate(tmp_path / "c") == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert (tmp_path / "c/catalog.json").stat().st_mtime_ns == before


def test_a_catalog_that_no_steps_lead_from_is_refused_and_kept(aged: Path) -> None:
    before = sha256_file(aged / "catalog.json")
    with pytest.raises(CatalogError, match=f"schema version {OLD}"):
        migrate(aged, steps={})
    assert sha256_file(aged / "catalog.json") == before


def test_steps_that_lead_elsewhere_are_refused(aged: Path) -> None:
    with pytest.raises(CatalogError, match="did not lead to this schema"):
        migrate(aged, steps={OLD: lambda old: old})
    assert (aged / "sequences.parquet").exists()


def test_a_damaged_old_catalog_is_not_migrated(aged: Path) -> None:
    with (aged / "views.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CatalogError, match=r"views\.parquet"):
        migrate(aged, steps={OLD: step})


def test_a_newer_catalog_is_refused(aged: Path) -> None:
    document = json.loads((aged / "catalog.json").read_text())
    document["schema_version"] = SCHEMA_VERSION + 1
    (aged / "catalog.json").write_text(json.dumps(document))
    with pytest.raises(CatalogError, match="newer homage_sdk"):
        migrate(aged)


def test_a_catalog_that_comes_while_another_is_migrated_stands(aged: Path) -> None:
    def step_late(old: Old) -> Old:
        ingest(aged.parent / "r", aged, force=True)
        return step(old)

    with pytest.raises(CatalogError, match="meanwhile"):
        migrate(aged, steps={OLD: step_late})
    ingest(aged.parent / "r", aged.parent / "fresh")
    assert Catalog(aged).info == Catalog(aged.parent / "fresh").info
    assert verify_catalog(aged) == []
