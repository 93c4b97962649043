"""Data that many tests share, made once a run whatever the number of test processes."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """What tests/dataset is pointed at: ``pytest tests/dataset --homage PATH``."""
    group = parser.getgroup("homage", "a dataset of your own (tests/dataset)")
    group.addoption("--homage", metavar="PATH", help="a release; default: a synthetic one")
    group.addoption("--homage-deep", action="store_true", help="read every video's packets too")
    group.addoption("--homage-baseline", metavar="FILE", help="problems known and accepted")
    group.addoption("--homage-map", metavar="FILE", help="a --scene-graph-map file")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all test processes of this run see."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


def once(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """What ``make`` writes below ``folder``, made by the first process that asks for it."""
    target = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            make(target)
    return target


@pytest.fixture(scope="session")
def small_release(shared_folder: Path) -> Path:
    """Twelve sequences with video and sound at 160x120, mess included. Read only."""
    from homage_sdk.synth import write_release

    options = {"sequences": 12, "seed": 7, "size": (160, 120), "seconds": (5.0, 9.0)}
    return once(shared_folder, "release", lambda out: write_release(out, **options))


@pytest.fixture(scope="session")
def small_catalog(shared_folder: Path, small_release: Path) -> Path:
    """The catalog of ``small_release``. Read only."""
    from homage_sdk.ingest import ingest

    return once(shared_folder, "catalog", lambda out: ingest(small_release, out))


@pytest.fixture(scope="session")
def small_shards(shared_folder: Path, small_catalog: Path) -> Path:
    """The shards of ``small_catalog``. Read only."""
    from homage_sdk import Dataset
    from homage_sdk.shards import PackOptions, pack

    return once(
        shared_folder, "shards", lambda out: pack(Dataset(small_catalog), out, PackOptions())
    )
