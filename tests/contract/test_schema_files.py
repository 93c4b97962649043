"""``schemas/`` and docs/catalog.md are what the code says, and documents that are read fit them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from homage_sdk.catalog.schema import TABLES
from homage_sdk.release.labels.documents import ActionDocument, SceneGraphDocument
from tests.unit.release.tiny import action, document, graph
from tools.schema_files import MODELS, schema_files

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", schema_files())
def test_generated_files_do_not_drift_from_the_code(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == schema_files()[name], (
        "run `python tools/schema_files.py`"
    )


def test_no_stale_file_is_left_in_schemas() -> None:
    found = {str(p.relative_to(ROOT)) for p in (ROOT / "schemas").rglob("*.json")}
    assert found == {name for name in schema_files() if name.startswith("schemas/")}


@pytest.mark.parametrize("table", TABLES)
def test_every_table_and_column_is_explained_on_the_page(table: str) -> None:
    page = (ROOT / "docs/catalog.md").read_text("utf-8")
    section = page.split(f"\n## {table}\n")[1].split("\n## ")[0]
    for column in TABLES[table]:
        assert f"| `{column.name}` | " in section
        assert column.metadata[b"doc"].decode() in section


@pytest.mark.parametrize("table", TABLES)
def test_the_arrow_schema_in_schemas_is_what_ingest_writes(table: str, small_catalog: Path) -> None:
    stated = json.loads((ROOT / f"schemas/tables/{table}.json").read_text("utf-8"))
    written = pq.read_schema(small_catalog / f"{table}.parquet")
    assert [(c["name"], c["type"], c["nullable"]) for c in stated["columns"]] == [
        (column.name, str(column.type), column.nullable) for column in written
    ]


def test_json_schemas_are_schemas() -> None:
    for name in MODELS:
        schema = json.loads((ROOT / f"schemas/models/{name}.schema.json").read_text("utf-8"))
        assert schema["$schema"].endswith("2020-12/schema")
        assert schema["type"] in ("object", "array")


def test_the_canonical_models_take_what_the_reader_takes_and_refuse_what_it_reports() -> None:
    good = document("p0001_r001_v001_a001", graph(1), graph(31))
    assert SceneGraphDocument.model_validate_json(json.dumps(good)).frames[1].frame == 31
    assert ActionDocument.model_validate_json(json.dumps([action()])).root[0].name == "take cup"
    for bad in (
        graph("1"),
        graph(0),
        graph(1, objects=[{"id": 0, "category": "cup", "bbox": [1, 2, 3]}]),
    ):
        with pytest.raises(ValidationError):
            SceneGraphDocument.model_validate_json(json.dumps(document("v", bad)))
