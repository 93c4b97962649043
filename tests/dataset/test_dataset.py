"""Every rule over a dataset, one test a code: `pytest tests/dataset --homage PATH [--homage-deep]`.

Without --homage a clean synthetic release is looked at, and must pass. Information (severity info)
does not fail a test; it is shown with `-rP`.
"""

from __future__ import annotations

import pytest

from homage_sdk.problems import Code, Problem, Severity
from homage_sdk.validation import CODES

_SHOWN = 20


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: f"{code.code} {code.title}")
def test_rule(code: Code, problems: dict[str, list[Problem]], is_deep: bool) -> None:
    if code.deep and not is_deep:
        pytest.skip("looks into the videos: add --homage-deep")
    found = problems.get(code.code, [])
    lines = [str(problem) for problem in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more")
    report = "\n".join([f"{code.code} {code.title}: {len(found)}", *lines, f"to do: {code.hint}"])
    if any(problem.severity is not Severity.INFO for problem in found):
        pytest.fail(report, pytrace=False)
    if found:
        print(report)
