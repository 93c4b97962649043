"""Every rule over a dataset, one test a rule: `pytest tests/dataset --homage PATH [--homage-deep]`.

Without --homage a clean synthetic release is looked at, and must pass. Information (severity info)
does not fail a test; it is shown with `-rP`.
"""

from __future__ import annotations

import pytest

from homage_sdk.problems import Problem, Severity
from homage_sdk.validation import RULES, Rule
from homage_sdk.validation.reports.formats import line

_SHOWN = 20


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.code} {rule.title}")
def test_rule(rule: Rule, problems: dict[str, list[Problem]], is_deep: bool) -> None:
    if rule.deep and not is_deep:
        pytest.skip("looks into the videos: add --homage-deep")
    found = problems.get(rule.code, [])
    lines = [line(problem) for problem in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more")
    report = "\n".join([f"{rule.code} {rule.title}: {len(found)}", *lines, f"to do: {rule.hint}"])
    if any(problem.severity is not Severity.INFO for problem in found):
        pytest.fail(report, pytrace=False)
    if found:
        print(report)
