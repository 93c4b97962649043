"""The API reference is made of docstrings without a warning, and holds every public name."""

from __future__ import annotations

from pathlib import Path

import pytest

import homage_sdk


@pytest.mark.slow
def test_the_api_reference_is_built_without_a_warning(tmp_path: Path) -> None:
    from tools.api_pages import PAGES, write_api_pages

    assert write_api_pages(tmp_path).is_file()
    page = (tmp_path / "homage_sdk.html").read_text()
    assert [name for name in homage_sdk.__all__ if f'id="{name}"' not in page] == []
    for module in PAGES:
        assert tmp_path.joinpath(*module.split(".")).with_suffix(".html").is_file(), module
