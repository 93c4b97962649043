"""The public names: each is what its module defines, and none is loaded before it is used."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import homage_sdk


@pytest.mark.parametrize("name", homage_sdk.__all__)
def test_every_public_name_is_the_one_its_module_defines(name: str) -> None:
    value = getattr(homage_sdk, name)
    assert value.__name__ == name
    assert value.__module__.startswith("homage_sdk.")
    assert name in dir(homage_sdk)


@pytest.mark.parametrize("name", ["", ".catalog", ".ingest", ".loader", ".shards", ".testing"])
def test_no_module_takes_the_place_of_a_public_name(name: str) -> None:
    """Importing a module binds it in its package, over a name that is loaded when first used."""
    package = importlib.import_module(f"homage_sdk{name}")
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        homage_sdk.Nothing  # noqa: B018


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import homage_sdk, sys; print([m for m in sys.modules if m.startswith('homage_sdk.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['homage_sdk.lazy']", "but for what loads names on use"
