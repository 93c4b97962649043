"""Proving that shards are what was packed, and naming every sample that is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from homage_sdk.errors import ShardError
from homage_sdk.folders import PARTS_FOLDER
from homage_sdk.problems import Code, Place, Problem, Severity
from homage_sdk.progress import Meter, Progress
from homage_sdk.shards.format.index import Index, index_of
from homage_sdk.shards.format.manifest import (
    INDEX,
    INPUTS,
    MANIFEST,
    Manifest,
    SampleInfo,
    ShardInfo,
    is_still,
    read_manifest,
)
from homage_sdk.shards.format.tar import BLOCK, MAX_MEMBER_BYTES, crc32, parse_header
from homage_sdk.shards.shards_card import shards_card
from homage_sdk.shards.verifying.members import Mismatch, check_member, damage
from homage_sdk.storage import sha256_file
from homage_sdk.storage.commit import settle
from homage_sdk.storage.dataset_card import CARD, other_card

NO_MANIFEST = damage(
    "HOM901",
    "the manifest is missing or cannot be used",
    "manifest.json says what was packed. Without it nothing here can be believed; with the "
    "index and the catalog it can be written again.",
)
NO_FILE = damage(
    "HOM902",
    "a file is missing",
    "The manifest names a file that is not here, or a link in its place.",
)
OTHER_SIZE = damage(
    "HOM903",
    "a file has another size than the manifest says",
    "It was cut short by a copy, or written to since.",
)
OTHER_BYTES = damage(
    "HOM904",
    "a file has other bytes than the manifest says",
    "Size right, SHA-256 wrong: damage on the disk or on the way, or a change by hand.",
)
NO_INDEX = damage(
    "HOM905",
    "the index cannot be used",
    "index.parquet says where each member lies; it does not hold what an index holds.",
)
BAD_STRUCTURE = damage(
    "HOM906",
    "the structure of a shard is damaged",
    "Between two members, in a header or at the end the tar is not as packing writes it.",
)
BAD_CONTENT = damage(
    "HOM907",
    "the content of a member is damaged",
    "Its bytes do not have the CRC-32 of the index, or end too early.",
)
NO_MEMBER = damage(
    "HOM908",
    "a sample lacks a member",
    "The manifest promises labels, a view, a sound or sensors that the index does not have.",
)
NOT_IN_BOTH = damage(
    "HOM909",
    "a sample is in the index or the manifest, not in both",
    "The two were not written by one run of `homage pack`.",
)
STRANGER = Code(
    "HOM913",
    "a file that does not belong here",
    "The manifest does not name it; readers do not look at it.",
    hint="remove it",
    severity=Severity.WARNING,
)


def verify(
    path: str | Path,
    *,
    deep: bool = False,
    progress: Progress | None = None,
) -> list[Problem]:
    """Check a folder of shards; every fault in one pass, in stable order.

    Manifest, index, the hash of every file, the structure of every shard, the checksum of every
    member, and that each sample has the members it needs. ``deep`` also parses the labels and
    decodes every picture and sound.
    """
    folder = Path(path)
    try:
        settle(folder, MANIFEST)
        manifest = read_manifest(folder)
    except ShardError as error:
        return [NO_MANIFEST.at(Place(MANIFEST), error.message, found=str(error))]
    problems = [*_strangers(folder, manifest), *other_card(folder, shards_card(manifest))]
    index = _index(folder, manifest, problems)
    samples = {sample.key: sample for sample in manifest.samples}
    if index is not None:
        problems += _membership(samples, index)
    meter = Meter(progress, len(manifest.shards))
    for shard in manifest.shards:
        problems += _check_shard(folder, shard, manifest, index, deep)
        meter.advance()
    if problems and not is_still(folder, manifest):  # they were packed again meanwhile
        return verify(folder, deep=deep, progress=progress)
    return sorted(problems, key=lambda problem: problem.order)


def _in_shard(file: str, key: str, field: str, sequence: str) -> Place:
    return Place(file, pointer=f"/{key}.{field}", sequence=sequence)


def _strangers(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    known = {MANIFEST, INDEX, INPUTS, CARD, PARTS_FOLDER, *(s.name for s in manifest.shards)}
    for entry in sorted(folder.iterdir()):
        if entry.name not in known or entry.is_symlink():
            what = "a link" if entry.is_symlink() else "not in the manifest"
            yield STRANGER.at(Place(entry.name), found=what)


def _index(folder: Path, manifest: Manifest, problems: list[Problem]) -> Index | None:
    fault = _whole(folder, INDEX, manifest.index.bytes, manifest.index.sha256)
    if fault is not None:
        problems.append(fault)
        return None
    try:
        return index_of(manifest, (folder / INDEX).read_bytes(), INDEX)
    except ShardError as error:
        problems.append(NO_INDEX.at(Place(INDEX), error.message, found=error.found or ""))
        return None


def _whole(folder: Path, name: str, size: int, sha256: str) -> Problem | None:
    path = folder / name
    if not path.is_file() or path.is_symlink():
        return NO_FILE.at(Place(name))
    there = path.stat().st_size
    if there != size:
        return OTHER_SIZE.at(Place(name), found=f"{there:,} bytes", expected=f"{size:,}")
    digest = sha256_file(path)
    if digest != sha256:
        return OTHER_BYTES.at(Place(name), found=digest[:12] + "...", expected=sha256[:12] + "...")
    return None


def _membership(samples: dict[str, SampleInfo], index: Index) -> Iterator[Problem]:
    for key in sorted(samples.keys() ^ index.keys()):
        where = "the manifest" if key in samples else "the index"
        yield NOT_IN_BOTH.at(Place(INDEX, f"/{key}", sequence=key), found=f"only in {where}")
    for key in sorted(samples.keys() & index.keys()):
        sample = samples[key]
        for field in sample.required:
            if field not in index[key]:
                yield NO_MEMBER.at(
                    _in_shard(sample.shard, key, field, sample.sequence),
                    found=", ".join(index[key]),
                )


def _check_shard(
    folder: Path,
    shard: ShardInfo,
    manifest: Manifest,
    index: Index | None,
    deep: bool,
) -> Iterator[Problem]:
    fault = _whole(folder, shard.name, shard.bytes, shard.sha256)
    if fault is not None:
        yield fault
        if fault.code == NO_FILE.code:
            return
    if index is None or (fault is None and not deep):
        return  # the hash covers structure and content
    samples = {sample.key: sample for sample in manifest.samples}
    rows = sorted(
        (offset, size, crc, key, field)
        for key, members in index.items()
        for field, (name, offset, size, crc) in members.items()
        if name == shard.name
    )
    with (folder / shard.name).open("rb") as file:
        expected = BLOCK
        for offset, size, crc, key, field in rows:
            sample = samples.get(key)
            place = _in_shard(shard.name, key, field, sample.sequence if sample else key)
            if offset != expected or size > MAX_MEMBER_BYTES:
                yield BAD_STRUCTURE.at(place, "a gap or overlap between members")
            expected = offset + size + -size % BLOCK + BLOCK
            file.seek(offset - BLOCK)
            header = file.read(BLOCK)
            data = file.read(min(size, MAX_MEMBER_BYTES))
            try:
                stated = parse_header(header.ljust(BLOCK, b"\0"), shard.name, offset - BLOCK)
                if stated != (key, field, size):
                    raise ShardError("a header of another member", found=f"{stated[0]}.{stated[1]}")
            except ShardError as error:
                yield BAD_STRUCTURE.at(place, error.message, found=error.found or "")
            if len(data) < size:
                found = f"{len(data):,} of {size:,} bytes"
                yield BAD_CONTENT.at(place, "a member is cut short", found=found)
            elif crc32(data) != crc:
                yield BAD_CONTENT.at(place)
            if deep and sample is not None:
                try:
                    check_member(manifest, sample, field, data)
                except Mismatch as error:
                    yield error.code.at(place, found=error.found)
        file.seek(expected - BLOCK)
        if file.read() != bytes(2 * BLOCK):
            yield BAD_STRUCTURE.at(Place(shard.name), "the end of the shard is damaged")
