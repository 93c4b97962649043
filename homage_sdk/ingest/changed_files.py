"""Files that change while ingest reads them: what was read may be of no state at all."""

from __future__ import annotations

from homage_sdk.problems import Code, Place, Problem, Severity
from homage_sdk.release.files.inventory import Inventory

CHANGED_MEANWHILE = Code(
    "HOM142",
    "file changed while it was read",
    severity=Severity.WARNING,
    why="Its size or time after reading is not what it was before, or it came or went meanwhile. "
    "What was read may be of neither state; the next ingest reads everything again.",
    hint="run the same command again when nothing writes there",
    example="a label file that a download replaced during `homage ingest`",
)


def changed_meanwhile(before: Inventory, after: Inventory) -> list[Problem]:
    """The files of a release, by their names, that are not the same in both."""
    odd = sorted(set(before.files) ^ set(after.files), key=lambda entry: entry.path)
    paths = dict.fromkeys(entry.path for entry in odd if entry.kind != "other")
    return [CHANGED_MEANWHILE.at(Place(path), expected="a file at rest") for path in paths]
