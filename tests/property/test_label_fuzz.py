"""Mutated label files give problems or a HomageError, and nothing else: no traceback, no hang.

300 files by default, 20,000 with ``-m slow``. Every file is read by the real reader among healthy
neighbours, whose records must all arrive, and what was read goes through validation and the tables
of the catalog.
"""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.errors import HomageError
from homage_sdk.ingest.build import build_tables, problems_table
from homage_sdk.release import read_release
from homage_sdk.release.codes import READER_CODES
from homage_sdk.validation import validate
from tests.unit.release.test_maps import BLOCKS, DOCS, MAPS
from tests.unit.release.tiny import Tiny, action, document, graph, whole

BATCH = 25
BATCH_SECONDS = 60.0
MORE_MEMORY_MB = 600

HUGE: list[Any] = [10**30, -(10**30), 2**63, -(2**63), 1e308, 10**4000, 0.1, -1, 2**31, 2**53 + 1]
ODD: list[Any] = [
    None,
    True,
    False,
    "",
    " ",
    "\x00",
    "x" * 10_000,
    [],
    {},
    [[]],
    [{}],
    {"": None},
    "1",
    "é",
]


def base(rng: random.Random, kind: str) -> Any:
    if kind == "aa":
        return [
            action(
                rng.choice(["take cup", "wash/dry cup"]), first := rng.randrange(1, 900), first + 29
            )
            for _ in range(rng.randrange(6))
        ]
    return document("VIEW", *(graph(rng.randrange(1, 900)) for _ in range(rng.randrange(4))))


