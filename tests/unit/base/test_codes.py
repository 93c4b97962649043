"""Every code is declared once, where it is raised; one collection knows and explains them all."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from homage_sdk.catalog.schema import TABLES
from homage_sdk.codes import CODES, OF_ERRORS, explain, find, overview, rules_page
from homage_sdk.errors import UnknownIdError
from homage_sdk.problems import FIELDS, Code, Place, Problem, by_code
from homage_sdk.validation import CODES as OF_A_RELEASE
from homage_sdk.validation import Rule

_ROOT = Path(__file__).parents[3]
_TREES = {
    path: ast.parse(path.read_bytes())
    for room in ("homage_sdk", "baselines", "tools")
    for path in sorted((_ROOT / room).rglob("*.py"))
}
_PAGES = [*sorted((_ROOT / "docs").glob("*.md")), _ROOT / "README.md"]


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for path, tree in _TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, node


def _name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def test_every_code_is_declared_once_and_collected() -> None:
    declared = [
        call.args[0].value
        for _, call in _calls()
        if call.args
        and isinstance(call.args[0], ast.Constant)
        and re.fullmatch(r"HOM\d{3}", str(call.args[0].value))
    ]
    in_doctests = {"HOM302"}  # explain("HOM302")
    assert {code for code, times in Counter(declared).items() if times > 1} - in_doctests == set()
    assert set(declared) == CODES.keys()
    assert len({code.title for code in CODES.values()}) == len(CODES)


def test_every_code_that_sources_and_pages_name_is_known() -> None:
    texts = [*(path.read_text() for path in _TREES), *(path.read_text() for path in _PAGES)]
    assert {code for text in texts for code in re.findall(r"\bHOM\d{3}\b", text)} == CODES.keys()


def test_every_declared_code_is_raised() -> None:
    """A rule is run by ``validate``; an error's class and a constant are named where they serve."""
    declared: dict[str, str] = {}
    loaded: Counter[str] = Counter()
    for path, tree in _TREES.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                first = next(iter(node.value.args), None)
                if isinstance(first, ast.Constant) and str(first.value) in CODES:
                    declared[_name(node.targets[0])] = str(first.value)
            if isinstance(node, ast.ClassDef) and path.name == "errors.py":
                declared[node.name] = "HOM0"
        for node in ast.walk(tree):
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                loaded[_name(node)] += 1
    rules = {code for code, known in CODES.items() if isinstance(known, Rule)}
    assert CODES.keys() - rules - OF_ERRORS.keys() == set(declared.values()) - {"HOM0"}
    assert {name for name in declared if not loaded[name]} == set()


def test_a_problem_is_made_by_a_code_and_nowhere_else() -> None:
    makers = {path.name for path, call in _calls() if _name(call.func) == "Problem"}
    assert makers <= {"problems.py"}


def test_two_declarations_of_one_code_are_refused() -> None:
    one, two = Code("HOM799", "one", "", ""), Code("HOM799", "two", "", "")
    with pytest.raises(ValueError, match="HOM799"):
        by_code([one, two])
    assert by_code([one, one]) == {"HOM799": one}


def test_at_least_fifty_kinds_of_fault_in_a_release_have_a_code_of_their_own() -> None:
    assert len(OF_A_RELEASE) >= 50


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_every_code_says_why_it_matters_and_what_to_do(code: Code) -> None:
    assert all((code.title, code.why, code.hint))
    assert code.example or code.code not in OF_A_RELEASE
    text = explain(code.code.lower())
    assert text.startswith(f"{code.code}  {code.title}")
    assert code.code in overview()
    assert code.code in overview(code.title)


def test_the_documentation_page_is_what_the_codes_say() -> None:
    page = (_ROOT / "docs" / "rules.md").read_text()
    assert page == rules_page(), "run: homage explain --markdown > docs/rules.md"


def test_what_is_unknown_names_the_nearest() -> None:
    with pytest.raises(UnknownIdError, match="HOM400, HOM401"):
        find("HOM399")
    with pytest.raises(UnknownIdError, match="HOM103"):
        overview("emty file")


def test_a_problem_is_a_row_of_the_catalog_and_back() -> None:
    found = CODES["HOM302"].at(Place("a.json", "/3", sequence="p0002_r001_a007"), found="9 to 3")
    assert list(found.to_row()) == list(FIELDS) == TABLES["problems"].names
    assert Problem.from_row(found.to_row()) == found
