"""Making broken shards again from the catalog, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homage_sdk.errors import ShardError
from homage_sdk.progress import Meter, Progress
from homage_sdk.shards.format.index import manifest_copy
from homage_sdk.shards.format.manifest import (
    INDEX,
    MANIFEST,
    Manifest,
    parse_manifest,
    read_manifest,
)
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.tar import read_members
from homage_sdk.shards.packing.engines import processes
from homage_sdk.shards.packing.leftovers import LOCK, PLAN, clean
from homage_sdk.shards.packing.pack import collect, processors, write_manifest
from homage_sdk.shards.packing.plan import Plan, PlannedShard, make_plan
from homage_sdk.shards.packing.sample import Job
from homage_sdk.shards.packing.shard_file import ShardRecord, as_planned
from homage_sdk.shards.verifying.verify import verify
from homage_sdk.storage import exclusive, write_file

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.release.sensors import SensorReader


@dataclass(frozen=True, slots=True)
class RepairSummary:
    """What was made again."""

    path: Path
    rebuilt: tuple[str, ...]
    """Shards that were made again."""
    changed: tuple[str, ...]
    """Those whose bytes differ from before: other library versions, or changed videos."""
    recovered: bool = False
    """Whether the manifest was lost, and came back from its copy in the index."""


def repair(
    path: str | Path,
    dataset: Dataset,
    *,
    deep: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    sensor_reader: SensorReader | None = None,
) -> RepairSummary:
    """Make again the shards that ``verify`` finds broken, and index or manifest where they are.

    A lost manifest comes back from its copy in the index; shards are then held against it as ever.

    Args:
        path: the folder of shards.
        dataset: the catalog they were packed from; it may hold more sequences than they do.
        deep: look as hard as ``verify(deep=True)``.
        workers: processes; all processors when left out.
        progress: called with (samples done, samples to do).
        sensor_reader: the one that they were packed with, if any.

    Raises:
        ShardError: manifest and index are both lost, or the catalog is another one.
        MediaError: a video that was packed into a broken shard is not there now.
        StorageError: another process writes here, or the disk is full.

    """
    folder = Path(path)
    manifest, recovered = _manifest(folder)
    plan = _plan(folder, manifest, dataset)
    with exclusive(folder / LOCK, folder):
        if recovered:  # its entry for the index is blank, so that both are written anew below
            write_file(folder / MANIFEST, manifest.to_bytes())
        problems = verify(folder, deep=deep)
        files = {p.place.file for p in problems if p.severity == "error"}
        broken = [
            shard for shard in plan.shards if shard.name in files or not _holds_all(manifest, shard)
        ]
        _require_videos(dataset, manifest, broken)
        meter = Meter(progress, sum(len(shard.samples) for shard in broken))
        job = Job(dataset, plan.options, sensor_reader)
        processes.run(job, broken, folder, workers=workers or processors(), meter=meter)
        records = {record.info.name: record for record in collect(folder, broken)}
        before = {shard.name: shard.sha256 for shard in manifest.shards}
        changed = [name for name, r in records.items() if r.info.sha256 != before.get(name)]
        if files or broken:
            kept = [records.get(s.name) or _kept(folder, manifest, s) for s in plan.shards]
            write_manifest(folder, dataset, plan, kept)
        clean(folder)
    return RepairSummary(folder, tuple(sorted(records)), tuple(sorted(changed)), recovered)


def _require_videos(dataset: Dataset, manifest: Manifest, broken: list[PlannedShard]) -> None:
    """Refuse to make a shard again without the videos that were in it."""
    names = {shard.name for shard in broken}
    for sample in manifest.samples:
        if sample.shard in names:
            for view in sample.views:
                dataset[sample.sequence].view(view.number).file()


def _manifest(folder: Path) -> tuple[Manifest, bool]:
    """The manifest, and whether only the copy in the index could be read."""
    try:
        return read_manifest(folder), False
    except ShardError as error:
        begun = (folder / PLAN).is_file() and not (folder / MANIFEST).is_file()
        if begun or not any(folder.glob("*.tar")):
            raise
        path = folder / INDEX
        copy = manifest_copy(path.read_bytes()) if path.is_file() else None
        if copy is None:
            raise ShardError(
                "manifest and index are both lost",
                place=str(folder),
                found=error.message,
                hint="nothing tells what the shards should be: pack again into a new folder",
            ) from error
        return parse_manifest(copy, f"the copy in {path}"), True


def _plan(folder: Path, manifest: Manifest, dataset: Dataset) -> Plan:
    there = {sample.sequence for sample in manifest.samples}
    missing = sorted(there - set(dataset.ids))
    plan = None
    if not missing:
        plan = make_plan(dataset.select(sorted(there)), PackOptions.from_json(manifest.options))
    if plan is None or plan.dataset != manifest.dataset:
        raise ShardError(
            "the catalog is not the one that these shards were packed from",
            place=str(folder / MANIFEST),
            found=f"no sequence {missing[0]}" if missing else "other labels",
            expected=f"catalog {manifest.dataset[:12]}...",
            hint="pack again into a new folder",
        )
    return plan


def _holds_all(manifest: Manifest, shard: PlannedShard) -> bool:
    """Whether the manifest names for this shard the samples that are planned for it."""
    stated = {sample.key for sample in manifest.samples if sample.shard == shard.name}
    return stated == {planned.key for planned in shard.samples}


def _kept(folder: Path, manifest: Manifest, shard: PlannedShard) -> ShardRecord:
    """The record of a sound shard, from its own headers and the manifest."""
    path = folder / shard.name
    info = next(each for each in manifest.shards if each.name == shard.name)
    with path.open("rb") as file:
        members = [member for member, _ in read_members(file, shard.name)]
    samples = {sample.key: sample for sample in manifest.samples if sample.shard == shard.name}
    order = as_planned(
        shard,
        dict.fromkeys(member.key for member in members),
        str,
        place=path,
        hint="remove this file and run the same command again",
    )
    sequences = {sample.sequence for sample in samples.values()}
    quarantine = tuple(q for q in manifest.quarantine if q.sequence in sequences)
    return ShardRecord(
        info=info,
        samples=tuple(samples[key] for key in order),
        members=tuple(members),
        quarantine=quarantine,
    )
