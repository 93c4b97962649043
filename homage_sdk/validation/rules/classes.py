"""Rules about class lists, and about the class names that labels use."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from unicodedata import is_normalized

import numpy as np

from homage_sdk.soundness.columns import Words
from homage_sdk.validation.data import Data, where
from homage_sdk.validation.rule import Finding, error, info, warning


@error(
    "HOM240",
    "class id given twice",
    why="Two names share one id. Whatever is trained on these ids cannot tell the two apart.",
    example="classInd_atomic.txt:7 `7 take_cup` and :8 `7 fold_towel`",
    hint="give the second class the id that the official list gives it",
)
def duplicate_id(data: Data) -> Iterator[Finding]:
    """The second and later lines of one id in one file, with another name."""
    entries = data.class_entries
    repeated = entries.duplicated(["file", "id"]) & ~entries.duplicated(["file", "id", "key"])
    for row in where(repeated):
        yield _at_class(data, row, "an id of its own")


@warning(
    "HOM241",
    "class listed twice",
    why="The same name stands twice in one class list. Only the first id is used; the second "
    "column of any output stays empty for ever.",
    example="classInd.txt:3 `3 ironing` and :9 `9 ironing`",
    hint="remove the second line, if the ids after it may move; else leave it and know it",
)
def duplicate_name(data: Data) -> Iterator[Finding]:
    """The second and later lines of one spelling in one file."""
    entries = data.class_entries
    for row in where(entries.duplicated(["file", "raw"]) & (entries["key"] != "")):
        yield _at_class(data, row, "each name once")


def _at_class(data: Data, row: int, expected: str) -> Finding:
    entry = data.class_entries.iloc[row]
    return data.at_line("class_entries", row, f"{entry['id']} {entry['raw']}", expected)


@warning(
    "HOM242",
    "two spellings of one class in a class list",
    why="The names differ only in case, spaces or underscores. They are one class here; code that "
    "compares strings sees two.",
    example="classInd_atomic.txt:3 `take_cup` and :9 `Take cup`",
    hint="keep one of the two lines",
)
def spelling_variants(data: Data) -> Iterator[Finding]:
    """The second and later spellings of one key in one file."""
    entries = data.class_entries
    variants = entries.duplicated(["file", "key"]) & ~entries.duplicated(["file", "raw"])
    for row in where(variants & (entries["key"] != "")):
        same = (entries["key"] == entries["key"].iat[row]) & (
            entries["file"] == entries["file"].iat[row]
        )
        first = where(same)[0]
        place = data.line_place("class_entries", first)
        expected = f"one spelling: {entries['raw'].iat[first]!r} on {place}"
        yield data.at_line("class_entries", row, repr(entries["raw"].iat[row]), expected)


@warning(
    "HOM243",
    "class ids do not begin at 1",
    why="Published class lists count from 1. A list that begins elsewhere was cut or renumbered, "
    "and its ids do not mean what others' ids mean.",
    example="classInd.txt whose first id is 0",
    hint="compare with the official list before training or comparing ids",
)
def ids_from_one(data: Data) -> Iterator[Finding]:
    """The smallest id of a file is not 1."""
    for row, _, ids in _id_lists(data):
        if ids[0] != 1:
            yield data.at_line("class_entries", row, f"{ids[0]} first", "1")


@warning(
    "HOM244",
    "gap in the class ids",
    why="Published class lists have no gaps: a line is missing, and its class is unknown.",
    example="classInd.txt with 1, 2, 4",
    hint="compare with the official list",
)
def id_gaps(data: Data) -> Iterator[Finding]:
    """At the first line after each gap."""
    entries = data.class_entries
    for _, file, ids in _id_lists(data):
        for before, after in pairwise(ids):
            if after > before + 1:
                row = where((entries["file"] == file) & (entries["id"] == after))[0]
                found = f"{after} after {before}"
                yield data.at_line("class_entries", row, found, f"{before + 1}")


def _id_lists(data: Data) -> Iterator[tuple[int, int, list[int]]]:
    """For each class list: the row of its smallest id, its file, its ids in order.

    A file in which the reader met a fault is left out: the lines it lost explain the gaps.
    """
    for file, entries in data.class_entries.groupby("file"):
        if not data.is_faulty(int(file)):
            row = int(entries["id"].idxmin())
            yield row, int(file), sorted({int(i) for i in entries["id"]})


@error(
    "HOM245",
    "class without a name",
    why="A line of a list, or a label, whose class name is empty or has no letter. Nothing can be "
    "learnt of a class that has no name: it is left out.",
    example='{"class": "", "frame_start": 151, "frame_end": 180}',
    hint="fill in the name",
)
def empty_name(data: Data) -> Iterator[Finding]:
    """Names whose key is empty, in lists, actions, objects and relationships."""
    entries = data.class_entries
    for row in where(entries["key"] == ""):
        yield data.at_line("class_entries", row, repr(entries["raw"].iat[row]), "a name")
    lines = data.list_entries
    for row in where((lines["activity"] == "") & lines["activity_raw"].notna()):
        yield data.at_line("list_entries", row, repr(lines["activity_raw"].iat[row]), "a name")
    for kind, words in _label_words(data):
        for row in where(words.nameless):
            yield _at_label(data, kind, row, repr(words[row]), "a name")


@warning(
    "HOM246",
    "class used but not listed",
    why="Labels use a class that the class list of its kind does not hold: a misspelling, or a "
    "list of another version. It gets an id of its own, so that nothing is lost.",
    example='"class": "take cpu", and no take_cpu in classInd_atomic.txt',
    hint="correct the spelling, or add the class to the list",
)
def unlisted_class(data: Data) -> Iterator[Finding]:
    """One finding a class, at the first label that uses it."""
    for kind, words in _label_words(data):
        entries = data.class_entries
        known = set(entries.loc[entries["kind"] == kind, "key"])
        if not known:
            continue
        missing = set(words.keys) - known - {""}
        if kind == "object":
            missing.discard("person")  # the paper's 86 object classes leave person out
        for key in sorted(missing):
            rows = where(words.among({key}))
            found = f"{words[rows[0]]!r} in {len(rows)} labels"
            expected = f"one of {len(known)} listed {kind} classes"
            yield _at_label(data, kind, rows[0], found, expected)


@info(
    "HOM247",
    "listed classes that no label uses",
    why="Normal in a part of the release. In a whole one it means labels that are missing; no "
    "model can learn these classes, and a macro average over them is not defined.",
    example="classInd_atomic.txt lists 448 classes and the labels use 431",
    hint="nothing, if this is a part of the release",
)
def unused_classes(data: Data) -> Iterator[Finding]:
    """One finding a class list, where there are labels of its kind."""
    used = {kind: set(words.keys) for kind, words in _label_words(data)}
    used["activity"] = set(data.list_entries["activity"])
    copied = {file for copy, (_, other, _) in _copied_lists(data).items() for file in (copy, other)}
    for (file, kind), entries in data.class_entries.groupby(["file", "kind"]):
        if int(file) in copied or data.is_faulty(int(file)):
            continue
        unused = entries[~entries["key"].isin(used[kind] | {"", "person"})]
        if used[kind] and len(unused):
            names = ", ".join(repr(raw) for raw in unused["raw"].head(3))
            more = ", ..." if len(unused) > 3 else ""
            found = f"{len(unused)} of {len(entries)} unused: {names}{more}"
            yield data.at_file(file, found, "each in at least one label")


@warning(
    "HOM248",
    "one class in several spellings",
    why="Labels of one kind spell a class in more than one way (case, spaces, underscores). They "
    "are one class here; code that compares strings sees several, and gives each an id.",
    example='"take cup" in one file and "take_cup" in another',
    hint="nothing here; mind it in code of your own",
)
def label_spellings(data: Data) -> Iterator[Finding]:
    """One finding a rarer spelling, at its first label."""
    for kind, words in _label_words(data):
        counts = np.bincount(words.codes[words.codes >= 0], minlength=len(words.spellings))
        by_key: dict[str, list[int]] = {}
        for code, key in enumerate(words.keys):
            by_key.setdefault(key, []).append(code)
        for key, codes in by_key.items():
            ranked = sorted(codes, key=lambda c: (-counts[c], words.spellings[c]))
            for code in ranked[1:] if key else ():
                found = f"{_visible(words.spellings[code])} in {counts[code]} labels"
                expected = f"{_visible(words.spellings[ranked[0]])} as in {counts[ranked[0]]}"
                row = where(words.codes == code)[0]
                yield _at_label(data, kind, row, found, expected)


@warning(
    "HOM249",
    "name listed as two kinds of class",
    why="The same file of names was copied under the name of another kind of class list: whole "
    "lists that agree are never what was published.",
    example="classInd.txt with the lines of classInd_atomic.txt",
    hint="copy the class list of that kind again",
)
def same_list_twice(data: Data) -> Iterator[Finding]:
    """Two lists of different kinds that hold the very same names."""
    for file, (kind, other, names) in _copied_lists(data).items():
        found = f"the {names} names of {data.paths[other]}"
        yield data.at_file(file, found, f"{kind} classes")


def _visible(name: str) -> str:
    """A name in quotes; letters that only look like one composed letter are written as escapes."""
    return repr(name) if is_normalized("NFC", name) else ascii(name)


def _copied_lists(data: Data) -> dict[int, tuple[str, int, int]]:
    """Of each file that repeats a list of another kind: its kind, that file, how many names."""
    seen: dict[tuple[str, ...], tuple[str, int]] = {}
    copies = {}
    for (file, kind), entries in data.class_entries.groupby(["file", "kind"]):
        names = tuple(entries["key"])
        other_kind, other = seen.setdefault(names, (kind, int(file)))
        if other_kind != kind and len(names) > 1:
            copies[int(file)] = (str(kind), other, len(names))
    return copies


def _label_words(data: Data) -> tuple[tuple[str, Words], ...]:
    return (
        ("atomic", data.records.actions.classes),
        ("object", data.objects.classes),
        ("relationship", data.relationships.classes),
    )


def _at_label(data: Data, kind: str, row: int, found: str, expected: str) -> Finding:
    if kind == "atomic":
        return data.at_action(row, found, expected, key="class")
    at = data.at_object if kind == "object" else data.at_relationship
    return at(row, found, expected, key="category")
