"""The barcode release, its catalog and its shards, made once a run. Read only."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, ShardSet, pack
from tests.unit.shards.barcodes import write_release


def _once(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            make(folder / name)
    return folder / name


@pytest.fixture(scope="session")
def barcode_catalog(shared_folder: Path) -> Path:
    release = _once(shared_folder, "barcode_release", write_release)
    return _once(shared_folder, "barcode_catalog", lambda out: ingest(release, out, workers=1))


@pytest.fixture
def dataset(barcode_catalog: Path) -> Dataset:
    return Dataset(barcode_catalog)


@pytest.fixture(scope="session")
def barcode_shards(shared_folder: Path, barcode_catalog: Path) -> Path:
    def make(out: Path) -> None:
        pack(Dataset(barcode_catalog), out, PackOptions(short_side=96, min_shards=3), workers=1)

    return _once(shared_folder, "barcode_shards", make)


@pytest.fixture
def shards(barcode_shards: Path) -> ShardSet:
    return ShardSet.open(barcode_shards)
