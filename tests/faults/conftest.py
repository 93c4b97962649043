"""A clean release of each layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.clean import make_clean


@pytest.fixture(scope="session", params=["hacgen", "videoshift"])
def clean_release(request: pytest.FixtureRequest, shared_folder: Path) -> Path:
    """Nothing wrong, in either layout. Read only."""
    return make_clean(shared_folder, request.param)


@pytest.fixture(scope="session")
def clean_hacgen(shared_folder: Path) -> Path:
    """Nothing wrong, in the original layout. Read only."""
    return make_clean(shared_folder, "hacgen")
