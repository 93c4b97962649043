"""One filmed sequence for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import once
from tests.filmed import filmed_catalog


@pytest.fixture(scope="session")
def filmed(shared_folder: Path) -> Path:
    """The catalog of ``tests.filmed``. Read only."""
    return once(shared_folder, "filmed", filmed_catalog) / "catalog"
