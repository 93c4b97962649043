"""Small catalogs, a release of barcodes and its shards, made once a run. Read only."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, ShardSet, pack
from homage_sdk.testing import make_catalog
from tests.conftest import once
from tests.factories import example_takes, random_takes
from tests.unit.shards.barcodes import write_release


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six sequences that the tests know by name; labels only."""
    return make_catalog(tmp_path_factory.mktemp("example") / "catalog", example_takes())


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty sequences of dense, random labels."""
    folder = tmp_path_factory.mktemp("crowded") / "catalog"
    return make_catalog(folder, random_takes(1, n=80, graphs=16))


@pytest.fixture
def ds(example: Path) -> Dataset:
    return Dataset(example)


@pytest.fixture(scope="session")
def barcode_catalog(shared_folder: Path) -> Path:
    release = once(shared_folder, "barcode_release", write_release)
    return once(shared_folder, "barcode_catalog", lambda out: ingest(release, out, workers=1))


@pytest.fixture
def dataset(barcode_catalog: Path) -> Dataset:
    return Dataset(barcode_catalog)


@pytest.fixture(scope="session")
def barcode_shards(shared_folder: Path, barcode_catalog: Path) -> Path:
    def make(out: Path) -> None:
        pack(Dataset(barcode_catalog), out, PackOptions(short_side=96, min_shards=3), workers=1)

    return once(shared_folder, "barcode_shards", make)


@pytest.fixture
def shards(barcode_shards: Path) -> ShardSet:
    return ShardSet.open(barcode_shards)
