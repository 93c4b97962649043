"""Small catalogs of the dataset's tests, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk import Dataset
from tests.factories import example_takes, make_catalog, random_takes


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
