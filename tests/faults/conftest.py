"""A clean release of each layout, made once a run, and the probes of its videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import _once

CLEAN = {"sequences": 6, "activities": 3, "seed": 1, "size": (96, 72), "seconds": (4.0, 6.0)}


@pytest.fixture(scope="session", params=["hacgen", "videoshift"])
def clean_release(request: pytest.FixtureRequest, shared_folder: Path) -> Path:
    """Six sequences with nothing wrong. Read only."""
    return make_clean(shared_folder, request.param)


@pytest.fixture(scope="session")
def clean_hacgen(shared_folder: Path) -> Path:
    """Six sequences with nothing wrong, in the original layout. Read only."""
    return make_clean(shared_folder, "hacgen")


def make_clean(folder: Path, layout: str) -> Path:
    from homage_sdk.synth import write_release

    def make(out: Path) -> object:
        return write_release(out, layout=layout, clean=True, workers=1, **CLEAN)

    return _once(folder, f"clean-{layout}", make)
