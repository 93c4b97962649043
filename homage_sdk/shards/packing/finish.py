"""The end of a packing run: index, manifest and inputs, and all of it counts at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homage_sdk.errors import StorageError
from homage_sdk.shards.format.index import index_bytes
from homage_sdk.shards.format.manifest import (
    INDEX,
    INPUTS,
    MANIFEST,
    SCHEMA_VERSION,
    Class,
    IndexInfo,
    Manifest,
)
from homage_sdk.shards.packing.inputs import inputs_bytes, made_by
from homage_sdk.shards.packing.plan import Plan, PlannedShard
from homage_sdk.shards.packing.shard_file import ShardRecord, finished
from homage_sdk.shards.packing.stage import clean, sweep
from homage_sdk.shards.packing.survey import Survey
from homage_sdk.shards.shards_card import shards_card
from homage_sdk.storage import sha256_file, write_file
from homage_sdk.storage.commit import commit
from homage_sdk.storage.dataset_card import CARD, stays
from homage_sdk.taxonomy import KINDS

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset


def finish(out: Path, dataset: Dataset, found: Survey, stage: Path) -> tuple[Manifest, set[str]]:
    """Make what is staged the state of ``out``, with index and manifest.

    Returns the manifest, and which of the shards that were to do have other bytes than before; the
    others stay the files they are.
    """
    records = {record.info.name: record for record in collect(stage, found.todo)} | found.records
    manifest, files = describe(dataset, found.plan, [records[s.name] for s in found.plan.shards])
    if not stays(out):
        files[CARD] = shards_card(manifest)
    new = set()
    for name, record in records.items():
        if (stage / name).is_file():
            path = out / name
            if path.is_file() and sha256_file(path) == record.info.sha256:
                (stage / name).unlink()
            else:
                new.add(name)
    differ = {name for name, data in files.items() if _bytes_of(out / name) != data}
    if new or found.removed or differ - {INPUTS}:
        for name, data in files.items():
            write_file(stage / name, data)
        sweep(stage)
        ours = {CARD} & files.keys() if found.there is None else {*files, *found.there}
        commit(out, stage, ours & {*new, *files, *found.removed}, MANIFEST)
    elif differ:
        write_file(out / INPUTS, files[INPUTS])
    clean(out)
    return manifest, new & {shard.name for shard in found.todo}


def describe(
    dataset: Dataset, plan: Plan, records: Sequence[ShardRecord]
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of these shards, and the files that lie beside them, by name."""
    samples = sorted((s for r in records for s in r.samples), key=lambda s: s.key)
    quarantine = {
        q.order: q for r in records for q in r.quarantine
    }  # a window of a broken video is one fault, not many
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        made_by=made_by(),
        options=plan.options.to_json(),
        dataset=plan.dataset,
        taxonomy={
            kind: tuple(
                Class(id=c.id, name=c.name, slug=c.slug) for c in dataset.taxonomy(kind).values()
            )
            for kind in KINDS
        },
        index=IndexInfo(bytes=0, sha256="0" * 64),
        shards=tuple(record.info for record in records),
        samples=tuple(samples),
        quarantine=tuple(quarantine[key] for key in sorted(quarantine)),
    )
    index = index_bytes(((r.info.name, r.members) for r in records), manifest.without_index())
    written = IndexInfo(bytes=len(index), sha256=hashlib.sha256(index).hexdigest())
    manifest = manifest.model_copy(update={"index": written})
    made = {key: made for record in records for key, made in record.made_from.items()}
    inputs = inputs_bytes((m for record in records for m in record.members), made)
    return manifest, {MANIFEST: manifest.to_bytes(), INDEX: index, INPUTS: inputs}


def collect(stage: Path, shards: Iterable[PlannedShard]) -> list[ShardRecord]:
    """The records of shards that are all finished; StorageError when one is not."""
    records = []
    for shard in shards:
        record = finished(stage, shard)
        if record is None:
            raise StorageError(
                "a shard vanished while packing",
                place=str(stage / shard.name),
                hint="run the same command again",
            )
        records.append(record)
    return records


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
