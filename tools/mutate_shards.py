"""Packed shards with one blind change: what is read is what was packed, or is refused."""

from __future__ import annotations

import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from chaos_loader import MODALITIES, digest
from made import catalog, shards
from mutate_bytes import BYTES, changed

from homage_sdk.errors import HomageError
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.shards import PackOptions, ShardSet, verify
from homage_sdk.shards.format.manifest import INDEX, read_manifest


def make(folder: Path) -> None:
    """Pack a small synthetic release."""
    work = folder.with_name("shards_release")
    made = catalog(work, sequences=3, activities=3, size=(96, 64), seconds=(4.0, 5.0), clean=True)
    shards(work, made, PackOptions(short_side=64))
    shutil.copytree(work / "shards", folder)


def run(bases: Path, work: Path, seed: int, number: int) -> dict[str, Any]:
    """One case; see ``mutate.py``."""
    draw = random.Random(f"shards/{seed}/{number}")
    folder = work / "shards"
    shutil.copytree(bases, folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    tars = [p for p in files if p.suffix == ".tar"]
    file = draw.choice(tars) if draw.random() < 0.6 else draw.choice(files)
    kind = draw.choice(BYTES)
    before = file.read_bytes()
    after = changed(before, kind, draw)
    file.write_bytes(after)
    found: dict[str, Any] = {"base": file.suffix or file.name, "change": kind}
    if before == after:
        return found | {"outcome": "unchanged"}
    whole = Seen(*read(bases))
    problems = verify(folder, deep=True)
    is_counted = file in tars or file.name == INDEX or says_otherwise(bases, folder)
    failures = [f"verify finds nothing in {file.name}"] if is_counted and not problems else []
    try:
        members, batches = read(folder)
    except HomageError:
        return found | {"outcome": "refused", "failures": failures}
    failures += [f"{name} is not what was packed" for name in whole.wrong(members, batches)]
    refused = "refused" in (*members.values(), *batches)
    return found | {"outcome": "refused in part" if refused else "as packed", "failures": failures}


def says_otherwise(bases: Path, folder: Path) -> bool:
    """Whether the manifest is no longer one, or another; white space does not count."""
    try:
        return read_manifest(folder) != read_manifest(bases)
    except HomageError:
        return True


class Seen:
    """What the undamaged shards give."""

    def __init__(self, members: dict[str, object], batches: list[str]) -> None:
        self.members, self.batches = members, batches

    def wrong(self, members: dict[str, object], batches: list[str]) -> list[str]:
        """What another reading gave that is neither the same nor a refusal."""
        bad = [n for n, value in members.items() if value not in ("refused", self.members.get(n))]
        refused = {key for key, value in members.items() if value == "refused"}
        missing = [n for n in self.members if n not in members]
        bad += [n for n in missing if not any(n.startswith((f"{r}.", f"{r} ")) for r in refused)]
        if batches[-1:] != ["refused"] and len(batches) != len(self.batches):
            bad.append(f"{len(batches)} batches of {len(self.batches)}")
        pairs = zip(batches, self.batches, strict=False)
        return bad + [f"batch {n}" for n, (a, b) in enumerate(pairs) if a not in ("refused", b)]


def read(folder: Path) -> tuple[dict[str, object], list[str]]:
    """Every member and fact, and the hash of every batch: "refused" for what raises our error."""
    return _undamaged(folder) if folder.name == "bases" else _read(folder)


@cache
def _undamaged(folder: Path) -> tuple[dict[str, object], list[str]]:
    return _read(folder)


def _read(folder: Path) -> tuple[dict[str, object], list[str]]:
    opened = ShardSet.open(folder)
    members: dict[str, object] = {}
    for info in opened.samples:
        key = info.key
        members[f"facts of {key}"] = info.model_dump()
        try:
            fields = opened.members(key)
        except HomageError:
            fields = ()
            members[key] = "refused"
        for field in fields:
            try:
                members[f"{key}.{field}"] = opened.read(key, field)
            except HomageError:
                members[f"{key}.{field}"] = "refused"
        for what in (opened.meta, opened.annotations):
            try:
                members[f"{key} {what.__name__}"] = repr(what(key))
            except HomageError:
                members[f"{key} {what.__name__}"] = "refused"
    for kind in ("activity", "atomic", "object", "relationship"):
        members[kind] = [(c.id, c.name, c.slug) for c in opened.taxonomy(kind).values()]
    return members, _batches(opened)


def _batches(opened: ShardSet) -> list[str]:
    options = LoaderOptions(MODALITIES, mode="eval", batch_size=1, blocks=3, size=32)
    seen: list[str] = []
    try:
        for batch in ClipLoader(opened, options):
            seen.append(digest(batch))
    except HomageError:
        seen.append("refused")
    return seen
