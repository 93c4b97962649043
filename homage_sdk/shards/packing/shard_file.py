"""The unit of work: one shard, made by one worker, visible only when whole.

A finished shard is two files: the tar in the stage, and a record of its members beside the stage. A
run that is killed leaves finished shards, and at most names that begin with ``.tmp-``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from homage_sdk.errors import ShardError
from homage_sdk.shards.format.manifest import MAX_BYTES, Quarantined, SampleInfo, ShardInfo
from homage_sdk.shards.format.strict_json import StrictModel, parse_json
from homage_sdk.shards.format.tar import Member, ShardWriter
from homage_sdk.shards.packing.inputs import MadeFrom
from homage_sdk.shards.packing.job import Job
from homage_sdk.shards.packing.plan import PlannedShard
from homage_sdk.shards.packing.sample import MadeSample, make_sample
from homage_sdk.shards.packing.stage import record_path
from homage_sdk.storage import explained, write_file
from homage_sdk.storage.trees import fsync_folder

Made = TypeVar("Made")


class ShardRecord(StrictModel):
    """What was written into one shard, as kept beside the plan until the manifest is written."""

    info: ShardInfo
    samples: tuple[SampleInfo, ...]
    members: tuple[Member, ...]
    quarantine: tuple[Quarantined, ...]
    made_from: dict[str, dict[str, MadeFrom]] = Field(default_factory=dict)
    """Of the encoded members, by sample key and field."""


def read_record(stage: Path, shard: str) -> ShardRecord | None:
    """The record of a shard in a stage, or None where it is not whole on disk."""
    path = record_path(stage, shard)
    try:
        data = path.read_bytes()
        record = parse_json(ShardRecord, data, str(path), what="record", max_bytes=MAX_BYTES)
        size = (stage / shard).stat().st_size
    except (OSError, ShardError):
        return None
    return record if size == record.info.bytes else None


def finished(folder: Path, shard: PlannedShard) -> ShardRecord | None:
    """The record of a shard that is whole on disk, or None."""
    record = read_record(folder, shard.name)
    keys = tuple(sample.key for sample in shard.samples)
    return record if record and keys == tuple(s.key for s in record.samples) else None


def as_planned(
    shard: PlannedShard,
    made: Iterable[Made],
    key_of: Callable[[Made], str],
    *,
    place: Path,
    hint: str,
) -> Iterator[Made]:
    """Pass on what was made for a shard, as long as it is what was planned for it.

    Raises ShardError at the first sample that is missing, too many, another one or out of place.
    """
    for number, (planned, one) in enumerate(zip_longest(shard.samples, made), 1):
        found = None if one is None else key_of(one)
        expected = None if planned is None else planned.key
        if one is None or found != expected:
            raise ShardError(
                "the samples of a shard are not those planned for it",
                place=place,
                found=f"{found or 'nothing more'} at place {number}",
                expected=expected or f"{len(shard.samples)} samples and no more",
                hint=hint,
            )
        yield one


def make_shard(
    job: Job,
    shard: PlannedShard,
    folder: Path,
    tick: Callable[[], object] = lambda: None,
) -> ShardRecord:
    """Encode and write one shard in this process: see ``write_shard``."""
    made = (make_sample(job, planned, shard.name) for planned in shard.samples)
    return write_shard(folder, shard, made, tick)


def write_shard(
    folder: Path,
    shard: PlannedShard,
    made: Iterable[MadeSample],
    tick: Callable[[], object] = lambda: None,
) -> ShardRecord:
    """Write one shard into ``folder``: a temporary name, fsync, rename, then its record.

    ``made`` gives the samples of the shard in their order; ``tick`` is called after each. Raises
    StorageError when the disk refuses, and ShardError when ``made`` gives other samples than are
    planned, fewer or more; then nothing of it stays, and nothing is recorded.
    """
    target = folder / shard.name
    temporary = folder / f".tmp-{shard.name}-{os.getpid()}"
    digest = hashlib.sha256()
    samples: list[SampleInfo] = []
    quarantine: list[Quarantined] = []
    made_from: dict[str, dict[str, MadeFrom]] = {}
    with explained(target):
        try:
            with temporary.open("wb") as file:

                def write(data: bytes) -> None:
                    file.write(data)
                    digest.update(data)

                writer = ShardWriter(write)
                planned = as_planned(
                    shard,
                    made,
                    lambda one: one.info.key,
                    place=target,
                    hint="nothing of it was kept: run the same command again",
                )
                for sample in planned:
                    for field, content in sample.members:
                        writer.add(sample.info.key, field, content)
                    samples.append(sample.info)
                    quarantine.extend(sample.quarantine)
                    made_from[sample.info.key] = sample.made_from
                    tick()
                writer.finish()
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            fsync_folder(folder)
        finally:
            temporary.unlink(missing_ok=True)
    info = ShardInfo(
        name=shard.name, bytes=writer.bytes, sha256=digest.hexdigest(), samples=len(samples)
    )
    record = ShardRecord(
        info=info,
        samples=tuple(samples),
        members=tuple(writer.members),
        quarantine=tuple(quarantine),
        made_from=made_from,
    )
    write_file(record_path(folder, shard.name), record.to_bytes())
    return record
