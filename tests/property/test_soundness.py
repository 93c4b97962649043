"""What is parsed is in the catalog, or named by an error at its place; nothing else.

The oracle reads label files with the standard library, knows the layout of FORMAT.md, and knows no
rule: which records are left out is for the list of problems to say.
"""

from __future__ import annotations

import json
import random
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.ingest.build import Built, build_tables
from homage_sdk.problems import Problem, Severity
from homage_sdk.release import read_release
from homage_sdk.soundness import Reason
from homage_sdk.validation import CODES, validate
from tests.property.test_label_fuzz import mutated
from tests.unit.release.tiny import Tiny, action, graph

# The oracle -----------------------------------------------------------------------------------

NEEDS = {
    "atomic_actions": ("frame_start", "frame_end", "class"),
    "frames": ("frame",),
    "objects": ("id", "category", "bbox"),
    "relationships": ("subject", "object", "category"),
}


@dataclass
class Parsed:
    """One entry of a list of records; ``value`` is whatever JSON holds there."""

    table: str
    file: str
    pointer: str
    value: Any
    frame: Parsed | None = None

    def content(self) -> tuple[Any, ...]:
        """The row of the catalog that it is; fails on what is no such record."""
        ids = re.findall(r"[prva]\d+", self.file.rpartition("/")[2])
        whose = self.frame.content() if self.frame else ("_".join(i for i in ids if i[0] != "v"),)
        if self.table == "frames":
            whose += (int(ids[2][1:]),)
        values = [self.value[name] for name in NEEDS[self.table]]
        return (*whose, *(part for value in values for part in spelled(value)))


def spelled(value: Any) -> tuple[Any, ...]:
    """As a catalog holds it: a class in any spelling, a box of float32, a number."""
    if isinstance(value, str):
        return (re.sub(r"[\s_]+", "_", value).strip("_").lower().encode("utf-8", "replace"),)
    return struct.unpack("4f", struct.pack("4f", *value)) if isinstance(value, list) else (value,)


def parse(root: Path) -> Iterator[Parsed]:
    """Every record of every label file that is JSON."""
    for path in sorted(root.rglob("*_??.json")):
        file = path.relative_to(root).as_posix()
        try:
            whole = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            continue
        if file.endswith("_aa.json"):
            yield from (Parsed("atomic_actions", file, *item) for item in entries(whole))
            continue
        for pointer, value in entries(whole, "frames"):
            frame = Parsed("frames", file, pointer, value)
            yield frame
            for table in ("objects", "relationships"):
                for below, part in entries(value, table):
                    yield Parsed(table, file, pointer + below, part, frame)


