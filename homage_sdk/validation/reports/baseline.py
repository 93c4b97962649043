"""A baseline: the problems that a lab knows and has accepted, subtracted from later reports.

A problem is recognised by what it says, not by where in its file it stands, so that an entry added
above it does not bring it back. Two equal problems in one file are two: a baseline that knows one
of them hides one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from homage_sdk.errors import UsageError
from homage_sdk.problems import Problem
from homage_sdk.storage import write_file

_FORMAT = "homage-baseline/1"


def fingerprint(problem: Problem) -> str:
    """Sixteen hex digits over code, file, sequence, found and expected."""
    parts = (
        problem.code,
        problem.place.file,
        problem.sequence,
        problem.found,
        problem.expected,
    )
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:16]


def write_baseline(path: Path, problems: Sequence[Problem]) -> None:
    """Save the problems as known; atomically, and equal for equal problems in any order."""
    known = Counter(fingerprint(problem) for problem in problems)
    about = {fingerprint(problem): f"{problem.code} {problem.place.file}" for problem in problems}
    document = {
        "format": _FORMAT,
        "known": [
            {"fingerprint": mark, "times": known[mark], "about": about[mark]}
            for mark in sorted(known, key=lambda mark: (about[mark], mark))
        ],
    }
    write_file(path, json.dumps(document, indent=1) + "\n")


def read_baseline(path: Path) -> Counter[str]:
    """How often each fingerprint is known; raises UsageError when the file is no baseline."""
    wrong = UsageError(
        "not a baseline",
        place=path,
        expected=f"a file with format {_FORMAT}",
        hint="write one with --write-baseline",
    )
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            raise wrong
        return Counter(
            {str(entry["fingerprint"]): int(entry["times"]) for entry in document["known"]}
        )
    except OSError as error:
        raise UsageError(
            "cannot read the baseline", place=path, found=error.strerror, hint=wrong.hint
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise wrong from error


def subtract(problems: Sequence[Problem], known: Counter[str]) -> list[Problem]:
    """The problems that the baseline does not know, in their order."""
    left = Counter(known)
    new = []
    for problem in problems:
        mark = fingerprint(problem)
        if left[mark] > 0:
            left[mark] -= 1
        else:
            new.append(problem)
    return new
