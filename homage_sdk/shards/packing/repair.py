"""Making broken shards again from the catalog, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
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
    Quarantined,
    parse_manifest,
    read_manifest,
)
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.packing.engines import processes
from homage_sdk.shards.packing.finish import finish
from homage_sdk.shards.packing.job import Job
from homage_sdk.shards.packing.pack import processors
from homage_sdk.shards.packing.plan import Plan, make_plan
from homage_sdk.shards.packing.stage import begin, stages
from homage_sdk.shards.packing.survey import Earlier, Survey, reusable
from homage_sdk.shards.verifying.verify import verify
from homage_sdk.storage import write_file
from homage_sdk.storage.commit import current, holding

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.release.sensors import SensorReader


@dataclass(frozen=True, slots=True)
class RepairSummary:
    """What was made again."""

    path: Path
    rebuilt: tuple[str, ...]
    """Shards that were broken, and those that a view was left out of before and is in now."""
    changed: tuple[str, ...]
    """Those whose bytes differ from before: other library versions, or changed videos."""
    recovered: bool = False
    """Whether the manifest was lost or changed, and came back from its copy in the index."""
    quarantine: tuple[Quarantined, ...] = ()
    """What is still left out."""


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

    What was left out of the others is tried again. Members of broken shards that are whole, and
    made from the same files, are kept. A lost or changed manifest comes back from its copy in the
    index; shards are then held against it as ever. Where manifest and copy differ, and nothing
    shows which of them was changed, every shard is made again.

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
    _plan(Path(path), _stated(Path(path)).manifest, dataset)  # refuses before anything is touched
    with holding(Path(path), MANIFEST) as folder:
        stated = _stated(folder)
        manifest = stated.manifest
        plan = _plan(folder, manifest, dataset)
        if stated.is_copy:  # its entry for the index is blank, so that both are written anew below
            write_file(folder / MANIFEST, manifest.to_bytes())
        problems = verify(folder, deep=deep)
        files = {p.place.file for p in problems if p.severity == "error"}
        earlier = Earlier.read(folder, manifest, files)
        broken = {s.name for s in plan.shards if stated.is_doubtful or not earlier.holds(s)}
        _require_videos(dataset, manifest, broken)
        todo = [s for s in plan.shards if s.name in broken or earlier.left_out(s)]
        records = {s.name: earlier.record(s) for s in plan.shards if s not in todo}
        found = Survey(plan, records, tuple(todo), earlier, reusable(folder, dataset.root, earlier))
        meter = Meter(progress, sum(len(shard.samples) for shard in todo))
        job = Job(dataset, plan.options, sensor_reader, found.reuse)
        stage = begin(folder, plan)
        processes.run(job, todo, stage, workers=workers or processors(), meter=meter)
        now, new = finish(folder, dataset, found, stage)
        before = {shard.sha256 for shard in manifest.shards}
        changed = {s.name for s in now.shards if s.name in new and s.sha256 not in before}
    made, other = tuple(sorted(broken | new)), tuple(sorted(changed))
    return RepairSummary(Path(path), made, other, stated.is_copy, now.quarantine)


def _require_videos(dataset: Dataset, manifest: Manifest, broken: Collection[str]) -> None:
    """Refuse to make a shard again without the videos that were in it."""
    for sample in manifest.samples:
        if sample.shard in broken:
            for view in sample.views:
                dataset[sample.sequence].view(view.number).file()


@dataclass(frozen=True, slots=True)
class _Stated:
    """The manifest that a repair goes by."""

    manifest: Manifest
    is_copy: bool = False
    """It is the copy in the index: the one beside it was lost or changed."""
    is_doubtful: bool = False
    """The copy is another, and nothing shows which of the two was changed."""


def _stated(folder: Path) -> _Stated:
    """What shards should be; ShardError where nothing tells.

    An index that has the checksum in the manifest is as it was written, so is the copy it keeps.
    """
    path = current(folder, INDEX)
    index = path.read_bytes() if path.is_file() else b""
    copy = manifest_copy(index)
    try:
        manifest = read_manifest(folder)
    except ShardError as error:
        begun = bool(stages(folder)) and not (folder / MANIFEST).is_file()
        if begun or not any(folder.glob("*.tar")):
            raise
        if copy is None:
            raise ShardError(
                "manifest and index are both lost",
                place=str(folder),
                found=error.message,
                hint="nothing tells what the shards should be: pack again into a new folder",
            ) from error
        return _Stated(parse_manifest(copy, f"the copy in {path}"), is_copy=True)
    if copy is None or copy == manifest.without_index():
        return _Stated(manifest)
    if hashlib.sha256(index).hexdigest() != manifest.index.sha256:
        return _Stated(manifest, is_doubtful=True)
    return _Stated(parse_manifest(copy, f"the copy in {path}"), is_copy=True)


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
            hint="`homage pack CATALOG SHARDS` brings them up to date, broken ones too",
        )
    return plan
