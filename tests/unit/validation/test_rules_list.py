"""The rules as a list: complete, unique, explained, documented."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

from homage_sdk.errors import UnknownIdError
from homage_sdk.release.codes import READER_CODES
from homage_sdk.validation import RULES, Rule, find_rule, rules
from homage_sdk.validation.explain import explain, overview, rules_page

_PAGE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_at_least_fifty_kinds_of_fault_have_a_code_of_their_own() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes)) >= 50
    assert len({rule.title for rule in RULES}) == len(codes)


def test_every_rule_declared_in_a_module_is_in_the_list() -> None:
    declared = set()
    for module in pkgutil.iter_modules(rules.__path__):
        members = vars(importlib.import_module(f"{rules.__name__}.{module.name}"))
        declared |= {value.code for value in members.values() if isinstance(value, Rule)}
    assert declared <= {rule.code for rule in RULES}


def test_every_code_a_reader_reports_is_explained() -> None:
    assert set(READER_CODES) <= {rule.code for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_says_why_it_matters_with_an_example_and_what_to_do(rule: Rule) -> None:
    assert all((rule.title, rule.why, rule.example, rule.hint))
    text = explain(rule.code.lower())
    assert text.startswith(f"{rule.code}  {rule.title}")
    assert rule.code in overview()


def test_the_documentation_page_is_what_the_rules_say() -> None:
    assert _PAGE.read_text() == rules_page(), "run: homage explain --markdown > docs/rules.md"


def test_an_unknown_code_names_the_nearest() -> None:
    with pytest.raises(UnknownIdError, match="nearest: HOM400, HOM401"):
        find_rule("HOM399")
