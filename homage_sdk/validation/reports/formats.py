"""A list of problems as JSON, CSV and JUnit XML: pure functions from problems to text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from homage_sdk.problems import Problem, Severity
from homage_sdk.validation.rule import Rule

FIELDS = (
    "code",
    "severity",
    "file",
    "row",
    "pointer",
    "sequence",
    "message",
    "found",
    "expected",
    "hint",
)
"""The columns of every format, as in the catalog's ``problems`` table."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def record(problem: Problem) -> dict[str, str | int | None]:
    """One problem as a flat record with the keys of ``FIELDS``."""
    place = problem.place
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "file": place.file,
        "row": place.row,
        "pointer": place.pointer,
        "sequence": problem.sequence or place.sequence,
        "message": problem.message,
        "found": problem.found,
        "expected": problem.expected,
        "hint": problem.hint,
    }


def counts(problems: Iterable[Problem]) -> dict[str, int]:
    """How many of each severity, all three named.

    >>> counts([])
    {'error': 0, 'warning': 0, 'info': 0}
    """
    totals = {severity.value: 0 for severity in Severity}
    for problem in problems:
        totals[problem.severity.value] += 1
    return totals


def to_json(problems: Sequence[Problem], *, path: str, known: int = 0) -> str:
    """A JSON document; ``known`` is how many problems a baseline took away."""
    document = {
        "format": "homage-problems/1",
        "path": path,
        "counts": counts(problems),
        "known": known,
        "problems": [record(problem) for problem in problems],
    }
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def to_csv(problems: Sequence[Problem]) -> str:
    """RFC 4180 with a header line; an absent row number is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_printable(record(problem)) for problem in problems)
    return text.getvalue()


def _printable(fields: dict[str, str | int | None]) -> dict[str, str | int | None]:
    """Without the characters that many CSV readers stop at (NUL) or cannot encode."""
    return {
        key: _NOT_XML.sub("\ufffd", value) if isinstance(value, str) else value
        for key, value in fields.items()
    }


def to_junit(problems: Sequence[Problem], rules: Sequence[Rule], *, path: str) -> str:
    """One test case a rule, failed where it found errors or warnings; infos go to its output."""
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    failed = {
        code for code, found in by_code.items() if any(p.severity != Severity.INFO for p in found)
    }
    suite = ElementTree.Element(
        "testsuite",
        name=f"homage validate {_xml(path)}",
        tests=str(len(rules)),
        failures=str(len(failed)),
        errors="0",
        skipped="0",
    )
    for rule in rules:
        found = by_code.get(rule.code, [])
        case = ElementTree.SubElement(
            suite, "testcase", classname="homage.validation", name=f"{rule.code} {rule.title}"
        )
        lines = "\n".join(_xml(line(problem)) for problem in found)
        if rule.code in failed:
            failure = ElementTree.SubElement(
                case, "failure", type=rule.code, message=f"{len(found)} times: {rule.title}"
            )
            failure.text = lines
        elif found:
            ElementTree.SubElement(case, "system-out").text = lines
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def line(problem: Problem) -> str:
    """A problem on one line: place, code, what is wrong, found, expected."""
    parts = [f"{problem.place or problem.sequence}: {problem.code} {problem.message}"]
    if problem.found:
        parts.append(f"found {problem.found}")
    if problem.expected:
        parts.append(f"expected {problem.expected}")
    return "; ".join(parts).replace("\n", " ")


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
