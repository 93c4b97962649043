"""pyproject.toml and the imports say the same: each import is declared where it is used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

EXTRAS_OF = {
    "baselines/ccau": {"train", "tensorboard"},
    "baselines/ccau/report": {"figures"},
    "homage_sdk/report": {"figures"},
    "homage_sdk/loader": {"train"},
    "homage_sdk/media/spectrograms/logmel.py": {"train"},
    "homage_sdk/media/spectrograms/jet.py": {"train", "figures"},
    "homage_sdk/annotations.py": {"graph"},
    "homage_sdk/shards/packing/engines": {"ray"},
    "homage_sdk/shards/format/far.py": {"remote"},
    "homage_sdk/shards/format/tar.py": {"train"},
}
"""Which extras, besides the core, a part of the product may import."""

FAKED = {
    "wandb": "it talks to a service: the tests put a module of their own in its place",
    "browser": "tests/browser skips without them; .ci/run installs them and insists",
}
"""Extras whose packages the tests do not bring along, and why."""


def distribution(requirement: str) -> str:
    """``moto[s3]>=5`` is of ``moto``."""
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


CORE = {distribution(each) for each in PROJECT["dependencies"]}
EXTRAS = {
    name: {distribution(each) for each in listed}
    for name, listed in PROJECT["optional-dependencies"].items()
}
DISTRIBUTIONS = packages_distributions()


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of the packages of others that a module imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in ("homage_sdk", "baselines"):
                yield top


def uses() -> dict[str, set[str]]:
    """Every module of the product with the distributions that it imports."""
    found = {}
    for top in ("homage_sdk", "baselines"):
        for path in sorted((ROOT / top).rglob("*.py")):
            names = set(imported(ast.parse(path.read_text())))
            unknown = names - DISTRIBUTIONS.keys()
            assert not unknown, f"{path} imports {unknown}, which no installed package gives"
            found[str(path.relative_to(ROOT))] = {
                distribution(DISTRIBUTIONS[name][0]) for name in names
            }
    return found


USES = uses()


def test_each_import_is_declared_in_the_core_or_in_an_extra_of_its_room() -> None:
    undeclared = [
        f"{module} imports {name}"
        for module, names in USES.items()
        for name in sorted(names - CORE)
        if not any(
            name in EXTRAS[extra]
            for room, extras in EXTRAS_OF.items()
            if module.startswith(room)
            for extra in extras
        )
    ]
    assert undeclared == []


@pytest.mark.parametrize("name", sorted(CORE | EXTRAS["train"] | EXTRAS["figures"]))
def test_each_dependency_is_imported(name: str) -> None:
    assert any(name in names for names in USES.values())


def test_scores_and_intervals_need_numpy_alone() -> None:
    rooms = {m: names for m, names in USES.items() if m.startswith("homage_sdk/evaluation/")}
    assert rooms and set().union(*rooms.values()) == {"numpy"}


def test_tests_bring_along_what_every_other_extra_needs() -> None:
    """The tests of an extra run wherever the tests run, but for those set up by name."""
    for extra in EXTRAS.keys() - {"test", "dev", "train", "figures"} - FAKED.keys():
        assert EXTRAS[extra] <= EXTRAS["test"], extra


def test_the_core_stays_small() -> None:
    assert len(CORE) <= 10
