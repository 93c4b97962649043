"""Rules about split lists, and about what the lists, labels and videos say of each other."""

from __future__ import annotations

from collections.abc import Iterator

from homage_sdk.problems import Severity
from homage_sdk.validation.data import Data
from homage_sdk.validation.rule import Finding, rule


@rule(
    "HOM203",
    "sequence listed twice",
    severity=Severity.WARNING,
    why="The same sequence with the same activity stands twice in one split list. It would be "
    "drawn twice in training and counted twice in evaluation.",
    example="train_list.csv:3 p0002_r001_a007,folding_clothes and again on line 9",
    hint="remove one of the two lines",
)
def listed_twice(data: Data) -> Iterator[Finding]:
    """Second and later lines of one sequence in one split, with the same activity."""
    for row, first in _repeats(data):
        entries = data.list_entries
        same = entries["activity"].iat[row] == entries["activity"].iat[first]
        if same and entries["split"].iat[row] == entries["split"].iat[first]:
            yield Finding(
                data.row_place("list_entries", row),
                entries["sequence"].iat[row],
                f"a second line, first on {data.row_place('list_entries', first)}",
                "one line a sequence",
            )


@rule(
    "HOM204",
    "sequence with two activities",
    why="A sequence has exactly one activity (paper, section 3). The first line is believed.",
    example="p0002_r001_a007,folding_clothes and p0002_r001_a007,ironing",
    hint="find out which one is right and remove the other line",
)
def conflicting_activity(data: Data) -> Iterator[Finding]:
    """A later line that gives the sequence another activity."""
    entries = data.list_entries
    for row, first in _repeats(data):
        given = entries["activity"].iat[row], entries["activity"].iat[first]
        if given[0] != given[1] and all(given):
            yield Finding(
                data.row_place("list_entries", row),
                entries["sequence"].iat[row],
                repr(entries["activity_raw"].iat[row]),
                f"{entries['activity_raw'].iat[first]!r} as on "
                f"{data.row_place('list_entries', first)}",
            )


@rule(
    "HOM205",
    "sequence in two splits",
    why="What is trained on must not be tested on. Any result on such a split is too good.",
    example="p0002_r001_a007 in train_list.csv and in test_list.csv",
    hint="remove it from one of the lists",
)
def in_two_splits(data: Data) -> Iterator[Finding]:
    """A later line of the sequence, with the same activity, in another split."""
    entries = data.list_entries
    for row, first in _repeats(data):
        same = entries["activity"].iat[row] == entries["activity"].iat[first]
        if same and entries["split"].iat[row] != entries["split"].iat[first]:
            yield Finding(
                data.row_place("list_entries", row),
                entries["sequence"].iat[row],
                f"in {entries['split'].iat[row]}",
                f"only in {entries['split'].iat[first]}, as on "
                f"{data.row_place('list_entries', first)}",
            )


def _repeats(data: Data) -> Iterator[tuple[int, int]]:
    """Each line whose sequence an earlier line names, with the first such line."""
    entries = data.list_entries
    first: dict[str, int] = {}
    for row, sequence in enumerate(entries["sequence"]):
        if sequence is not None and sequence in first:
            yield row, first[sequence]
        elif sequence is not None:
            first[sequence] = row


@rule(
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
            yield Finding(
                data.row_place("list_entries", row),
                entries["sequence"].iat[row] or "",
                repr(entries["activity_raw"].iat[row]),
                f"one of {len(known)} listed activities",
            )


@rule(
    "HOM220",
    "listed sequence without labels",
    severity=Severity.WARNING,
    why="The split list names the sequence, and its participant has label files, but this "
    "sequence has none: a copy that is not complete. It is kept, without atomic actions.",
    example="p0002_r001_a007 in train_list.csv, no annotation_files/.../p0002_r001_a007__aa.json",
    hint="copy the participant's label folder again",
)
def without_labels(data: Data) -> Iterator[Finding]:
    """Listed, no label file, though the participant has some (else: simply not downloaded)."""
    yield from _listed_without(data, "atomic_actions", "a label file like its neighbours")


@rule(
    "HOM221",
    "listed sequence without video",
    severity=Severity.WARNING,
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
            yield Finding(data.row_place("list_entries", row), sequence, "none", expected)


@rule(
    "HOM222",
    "labels without a list entry",
    severity=Severity.WARNING,
    why="The sequence has labels and no split list names it: it has no activity, and neither "
    "training nor testing will ever see it.",
    example="p0002_r001_a007__aa.json, and no line p0002_r001_a007,... in any list",
    hint="add the sequence to a list, or remove the file",
)
def labels_unlisted(data: Data) -> Iterator[Finding]:
    """A label file whose sequence no list names, where there are lists."""
    labelled = data.files_of.get("atomic_actions", {})
    for sequence, file in labelled.items() if data.listed else ():
        if sequence not in data.listed and not data.is_faulty(file):
            yield Finding(data.file_place(file), sequence, "in no list", "in one split list")


@rule(
    "HOM223",
    "video without labels or list entry",
    severity=Severity.WARNING,
    why="Nothing says what happens in this video: no split list names its sequence and no label "
    "file belongs to it.",
    example="p0002_r001_v000_a099.mkv, and p0002_r001_a099 nowhere else",
    hint="look for the sequence's label file; its name may be wrong",
)
def video_alone(data: Data) -> Iterator[Finding]:
    """A sequence of which there are only videos, in a release that has labels or lists."""
    labelled = data.files_of.get("atomic_actions", {}).keys() | data.listed
    for sequence, file in data.files_of.get("video", {}).items() if labelled else ():
        if sequence not in labelled and not data.is_faulty(file):
            yield Finding(data.file_place(file), sequence, "only video", "a list entry or labels")


@rule(
    "HOM224",
    "scene graphs of an unknown sequence",
    severity=Severity.WARNING,
    why="No list, no atomic actions and no video belong to the sequence of this scene-graph file.",
    example="p0002_r000_v001_a099_sg.json, and p0002_r000_a099 nowhere else",
    hint="check the id in the file's name",
)
def scene_graphs_alone(data: Data) -> Iterator[Finding]:
    """A scene-graph file of a sequence that nothing else names."""
    known = data.listed.union(*(data.files_of.get(k, {}) for k in ("atomic_actions", "video")))
    for sequence, file in data.files_of.get("scene_graphs", {}).items() if known else ():
        if sequence not in known and not data.is_faulty(file):
            yield Finding(data.file_place(file), sequence, "only scene graphs", "a known sequence")


@rule(
    "HOM230",
    "participants in several splits",
    severity=Severity.INFO,
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
        count = f"{len(shared)} participant{'' if len(shared) == 1 else 's'}"
        yield Finding(data.file_place(int(files.iloc[-1])), found=f"{count}: {names}")


@rule(
    "HOM231",
    "activity tested but never trained",
    severity=Severity.WARNING,
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
            count = f"{len(rows)} test sequence{'' if len(rows) == 1 else 's'}"
            yield Finding(
                data.row_place("list_entries", row),
                entries["sequence"].iat[row] or "",
                f"{entries['activity_raw'].iat[row]!r} in {count}",
                "at least one in train",
            )
