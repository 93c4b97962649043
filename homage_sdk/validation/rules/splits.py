"""Rules about split lists, and about what the lists, labels and videos say of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homage_sdk.problems import Place, quantity
from homage_sdk.soundness import Reason
from homage_sdk.validation.data import Data, where
from homage_sdk.validation.rule import Finding, error, info, warning


@error(
    "HOM203",
    "sequence listed twice",
    why="The same sequence stands twice in one split list. Code that reads the list draws it twice "
    "in training and counts it twice in evaluation. The later line is left out.",
    example="train_list.csv:3 p0002_r001_a007,folding_clothes and again on line 9",
    hint="remove one of the two lines",
)
def listed_twice(data: Data) -> Iterator[Finding]:
    """Second and later lines of one sequence in one split, with no other activity."""
    for row, line, first, place in _repeats(data):
        if not _other_activity(line, first) and line["split"] == first["split"]:
            found = f"a second line, first on {place}"
            yield data.at_line("list_entries", row, found, "one line a sequence")


@error(
    "HOM204",
    "sequence with two activities",
    why="A sequence has exactly one activity (paper, section 3). The first line is believed, the "
    "later one is left out.",
    example="p0002_r001_a007,folding_clothes and p0002_r001_a007,ironing",
    hint="find out which one is right and remove the other line",
)
def conflicting_activity(data: Data) -> Iterator[Finding]:
    """A later line that gives the sequence another activity."""
    for row, line, first, place in _repeats(data):
        if _other_activity(line, first):
            expected = f"{first['activity_raw']!r} as on {place}"
            yield data.at_line("list_entries", row, repr(line["activity_raw"]), expected)


@error(
    "HOM205",
    "sequence in two splits",
    why="What is trained on must not be tested on. Any result on such a split is too good. The "
    "first line is believed (lists go in order of path: test, train, val), the later one left out.",
    example="p0002_r001_a007 in train_list.csv and in test_list.csv",
    hint="remove it from one of the lists",
)
def in_two_splits(data: Data) -> Iterator[Finding]:
    """A later line of the sequence, with no other activity, in another split."""
    for row, line, first, place in _repeats(data):
        if not _other_activity(line, first) and line["split"] != first["split"]:
            expected = f"only in {first['split']}, as on {place}"
            yield data.at_line("list_entries", row, f"in {line['split']}", expected)


def _repeats(data: Data) -> Iterator[tuple[int, Any, Any, Place]]:
    """Row and cells of each line whose sequence an earlier line names; that line and its place."""
    entries = data.list_entries
    firsts = {name: row for row, name in reversed(list(enumerate(entries["sequence"])))}
    for row in where(data.records.list_lines == Reason.LINE_REPEATED):
        line = entries.iloc[row]
        first = firsts[line["sequence"]]
        yield row, line, entries.iloc[first], data.line_place("list_entries", first)


def _other_activity(line: Any, first: Any) -> bool:
    given = line["activity"], first["activity"]
    return all(given) and given[0] != given[1]


@warning(
    "HOM206",
    "activity not in the class list",
    why="The list names an activity that the class list does not hold: a misspelling, or a class "
    "list of another version. It gets an id above the listed ones, so that nothing is lost.",
    example="p0002_r001_a007,foldng_clothes",
    hint="correct the spelling, or add the class to classInd.txt",
)
def unknown_activity(data: Data) -> Iterator[Finding]:
    """A line whose activity no class list holds, if there is one; without an id it is HOM201."""
    classes = data.class_entries
    known = set(classes.loc[classes["kind"] == "activity", "key"])
    entries = data.list_entries
    for row, activity in enumerate(entries["activity"] if known else ()):
        if activity and activity not in known and entries["sequence"].iat[row]:
            found = repr(entries["activity_raw"].iat[row])
            yield data.at_line("list_entries", row, found, f"one of {len(known)} listed activities")


@warning(
    "HOM220",
    "listed sequence without labels",
    why="The split list names the sequence, and its participant has label files, but this "
    "sequence has none: a copy that is not complete. It is kept, without atomic actions.",
    example="p0002_r001_a007 in train_list.csv, no annotation_files/.../p0002_r001_a007__aa.json",
    hint="copy the participant's label folder again",
)
def without_labels(data: Data) -> Iterator[Finding]:
    """Listed, no label file, though the participant has some (else: simply not downloaded)."""
    yield from _listed_without(data, "atomic_actions", "a label file like its neighbours")


@warning(
    "HOM221",
    "listed sequence without video",
    why="The split list names the sequence, and its participant has videos, but this sequence has "
    "none. It is kept, without views.",
    example="p0002_r001_a007 in train_list.csv, no p0002_r001_v*_a007.mkv beside others of p0002",
    hint="copy the participant's videos again",
)
def without_video(data: Data) -> Iterator[Finding]:
    """Listed, no video, though the participant has some (else: simply not downloaded)."""
    yield from _listed_without(data, "video", "at least one video")


def _listed_without(data: Data, kind: str, expected: str) -> Iterator[Finding]:
    have = data.files_of.get(kind, {})
    participants = {sequence.partition("_")[0] for sequence in have}
    entries = data.list_entries
    seen = set()
    for row, sequence in enumerate(entries["sequence"]):
        if sequence is None or sequence in have or sequence in seen:
            continue
        seen.add(sequence)
        if sequence.partition("_")[0] in participants:
            yield data.at_line("list_entries", row, "none", expected)


@warning(
    "HOM222",
    "labels without a list entry",
    why="The sequence has labels and no split list names it: it has no activity, and neither "
    "training nor testing will ever see it.",
    example="p0002_r001_a007__aa.json, and no line p0002_r001_a007,... in any list",
    hint="add the sequence to a list, or remove the file",
)
def labels_unlisted(data: Data) -> Iterator[Finding]:
    """A label file whose sequence no list names, where there are lists."""
    return _alone(data, "atomic_actions", (), "in no list", "in one split list")


def _alone(
    data: Data, kind: str, others: tuple[str, ...], found: str, expected: str
) -> Iterator[Finding]:
    """Files of a kind whose sequence no list and no file of the other kinds names, if any does."""
    known = data.named(*others)
    for sequence, file in data.files_of.get(kind, {}).items() if known else ():
        if sequence not in known and not data.is_faulty(file):
            yield data.at_file(file, found, expected, sequence=sequence)


@warning(
    "HOM223",
    "video without labels or list entry",
    why="Nothing says what happens in this video: no split list names its sequence and no label "
    "file belongs to it.",
    example="p0002_r001_v000_a099.mkv, and p0002_r001_a099 nowhere else",
    hint="look for the sequence's label file; its name may be wrong",
)
def video_alone(data: Data) -> Iterator[Finding]:
    """A sequence of which there are only videos, in a release that has labels or lists."""
    return _alone(data, "video", ("atomic_actions",), "only video", "a list entry or labels")


@warning(
    "HOM224",
    "scene graphs of an unknown sequence",
    why="No list, no atomic actions and no video belong to the sequence of this scene-graph file.",
    example="p0002_r000_v001_a099_sg.json, and p0002_r000_a099 nowhere else",
    hint="check the id in the file's name",
)
def scene_graphs_alone(data: Data) -> Iterator[Finding]:
    """A scene-graph file of a sequence that nothing else names."""
    others = ("atomic_actions", "video")
    return _alone(data, "scene_graphs", others, "only scene graphs", "a known sequence")


@info(
    "HOM230",
    "participants in several splits",
    why="The published splits are over sequences, so the same person can appear in training and "
    "test. It is no fault; it means that a result says little about new people.",
    example="p0002 in train and test",
    hint="carve a validation part by participant where that matters",
)
def shared_participants(data: Data) -> Iterator[Finding]:
    """Once a release, at the last list; a sequence in two splits is HOM205 and counts once."""
    entries = data.list_entries.dropna(subset=["sequence", "split"]).drop_duplicates("sequence")
    if entries.empty:
        return
    participants = entries["sequence"].str.partition("_")[0]
    splits = entries.groupby(participants)["split"].nunique()
    shared = sorted(splits.index[splits > 1])
    if shared:
        files = entries.loc[participants.isin(shared), "file"]
        names = ", ".join(shared[:5]) + (", ..." if len(shared) > 5 else "")
        found = f"{quantity(len(shared), 'participant')}: {names}"
        yield data.at_file(files.iloc[-1], found)


@warning(
    "HOM231",
    "activity tested but never trained",
    why="No training sequence shows this activity: no model can learn it, and accuracy on the "
    "test split is capped without saying so.",
    example="cleaning_window only in test_list.csv",
    hint="move a sequence to the training list, or leave the class out of the test",
)
def untrained_activity(data: Data) -> Iterator[Finding]:
    """At the first line outside train that names it, where the training list could be read."""
    entries = data.list_entries
    if (data.in_faulty_file(entries) & (entries["split"] == "train")).any():
        return
    trained = set(entries.loc[entries["split"] == "train", "activity"])
    outside = entries[entries["split"].notna() & (entries["split"] != "train")]
    if not trained:
        return
    for activity, rows in outside.groupby("activity"):
        known = data.class_entries
        unlisted = len(known) and activity not in set(known.loc[known["kind"] == "activity", "key"])
        if activity and activity not in trained and not unlisted:
            row = int(rows.index[0])
            count = quantity(len(rows), "test sequence")
            found = f"{entries['activity_raw'].iat[row]!r} in {count}"
            yield data.at_line("list_entries", row, found, "at least one in train")
