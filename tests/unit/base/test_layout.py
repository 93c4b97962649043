"""The house keeps its plan: imports go one way, folders and modules stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

LAYERS = (
    "ids time annotations taxonomy problems errors storage processes progress folders lazy version",
    "media",
    "release",
    "soundness",
    "catalog",
    "validation",
    "ingest",
    "query",
    "dataset",
    "shards",
    "loader",
    "evaluation",
    "codes",
    "report explore export",
    "cli",
)
"""Rooms of homage_sdk from left to right; those of one line may import one another."""

BESIDE = {"synth": ("media", "release"), "testing": ("media", "release", "synth", "catalog")}
"""Rooms that stand beside the road: what they may import besides the first layer."""

CCAU_LAYERS = (
    "config",
    "precision random_streams distributed",
    "losses",
    "models",
    "tasks",
    "data",
    "runs",
    "evaluation",
    "training",
    "paper",
    "comparison",
    "instrument",
    "planning",
    "report",
    "cli cli_arms cli_instrument cli_options cli_output cli_pictures __main__",
)

MOST_MODULES = 12
MOST_LINES = 300


def sources() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    found = {}
    for top in ("homage_sdk", "baselines/ccau"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


SOURCES = sources()


def imports(tree: ast.AST) -> Iterator[str]:
    """What a module imports at any depth, but for what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            module = node.module or ""
            for alias in node.names:
                full = f"{module}.{alias.name}"
                yield full if full in SOURCES else module
        yield from imports(node)


IMPORTS = {
    name: {i for i in imports(ast.parse(path.read_text())) if i in SOURCES and i != name}
    for name, path in SOURCES.items()
}


def room(name: str) -> tuple[str, str]:
    """Top package and room of a module: ``("homage_sdk", "release")``."""
    parts = name.split(".")
    if parts[0] == "homage_sdk":
        return "homage_sdk", parts[1] if len(parts) > 1 else ""
    return "baselines.ccau", parts[2] if len(parts) > 2 else ""


def ranks(layers: tuple[str, ...]) -> dict[str, int]:
    return {each: rank for rank, line in enumerate(layers) for each in line.split()}


RANKS = {"homage_sdk": ranks(LAYERS), "baselines.ccau": ranks(CCAU_LAYERS)}


def allowed(importer: str, imported: str) -> bool:
    (top, own), (other_top, other) = room(importer), room(imported)
    if top == "baselines.ccau" and other_top == "homage_sdk":
        return True  # ccau stands on the product; which parts it may load is tested below
    if top != other_top:
        return False
    if own == other or other == "":
        return True
    if top == "homage_sdk" and own in BESIDE:
        return other in BESIDE[own] or RANKS[top].get(other) == 0
    if top == "homage_sdk" and other in BESIDE:
        return own == "cli"
    return RANKS[top][other] <= RANKS[top].get(own, 0)  # the package itself: the first layer


def test_every_room_has_its_place_in_the_layers() -> None:
    known = {top: {*RANKS[top], *(BESIDE if top == "homage_sdk" else ()), ""} for top in RANKS}
    assert [name for name in SOURCES if room(name)[1] not in known[room(name)[0]]] == []


def test_imports_follow_the_layers() -> None:
    against = [
        f"{importer} imports {imported}"
        for importer, each in IMPORTS.items()
        for imported in sorted(each)
        if not allowed(importer, imported)
    ]
    assert against == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert [sorted(circle) for circle in circles(IMPORTS)] == []


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module (Tarjan)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            circle = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(circle) > 1:
                found.append(circle)

    for node in graph:
        if node not in number:
            visit(node)
    return found


def test_the_search_for_circles_finds_them() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}
    assert circles(graph) == [{"a", "b", "c"}]


def test_a_folder_holds_at_most_a_dozen_modules() -> None:
    count = Counter(path.parent for path in SOURCES.values() if path.name != "__init__.py")
    crowded = {str(folder.relative_to(ROOT)): n for folder, n in count.items() if n > MOST_MODULES}
    assert crowded == {}


def test_a_module_is_at_most_300_lines_long() -> None:
    lines = {name: path.read_text().count("\n") for name, path in SOURCES.items()}
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}


def test_a_public_class_name_means_one_thing() -> None:
    homes = defaultdict(list)
    for name, path in SOURCES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    assert {each: where for each, where in homes.items() if len(where) > 1} == {}


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("homage_sdk", "torch webdataset librosa cv2 pandas pyarrow duckdb av"),
        ("homage_sdk.dataset.dataset", "torch webdataset librosa cv2 av"),
        ("homage_sdk.loader.clip_loader", "duckdb webdataset librosa"),
        ("baselines.ccau.training.train", "duckdb webdataset librosa torchvision"),
        ("baselines.ccau.evaluation.evaluate_run", "duckdb webdataset librosa torchvision"),
        ("homage_sdk.cli.command", "torch pandas pyarrow duckdb av cv2"),
    ],
)
def test_what_a_room_does_not_load(module: str, never: str) -> None:
    code = f"import sys, {module}; print(*(m for m in {never.split()!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
