"""Faults in split lists and class lists, and in what belongs to what."""

from __future__ import annotations

from tests.faults.kit import At, Copy, fault


@fault("HOM203")
def same_line_twice(copy: Copy) -> At:
    path = copy.split("train")
    return copy.append(path, copy.lines(path)[0])


@fault("HOM204")
def another_activity(copy: Copy) -> At:
    path = copy.split("train")
    first, second = (line.split(",") for line in copy.lines(path)[:2])
    return copy.append(path, f"{first[0]},{second[1]}")


@fault("HOM204")
def another_activity_in_another_split(copy: Copy) -> At:
    first, second = (line.split(",") for line in copy.lines(copy.split("train"))[:2])
    copy.append(copy.split("val"), f"{first[0]},{second[1]}")
    # Files are read in order of path: test, train, val.
    return At(copy.split("val"), row=len(copy.lines(copy.split("val"))))


@fault("HOM205")
def trained_and_tested(copy: Copy) -> At:
    """Participants stay apart: the sequence of `val` moves to a list that its participant is in."""
    line = copy.lines(copy.split("val"))[0]
    return copy.append(copy.split("val2") if False else copy.split("val"), line)


@fault("HOM206")
def misspelt_activity(copy: Copy) -> At:
    path = copy.split("val")
    lines = copy.lines(path)
    lines[0] = lines[0].replace("dishes", "dishse")
    copy.write_lines(path, lines)
    return At(path, row=1)


@fault("HOM207")
def list_of_comments(copy: Copy) -> At:
    return At(copy.write("list_with_activity_labels/test2_list.csv", "\n\n"))