def walk(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    found = [path] if path else []
    for key, item in items:
        found += walk(item, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> None:
    for key in path[:-1]:
        value = value[key]
    change(value, path[-1])


def structured(rng: random.Random, value: Any) -> Any:
    for _ in range(rng.randrange(1, 4)):
        paths = walk(value)
        if not paths:
            return rng.choice(ODD + HUGE)
        path = rng.choice(paths)
        new = rng.choice(ODD + HUGE)

        def change(owner: Any, key: Any, new: Any = new) -> None:
            choice = rng.randrange(4)
            if choice == 0:
                del owner[key]
            elif choice == 1 and isinstance(owner, dict):
                owner[str(rng.random())] = owner.pop(key)
            else:
                owner[key] = json.loads(json.dumps(new))

        put(value, path, change)
    return value


def textual(rng: random.Random, text: str) -> str:
    choice = rng.randrange(5)
    if choice == 0:  # keys given twice
        return text.replace('"frame', '"frame": 3, "frame', rng.randrange(1, 3))
    if choice == 1:
        number = rng.choice(
            ["NaN", "Infinity", "-Infinity", "1e999", "-0", "01", "+1", "1e5", "0x1F"]
        )
        return text.replace("30", number, 1).replace("10,", f"{number},", 1)
    if choice == 2:
        depth = rng.choice([10, 900, 1100, 50_000])
        opening, closing = rng.choice([("[", "]"), ('{"a":', "}")])
        return text.replace("1", opening * depth + "1" + closing * depth, 1)
    if choice == 3:
        return text + rng.choice([text, "]", "}", ",", "\x00", "//", text[: len(text) // 2]])
    return text.replace(rng.choice('"[]{},:'), rng.choice('"[]{},:\\/\n\t'), rng.randrange(1, 3))


def encoded(rng: random.Random, text: str) -> bytes:
    choice = rng.randrange(12)
    if choice == 0:
        return text.encode("utf-8-sig")
    if choice == 1:
        return text.encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"]))
    if choice == 2:
        return (
            json.dumps(json.loads(text), indent=2).replace("\n", "\r\n").encode()
            if loads(text)
            else b""
        )
    return text.encode("utf-8", "surrogatepass")


def loads(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def bytewise(rng: random.Random, data: bytes) -> bytes:
    buffer = bytearray(data)
    choice = rng.randrange(4)
    if choice == 0 and buffer:
        return bytes(buffer[: rng.randrange(len(buffer))])
    for _ in range(rng.randrange(1, 9)):
        if not buffer:
            break
        at = rng.randrange(len(buffer))
        if choice == 1:
            buffer[at] ^= 1 << rng.randrange(8)
        elif choice == 2:
            buffer[at] = rng.randrange(256)
        else:
            del buffer[at : at + rng.randrange(1, 20)]
    return bytes(buffer)


def mutated(rng: random.Random, kind: str) -> bytes:
    value = base(rng, kind)
    style = rng.randrange(4)
    if style == 0:
        value = structured(rng, value)
    text = json.dumps(value, indent=rng.choice([None, None, 1]))
    if style == 1:
        text = textual(rng, text)
    data = encoded(rng, text) if style != 3 else text.encode()
    return bytewise(rng, data) if style >= 2 else data


def check_batch(root: Path, rng: random.Random, count: int) -> None:
    tiny = whole(root)
    for number in range(count):
        sequence = f"p{100 + number:04d}_r001_a001"
        if number % 2:
            data = mutated(rng, "sg").replace(b"VIEW", sequence.replace("_a", "_v001_a").encode())
            tiny.scene(sequence.replace("_a", "_v001_a"), raw=data)
        else:
            tiny.actions(sequence, raw=mutated(rng, "aa"))
    if rng.random() < 0.5:
        lists(tiny, rng)
    began = time.monotonic()
    try:
        release = read_release(root)
        problems = validate(release)
        built = build_tables(release, {}, {})
        table = problems_table(problems)
    except HomageError as error:
        assert "\n" not in str(error)
        return
    assert time.monotonic() - began < BATCH_SECONDS
    assert {p.code for p in release.problems} <= READER_CODES.keys()
    assert table.num_rows == len(problems)
    healthy = ("p0001_r001_a001", "p0002_r001_a002")
    rows = [row for row in built.tables["atomic_actions"].to_pylist() if row["sequence"] in healthy]
    assert len(rows) == 4
    frames = [row for row in built.tables["frames"].to_pylist() if row["sequence"] in healthy]
    assert len(frames) == 6


def lists(tiny: Tiny, rng: random.Random) -> None:
    lines = "".join(f"p{100 + n:04d}_r001_a001,make_tea\n" for n in range(5)).encode()
    tiny.put(tiny.lists / "val_list.csv", bytewise(rng, lines))
    tiny.put(tiny.lists / "classInd_objects.txt", bytewise(rng, b"1 person\n2 cup\n3 iron\n" * 3))
    text = b"time_s,x\n" + b"".join(b"%d.5,1\n" % n for n in range(20))
    tiny.put(tiny.root / "sensors/p0001_r001_a001__gyro__head.csv", bytewise(rng, text))


def run(root: Path, files: int, seed: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for batch in range(files // BATCH):
        check_batch(root / str(batch), random.Random(f"{seed}/{batch}"), BATCH)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) / 1024 < MORE_MEMORY_MB


def other_shapes(root: Path, count: int, seed: int) -> None:
    """The documents of docs/scene_graph_maps.md, mutated, read through their maps."""
    rng = random.Random(seed)
    for number in range(count):
        example = rng.randrange(4)
        file, text = BLOCKS[1 + example]
        data = text.encode()
        if rng.random() < 0.6:
            data = encoded(rng, json.dumps(structured(rng, json.loads(text))))
        if rng.random() < 0.5:
            data = bytewise(rng, data)
        tiny = whole(root / str(number))
        tiny.put(tiny.root / file, data)
        try:
            release = read_release(tiny.root, scene_graph_map=DOCS / MAPS[example])
        except HomageError as error:
            assert "\n" not in str(error)
            continue
        assert {p.code for p in release.problems} <= READER_CODES.keys()
        assert release["actions"].num_rows == 4
        build_tables(release, {}, {})


def test_mutated_documents_of_other_shapes_give_only_problems(tmp_path: Path) -> None:
    other_shapes(tmp_path, 120, seed=5)


@pytest.mark.slow
def test_two_thousand_mutated_documents_of_other_shapes(tmp_path: Path) -> None:
    other_shapes(tmp_path, 2_000, seed=6)


def test_three_hundred_mutated_label_files_give_only_problems(tmp_path: Path) -> None:
    run(tmp_path, 300, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_twenty_thousand_mutated_label_files_give_only_problems(tmp_path: Path, part: int) -> None:
    run(tmp_path, 2_000, seed=100 + part)
