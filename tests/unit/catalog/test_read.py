"""Opening a catalog is cheap, and a catalog that is not whole is refused with its reason."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from homage_sdk.catalog import Catalog
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.catalog.tables import verify_catalog
from homage_sdk.errors import CatalogError, UnknownIdError
from homage_sdk.testing.catalogs import seal


@pytest.fixture
def catalog(tmp_path: Path, small_catalog: Path) -> Path:
    shutil.copytree(small_catalog, tmp_path / "c")
    return tmp_path / "c"


def edit(key: str, value: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = path / "catalog.json"
        document = json.loads(file.read_text())
        document[key] = value
        file.write_text(json.dumps(document))

    return change


def cut(path: Path) -> None:
    file = path / "objects.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def longer(path: Path) -> None:
    with (path / "objects.parquet").open("ab") as file:
        file.write(b"x")


def rewritten(path: Path) -> None:
    """A value changed through pandas, the file padded to its old size: only the footer tells."""
    file = path / "atomic_actions.parquet"
    size = file.stat().st_size
    frame = pq.read_table(file).to_pandas()
    frame.loc[0, "last_frame"] += 1
    frame.to_parquet(file, compression="zstd")
    data = file.read_bytes()
    file.write_bytes(data[:size].ljust(size, b"\0"))


REFUSALS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing table": (lambda p: (p / "frames.parquet").unlink(), r"frames\.parquet.*half-copied"),
    "no catalog.json": (lambda p: (p / "catalog.json").unlink(), "half-copied"),
    "cut table": (cut, r"objects\.parquet.*cut or was changed.*bytes; expected \d+ bytes"),
    "longer table": (longer, "cut or was changed"),
    "rewritten table": (rewritten, r"atomic_actions\.parquet.*was changed"),
    "newer": (edit("schema_version", SCHEMA_VERSION + 1), "newer homage_sdk.*update homage_sdk"),
    "older": (edit("schema_version", SCHEMA_VERSION - 1), "older homage_sdk.*homage migrate"),
    "edited counts": (edit("counts", {"sequences": 5}), "changed by hand"),
    "edited root": (
        edit("source", {"root": "/x", "layout": "y", "fingerprint": "z"}),
        "changed by hand",
    ),
    "unknown key": (edit("extra", 1), r"catalog\.json is wrong.*extra"),
    "wrong type": (edit("files", []), r"catalog\.json is wrong"),
    "other json": (lambda p: (p / "catalog.json").write_text("{}"), "not a HOMAGE catalog's"),
    "no json": (lambda p: (p / "catalog.json").write_text("{"), "no JSON"),
    "nothing": (shutil.rmtree, "no such folder.*homage ingest"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_whole_is_refused_with_its_reason(catalog: Path, name: str) -> None:
    damage, says = REFUSALS[name]
    damage(catalog)
    with pytest.raises(CatalogError, match=says) as caught:
        Catalog(catalog)
    assert "\n" not in str(caught.value)


def flip(file: Path, byte: int) -> None:
    data = bytearray(file.read_bytes())
    data[byte] ^= 1
    file.write_bytes(data)


def test_flipped_bits_are_all_found_by_verify(catalog: Path) -> None:
    for name in ("objects", "views"):
        flip(catalog / f"{name}.parquet", 40)
    Catalog(catalog)
    (catalog / "sensors.parquet").unlink()
    found = [Path(problem.place.file).stem for problem in verify_catalog(catalog)]
    assert found == ["views", "objects", "sensors"]


def test_tables_are_read_when_asked_for(catalog: Path) -> None:
    opened = Catalog(catalog)
    shutil.move(catalog / "objects.parquet", catalog / "away")
    assert opened.table("frames").num_rows == opened.info.counts["frames"]
    with pytest.raises(CatalogError, match=r"objects\.parquet"):
        opened.table("objects")
    with pytest.raises(UnknownIdError, match="unknown table 'obects'"):
        opened.table("obects")


def rename_column(path: Path) -> None:
    table = pq.read_table(path / "views.parquet")
    names = ["number" if name == "view" else name for name in table.column_names]
    pq.write_table(table.rename_columns(names), path / "views.parquet")


def drop_a_row(path: Path) -> None:
    file = path / "atomic_actions.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)


@pytest.mark.parametrize("replace", [rename_column, drop_a_row])
def test_a_handle_is_one_state_of_the_folder_or_an_error(
    catalog: Path, replace: Callable[[Path], Any]
) -> None:
    opened, sent = Catalog(catalog), pickle.dumps(Catalog(catalog))
    before = opened.table("frames")
    replace(catalog)
    seal(catalog)
    assert opened.table("frames").equals(before)
    with pytest.raises(CatalogError):
        for name in TABLES:
            opened.table(name)
    with pytest.raises(CatalogError):
        pickle.loads(sent)


def test_a_table_without_a_column_is_refused_when_it_is_needed(catalog: Path) -> None:
    rename_column(catalog)
    seal(catalog)
    opened = Catalog(catalog)
    assert opened.table("frames").num_rows > 0
    with pytest.raises(CatalogError, match=r"views\.parquet.*'view'"):
        opened.views("p0001_r000_a000")


def test_a_catalog_pickles_as_its_path(catalog: Path) -> None:
    opened = Catalog(catalog)
    opened.table("pts")
    data = pickle.dumps(opened)
    assert len(data) < 20_000
    assert pickle.loads(data).table("pts").equals(opened.table("pts"))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_its_schema(small_catalog: Path, name: str) -> None:
    table = Catalog(small_catalog).table(name)
    assert table.schema.equals(TABLES[name], check_metadata=False)
    assert [field.nullable for field in table.schema] == [field.nullable for field in TABLES[name]]