def entries(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Pointer and value of the entries of a list, or of the list under a key of an object."""
    if name:
        value = value.get(name) if isinstance(value, dict) else None
    below = f"/{name}" if name else ""
    return [(f"{below}/{i}", v) for i, v in enumerate(value)] if isinstance(value, list) else []


ABOUT_THE_VIEW = {"HOM412", "HOM413", "HOM424"}
"""Errors of a whole file that leave no record out: its size, and what its boxes look like."""


def error_places(problems: list[Problem]) -> dict[str, set[str]]:
    """By file the JSON pointers at which an error stands; an empty one is the whole file."""
    places: dict[str, set[str]] = {}
    for problem in problems:
        if problem.severity is Severity.ERROR and problem.code not in ABOUT_THE_VIEW:
            places.setdefault(problem.place.file, set()).add(problem.place.pointer)
    return places


def is_named(record: Parsed, places: dict[str, set[str]]) -> bool:
    """Whether an error stands at the record, at a key it needs, or at what holds it."""
    needed = tuple(f"{record.pointer}/{name}/" for name in NEEDS[record.table])
    mine = places.get(record.file, set())
    if not mine.isdisjoint(("", record.pointer)):
        return True
    if any(f"{pointer}/".startswith(needed) for pointer in mine):
        return True
    return record.frame is not None and is_named(record.frame, places)


def rows(built: Built) -> Counter[tuple[Any, ...]]:
    """The rows of the four tables as the oracle spells them."""
    tables = {name: built.tables[name].to_pylist() for name in NEEDS}
    frames = {
        row["scene_graph_id"]: (row["sequence"], row["view"], row["frame"])
        for row in tables["frames"]
    }

    def name(kind: str, row: dict[str, Any]) -> Any:
        return spelled(built.taxonomies[kind][row["class_id"]].name)[0]

    found = [("frames", *content) for content in frames.values()]
    for row in tables["atomic_actions"]:
        ends = row["first_frame"], row["last_frame"]
        found.append(("atomic_actions", row["sequence"], *ends, name("atomic", row)))
    for row in tables["objects"]:
        box = (row[side] for side in ("x1", "y1", "x2", "y2"))
        frame = frames[row["scene_graph_id"]]
        found.append(("objects", *frame, row["object_id"], name("object", row), *box))
    for row in tables["relationships"]:
        ends = row["subject_id"], row["object_id"]
        frame = frames[row["scene_graph_id"]]
        found.append(("relationships", *frame, *ends, name("relationship", row)))
    return Counter(found)


def check(root: Path) -> tuple[Built, list[Problem]]:
    """Ingest and validate, and compare what they say of every parsed record."""
    release = read_release(root)
    problems, built = validate(release), build_tables(release, {}, {})
    places = error_places(problems)
    kept = [record for record in parse(root) if not is_named(record, places)]
    assert Counter((record.table, *record.content()) for record in kept) == rows(built)
    reasons = {reason.text: reason for reason in Reason}
    codes = {problem.code for problem in problems if problem.severity is Severity.ERROR}
    for text, count in built.dropped.items():
        assert count > 0
        assert codes & set(reasons[text].codes), f"nothing reports {text!r}"
    return built, problems


# Releases -------------------------------------------------------------------------------------

FRAMES = (0, -4, 1.5, 2.0, 2**31 - 1, 2**31, 2**31 + 5, 2**53 + 1, -(2**31), 10**30)
IDS = (-5, 3.0, 2**31 - 1, 3_000_000_000, -(2**40), {})
NAMES = ("Cup", "take_cup", "Take  cup", "_", " ", "", 4, "\ud800")
BOXES = (
    *(
        [1, 2, 3],
        [],
        "box",
        [5, 5, 2, 9],
        [5, 5, 5, 9],
        [0.1, 0.1, 0.2, 0.2],
        [9, 9, 9.0000001, 10],
    ),
    *([700, 1, 900, 9], [-3, 0, 5, 5], [1, 2, 2**31, 9], [1, 2, 3, float("inf")], [1, None, 3, 4]),
)
NOTHING = (None, True, "3", [3], float("nan"))


def messy(tiny: Tiny, rng: random.Random) -> None:
    """A release in which most values are sound and few of them differ: copies and clashes."""

    def one(usual: Any, odd: tuple[Any, ...]) -> Any:
        return rng.choice([*odd, *NOTHING]) if rng.random() < 0.08 else rng.choice(usual)

    def record(**values: Any) -> Any:
        if rng.random() < 0.02:
            return rng.choice(NOTHING)
        return {name: value for name, value in values.items() if rng.random() < 0.99}

    def some(most: int, make: Callable[[], Any]) -> list[Any]:
        return [make() for _ in range(rng.randrange(most))]

    def an_action() -> Any:
        ends = {"frame_start": one((1, 2, 3), FRAMES), "frame_end": one((2, 3, 30), FRAMES)}
        return record(**{"class": one(("cup", "take cup"), NAMES)}, **ends)

    def an_object() -> Any:
        box = one(([0, 0, 5, 5], [1.5, 2, 9, 9]), BOXES)
        return record(id=one((0, 1, 2, 3), IDS), category=one(("person", "cup"), NAMES), bbox=box)

    def a_link() -> Any:
        ends = {"subject": one((0, 1), IDS), "object": one((0, 1, 2, 9), IDS)}
        return record(**ends, category=one(("on", "near"), NAMES))

    def a_graph() -> Any:
        parts = {"objects": some(6, an_object), "relationships": some(6, a_link)}
        return record(frame=one((1, 2, 3, 30), FRAMES), **parts)

    for take in range(12):
        tiny.actions(f"p0001_r001_a{take:03d}", *some(12, an_action))
        tiny.scene(f"p0001_r001_v001_a{take:03d}", *some(6, a_graph))


@pytest.mark.parametrize("seed", range(12))
def test_parsed_records_are_in_the_catalog_or_named_by_an_error(tmp_path: Path, seed: int) -> None:
    messy(Tiny(tmp_path), random.Random(seed))
    check(tmp_path)


def fuzzed(root: Path, seed: int) -> None:
    rng = random.Random(seed)
    tiny = Tiny(root)
    tiny.actions("p0001_r001_a001", action())
    for number in range(20):
        sequence, view = f"p{100 + number:04d}_r001_a001", f"p{100 + number:04d}_r001_v001_a001"
        if number % 2:
            tiny.scene(view, raw=mutated(rng, "sg").replace(b"VIEW", view.encode()))
        else:
            tiny.actions(sequence, raw=mutated(rng, "aa"))
    check(root)


@pytest.mark.parametrize("seed", range(8))
def test_of_mutated_files_too(tmp_path: Path, seed: int) -> None:
    fuzzed(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_of_ten_thousand_mutated_files_too(tmp_path: Path, part: int) -> None:
    for number in range(50):
        fuzzed(tmp_path / str(number), 1000 + 50 * part + number)


# What was seen --------------------------------------------------------------------------------


def errors(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(p.code, p.place.pointer) for p in problems if p.severity is Severity.ERROR]


def test_an_object_id_that_no_catalog_holds_is_an_error_with_its_relationships(
    tmp_path: Path,
) -> None:
    large = 3_000_000_000
    objects = [
        {"id": 0, "category": "person", "bbox": [1, 1, 9, 9]},
        {"id": large, "category": "cup", "bbox": [2, 2, 5, 5]},
    ]
    links = [{"subject": 0, "object": large, "category": "holding"}]
    Tiny(tmp_path).scene("p0001_r001_v001_a001", graph(1, objects=objects, relationships=links))
    built, problems = check(tmp_path)
    assert errors(problems) == [
        ("HOM119", "/frames/0/objects/1/id"),
        ("HOM119", "/frames/0/relationships/0/object"),
    ]
    assert built.dropped == {
        Reason.OBJECT_INCOMPLETE.text: 1,
        Reason.RELATIONSHIP_INCOMPLETE.text: 1,
    }


def test_an_action_that_ends_past_every_number_is_an_error(tmp_path: Path) -> None:
    longest, longer = ({**action("a"), "frame_end": last} for last in (2**31 - 1, 2**31 + 5))
    Tiny(tmp_path).actions("p0001_r001_a001", longest, longer)
    built, problems = check(tmp_path)
    assert errors(problems) == [("HOM119", "/1/frame_end")]
    assert built.dropped == {Reason.ACTION_INCOMPLETE.text: 1}


def test_a_relationship_goes_with_its_object_and_says_so(tmp_path: Path) -> None:
    objects = [
        {"id": 0, "category": "person", "bbox": [1, 1, 9, 9]},
        {"id": 3, "category": "cup", "bbox": [5, 5, 2, 9]},
    ]
    links = [{"subject": 0, "object": 3, "category": "holding"}]
    Tiny(tmp_path).scene("p0001_r001_v001_a001", graph(1, objects=objects, relationships=links))
    built, problems = check(tmp_path)
    assert errors(problems) == [
        ("HOM420", "/frames/0/objects/1/bbox"),
        ("HOM446", "/frames/0/relationships/0/object"),
    ]
    assert built.dropped == {Reason.OBJECT_FLAT.text: 1, Reason.RELATIONSHIP_END_OUT.text: 1}


def test_copies_are_left_out_in_any_spelling_and_named(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    tiny.actions("p0001_r001_a001", action("take cup"), action("Take_cup"))
    link = {"subject": 0, "object": 3, "category": "holding"}
    links = [link, {**link, "category": "Holding"}]
    tiny.scene("p0001_r001_v001_a001", graph(1, relationships=links))
    built, problems = check(tmp_path)
    assert errors(problems) == [("HOM305", "/1"), ("HOM444", "/frames/0/relationships/1")]
    assert built.tables["relationships"].num_rows == 1


def test_a_frame_numbered_past_the_limit_by_the_mapping_is_an_error(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "r")
    tiny.scene("p0001_r001_v001_a001", graph(2**31 - 1), graph(2**31 - 2))
    mapping = tiny.put(tmp_path / "map.toml", "[frames]\nbase = 0\n")
    release = read_release(tiny.root, scene_graph_map=mapping)
    assert errors(validate(release)) == [("HOM119", "/frames/0/frame")]
    assert build_tables(release, {}, {}).tables["frames"]["frame"].to_pylist() == [2**31 - 1]


def test_a_view_that_no_catalog_holds_is_an_error(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    files = []
    for view in (32767, 32768):
        files = [
            tiny.scene(f"p0001_r001_v{view}_a002", graph(1)),
            tiny.video(f"p0001_r001_v{view}_a001"),
        ]
    release = read_release(tmp_path)
    found = {(p.code, p.place.file) for p in validate(release) if p.severity is Severity.ERROR}
    assert found == {("HOM119", file.relative_to(tmp_path).as_posix()) for file in files}
    assert build_tables(release, {}, {}).tables["views"]["view"].to_pylist() == [32767, 32767]


@pytest.mark.parametrize("reason", [r for r in Reason if r], ids=lambda reason: reason.name)
def test_every_reason_is_reported_by_errors(reason: Reason) -> None:
    assert reason.codes
    for code in reason.codes:
        assert CODES[code].severity is Severity.ERROR
