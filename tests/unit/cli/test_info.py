"""`info` of shards and runs: from which catalog and shards they are, and whether they still fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from baselines.ccau.cli import app as ccau
from homage_sdk import Dataset
from homage_sdk.cli import app as homage
from homage_sdk.cli import run
from homage_sdk.shards import ShardSet
from homage_sdk.shards.verifying.origin import origin
from homage_sdk.testing import make_catalog
from tests.factories import example_takes


@pytest.fixture
def home(barcode_catalog: Path, barcode_shards: Path, tmp_path: Path) -> Path:
    """A folder with shards, and their catalog and another one beside them."""
    shutil.copytree(barcode_shards, tmp_path / "shards")
    shutil.copytree(barcode_catalog, tmp_path / "labels")
    make_catalog(tmp_path / "another", example_takes())
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "catalog.json").write_text("{}")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    app = homage if words[0] == "homage" else ccau
    assert run(app, [str(word) for word in words[1:]]) == 0
    return capsys.readouterr().out


def test_shards_name_the_catalog_that_they_fit(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = ShardSet.open(home / "shards").manifest
    found = origin(home / "shards", manifest)
    assert found.catalog == home / "labels" and found.fits
    assert found.n_sequences == len(Dataset(home / "labels"))
    other = origin(home / "shards", manifest, home / "another")
    assert other.catalog == home / "another" and not other.fits
    text = said(capsys, "homage", "info", home / "shards")
    assert str(home / "labels") in text and "stride 3" in text and "left out 0" in text
    text = said(capsys, "homage", "info", home / "shards", "--catalog", home / "another")
    assert f"homage pack {home / 'another'}" in text and "--plan" in text
    shutil.rmtree(home / "labels")
    assert origin(home / "shards", manifest).catalog is None


def test_what_was_left_out_of_shards_is_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "shards" / "manifest.json"
    fault = (
        '{"sequence":"p0001_r001_a001","view":1,"path":"p0001/broken.mkv","code":"HOM040",'
        '"reason":"cannot be decoded"}'
    )
    text = path.read_text()
    assert text.count('"quarantine":[]') == 1
    path.write_text(text.replace('"quarantine":[]', f'"quarantine":[{fault}]'))
    assert "p0001/broken.mkv" in said(capsys, "homage", "info", home / "shards")
