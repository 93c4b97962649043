"""Label files with one blind change each: what a plain parser reads is in the catalog, or named.

The parser of JSON is the one of the soundness test; the one of split lists is below. A case is a
release of ten changed files.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mutate_bytes import BYTES, changed

from homage_sdk.errors import HomageError
from homage_sdk.ingest.build import Built
from homage_sdk.problems import Problem
from tests.property.test_label_fuzz import base
from tests.property.test_soundness import check
from tests.unit.release.tiny import Tiny

FILES = 10
KINDS = (*BYTES, "dropped line", "doubled line")


def run(bases: Path, work: Path, seed: int, number: int) -> dict[str, Any]:
    """One case; see ``mutate.py``."""
    del bases
    draw = random.Random(f"labels/{seed}/{number}")
    tiny = Tiny(work / "release")
    found: dict[str, Any] = {"change": "several", "files": FILES}
    for n in range(FILES):
        take = f"a{n:03d}"
        which = draw.choice(("actions", "graphs", "list"))
        if which == "list":
            lines = [
                f"p{p:04d}_r001_{take},activity_{p % 7}\n" for p in range(draw.randrange(1, 90))
            ]
            split = draw.choice(("train", "val", "test1", "test2"))
            tiny.put(tiny.lists / str(n) / f"{split}_list.csv", damaged("".join(lines), draw))
        elif which == "actions":
            records = base(draw, "aa") * draw.randrange(1, 9)
            for at, record in enumerate(records):  # no copies: those are faults of their own
                records[at] = {**record, "class": f"{record['class']} {at}"}
            text = json.dumps(records, indent=draw.choice((None, 1)))
            tiny.actions(f"p0001_r001_{take}", raw=damaged(text, draw))
        else:
            view = f"p0001_r001_v001_{take}"
            text = json.dumps(base(draw, "sg"), indent=draw.choice((None, 1))).replace("VIEW", view)
            tiny.scene(view, raw=damaged(text, draw))
    try:
        built, problems = check(tiny.root)
    except HomageError:
        return found | {"outcome": "refused"}
    except AssertionError as error:
        message = f"catalog and parser differ: {str(error)[:600]}"
        return found | {"outcome": "wrong", "failures": [message]}
    failures = list(unlike(tiny.root, built, problems))
    named = any(problem.place.file for problem in problems)
    return found | {"outcome": "named" if named else "as parsed", "failures": failures}


def damaged(text: str, draw: random.Random) -> bytes:
    """A text with one blind change."""
    kind = draw.choice(KINDS)
    if kind in BYTES:
        return changed(text.encode(), kind, draw)
    lines = text.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    lines[at : at + 1] = [] if kind == "dropped line" else [lines[at]] * 2
    return "".join(lines).encode()


def listed(root: Path) -> Iterator[tuple[str, int, tuple[str, str, str] | None]]:
    """File, line and (sequence, activity, split) of each line of a split list; None: no such."""
    for path in sorted(root.rglob("*_list.csv")):
        file, split = path.relative_to(root).as_posix(), path.name.partition("_")[0]
        try:
            lines = re.split(r"\r\n|\r|\n", path.read_bytes().decode("utf-8-sig"))
        except UnicodeDecodeError:
            yield file, 0, None
            continue
        for row, line in enumerate(lines, 1):
            fields = re.fullmatch(r"\s*(p\d{4}_r\d{3}_a\d{3})\s*[,;\t]\s*(\S.*?)\s*", line)
            if line.strip():
                yield file, row, (fields[1], fields[2], split) if fields else None


def unlike(root: Path, built: Built, problems: list[Problem]) -> Iterator[str]:
    """Where the table of sequences and the lines of the split lists differ, and nothing says so."""
    places = {(p.place.file, p.place.row) for p in problems}
    names = {item.id: key(item.name) for item in built.taxonomies["activity"].values()}
    rows = {
        (row["sequence"], names.get(row["activity_id"]), row["split"])
        for row in built.tables["sequences"].to_pylist()
        if row["split"] is not None
    }
    parsed = set()
    for file, line, entry in listed(root):
        is_named = (file, line) in places or (file, None) in places
        if entry is not None:
            parsed.add((entry[0], key(entry[1]), entry[2]))
        is_there = entry is not None and (entry[0], key(entry[1]), entry[2]) in rows
        if not is_there and not is_named:
            yield f"{file}, line {line}: neither in the catalog nor named: {entry}"
    files = {file for file, row in places if row is None}
    for row in rows - parsed:
        if not files and (row[0], row[1]) not in {(s, a) for s, a, _ in parsed}:
            yield f"in the catalog, and in no list: {row}"


def key(name: str) -> str:
    """A class in any spelling."""
    return re.sub(r"[\s_]+", "_", name).strip("_").lower()
