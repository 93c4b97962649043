"""A list of problems as JSON, CSV and JUnit XML: pure functions from problems to text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree

from homage_sdk.problems import FIELDS, Code, Problem, Severity

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def counts(problems: Iterable[Problem]) -> dict[str, int]:
    """How many of each severity, all three named.

    >>> counts([])
    {'error': 0, 'warning': 0, 'info': 0}
    """
    totals = {severity.value: 0 for severity in Severity}
    for problem in problems:
        totals[problem.severity.value] += 1
    return totals


def to_json(
    problems: Sequence[Problem], *, path: str, known: int = 0, decoded: tuple[int, int] = (0, 0)
) -> str:
    """A JSON document.

    ``known`` is how many problems a baseline took away, ``decoded`` how many pictures were looked
    at, and of how many.
    """
    document = {
        "format": "homage-problems/1",
        "path": path,
        "counts": counts(problems),
        "known": known,
        "pictures": {"decoded": decoded[0], "of": decoded[1]},
        "problems": [problem.to_row() for problem in problems],
    }
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def to_csv(problems: Sequence[Problem]) -> str:
    """RFC 4180 with a header line; an absent row number is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_printable(problem.to_row()) for problem in problems)
    return text.getvalue()


def _printable(fields: dict[str, str | int | None]) -> dict[str, str | int | None]:
    """Without the characters that many CSV readers stop at (NUL) or cannot encode."""
    return {
        key: _NOT_XML.sub("\ufffd", value) if isinstance(value, str) else value
        for key, value in fields.items()
    }


def to_junit(problems: Sequence[Problem], codes: Mapping[str, Code], *, path: str) -> str:
    """One test case a code, failed where there are errors or warnings; infos go to its output.

    What was found under a code that ``codes`` lacks has a case as well.
    """
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    titles = {code: found[0].message for code, found in by_code.items()}
    titles |= {code.code: code.title for code in codes.values()}
    failed = {
        code for code, found in by_code.items() if any(p.severity != Severity.INFO for p in found)
    }
    suite = ElementTree.Element(
        "testsuite",
        name=f"homage validate {_xml(path)}",
        tests=str(len(titles)),
        failures=str(len(failed)),
        errors="0",
        skipped="0",
    )
    for code, title in sorted(titles.items()):
        found = by_code.get(code, [])
        case = ElementTree.SubElement(
            suite, "testcase", classname="homage.validation", name=_xml(f"{code} {title}")
        )
        lines = "\n".join(_xml(str(problem)) for problem in found)
        if code in failed:
            failure = ElementTree.SubElement(
                case, "failure", type=_xml(code), message=_xml(f"{len(found)} times: {title}")
            )
            failure.text = lines
        elif found:
            ElementTree.SubElement(case, "system-out").text = lines
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
