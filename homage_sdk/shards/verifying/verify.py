"""Proving that shards are what was packed, and naming every sample that is not."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from homage_sdk.errors import Place, ShardError
from homage_sdk.problems import Problem, Severity
from homage_sdk.shards.format.annotations import ANNOTATIONS
from homage_sdk.shards.format.index import Index, index_of
from homage_sdk.shards.format.manifest import (
    INDEX,
    MANIFEST,
    Manifest,
    SampleInfo,
    ShardInfo,
    read_manifest,
)
from homage_sdk.shards.format.sample_meta import META
from homage_sdk.shards.format.tar import BLOCK, MAX_MEMBER_BYTES, parse_header
from homage_sdk.shards.verifying.members import Mismatch, check_member
from homage_sdk.storage import sha256_file

CODES = {
    "HOM901": "the manifest is missing or cannot be used",
    "HOM902": "a file is missing",
    "HOM903": "a file has another size than the manifest says",
    "HOM904": "a file has other bytes than the manifest says",
    "HOM905": "the index cannot be used",
    "HOM906": "the structure of a shard is damaged",
    "HOM907": "the content of a member is damaged",
    "HOM908": "a sample lacks a member",
    "HOM909": "a sample is in the index or the manifest, not in both",
    "HOM910": "a JSON member contradicts the manifest",
    "HOM911": "a view cannot be decoded, or is not what the manifest says",
    "HOM912": "a sound cannot be decoded, or is not what the manifest says",
    "HOM913": "a file that does not belong here",
    "HOM914": "the sensors cannot be read, or are not what the manifest says",
}
"""What ``verify`` can find."""


def verify(
    path: str | Path,
    *,
    deep: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Problem]:
    """Check a folder of shards; every fault in one pass, in stable order.

    Manifest, index, the hash of every file, the structure of every shard, the checksum of every
    member, and that each sample has the members it needs. ``deep`` also parses the labels and
    decodes every picture and sound.
    """
    folder = Path(path)
    try:
        manifest = read_manifest(folder)
    except ShardError as error:
        return [_problem("HOM901", MANIFEST, error.message, found=str(error))]
    problems = list(_strangers(folder, manifest))
    index = _index(folder, manifest, problems)
    samples = {sample.key: sample for sample in manifest.samples}
    if index is not None:
        problems += _membership(samples, index)
    total = len(manifest.shards)
    for done, shard in enumerate(manifest.shards):
        if progress is not None:
            progress(done, total)
        problems += _check_shard(folder, shard, manifest, index, deep)
    if progress is not None:
        progress(total, total)
    return sorted(problems, key=lambda problem: problem.order)


def _problem(
    code: str,
    file: str,
    message: str,
    *,
    member: str = "",
    sequence: str = "",
    found: str = "",
    expected: str = "",
) -> Problem:
    return Problem(
        code=code,
        severity=Severity.WARNING if code == "HOM913" else Severity.ERROR,
        message=message,
        place=Place(file, pointer=f"/{member}" if member else "", sequence=sequence),
        sequence=sequence,
        found=found,
        expected=expected,
        hint="remove it" if code == "HOM913" else "run `homage repair SHARDS CATALOG`",
    )


def _strangers(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    known = {MANIFEST, INDEX, *(shard.name for shard in manifest.shards)}
    for entry in sorted(folder.iterdir()):
        if entry.name not in known or entry.is_symlink():
            what = "a link" if entry.is_symlink() else "not in the manifest"
            yield _problem("HOM913", entry.name, CODES["HOM913"], found=what)


def _index(folder: Path, manifest: Manifest, problems: list[Problem]) -> Index | None:
    fault = _whole(folder, INDEX, manifest.index.bytes, manifest.index.sha256)
    if fault is not None:
        problems.append(fault)
        return None
    try:
        return index_of(manifest, (folder / INDEX).read_bytes(), INDEX)
    except ShardError as error:
        problems.append(_problem("HOM905", INDEX, error.message, found=error.found or ""))
        return None


def _whole(folder: Path, name: str, size: int, sha256: str) -> Problem | None:
    path = folder / name
    if not path.is_file() or path.is_symlink():
        return _problem("HOM902", name, CODES["HOM902"])
    there = path.stat().st_size
    if there != size:
        return _problem(
            "HOM903", name, CODES["HOM903"], found=f"{there:,} bytes", expected=f"{size:,}"
        )
    digest = sha256_file(path)
    if digest != sha256:
        return _problem(
            "HOM904", name, CODES["HOM904"], found=digest[:12] + "...", expected=sha256[:12] + "..."
        )
    return None


def _membership(samples: dict[str, SampleInfo], index: Index) -> Iterator[Problem]:
    for key in sorted(samples.keys() ^ index.keys()):
        where = "the manifest" if key in samples else "the index"
        yield _problem(
            "HOM909", INDEX, CODES["HOM909"], member=key, sequence=key, found=f"only in {where}"
        )
    for key in sorted(samples.keys() & index.keys()):
        sample = samples[key]
        for field in required(sample):
            if field not in index[key]:
                yield _problem(
                    "HOM908",
                    sample.shard,
                    CODES["HOM908"],
                    member=f"{key}.{field}",
                    sequence=sample.sequence,
                    found=", ".join(index[key]),
                )


def required(sample: SampleInfo) -> tuple[str, ...]:
    """The members that a sample must have, in their order."""
    extra = [part.field for part in (sample.sound, sample.sensors) if part is not None]
    return (META, ANNOTATIONS, *extra, *(view.field for view in sample.views))


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
        if fault.code == "HOM902":
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
            about = {"member": f"{key}.{field}", "sequence": sample.sequence if sample else key}
            if offset != expected or size > MAX_MEMBER_BYTES:
                yield _problem("HOM906", shard.name, "a gap or overlap between members", **about)
            expected = offset + size + -size % BLOCK + BLOCK
            file.seek(offset - BLOCK)
            header = file.read(BLOCK)
            data = file.read(min(size, MAX_MEMBER_BYTES))
            try:
                stated = parse_header(header.ljust(BLOCK, b"\0"), shard.name, offset - BLOCK)
                if stated != (key, field, size):
                    raise ShardError("a header of another member", found=f"{stated[0]}.{stated[1]}")
            except ShardError as error:
                message, found = error.message, error.found or ""
                yield _problem("HOM906", shard.name, message, found=found, **about)
            if len(data) < size:
                found = f"{len(data):,} of {size:,} bytes"
                yield _problem("HOM907", shard.name, "a member is cut short", found=found, **about)
            elif zlib.crc32(data) != crc:
                yield _problem("HOM907", shard.name, CODES["HOM907"], **about)
            if deep and sample is not None:
                try:
                    check_member(manifest, sample, field, data)
                except Mismatch as error:
                    yield _problem(
                        error.code, shard.name, CODES[error.code], found=error.found, **about
                    )
        file.seek(expected - BLOCK)
        if file.read() != bytes(2 * BLOCK):
            yield _problem("HOM906", shard.name, "the end of the shard is damaged")
