"""Packing a catalog into shards: planned, resumable, the same bytes for any number of workers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from homage_sdk.errors import MediaError, StorageError, UsageError
from homage_sdk.folders import look
from homage_sdk.progress import Meter, Progress
from homage_sdk.shards.format.index import index_bytes
from homage_sdk.shards.format.manifest import (
    INDEX,
    MANIFEST,
    SCHEMA_VERSION,
    Class,
    IndexInfo,
    Manifest,
    Quarantined,
    read_manifest,
)
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.shard_set import ShardSet
from homage_sdk.shards.packing.engines import processes, ray
from homage_sdk.shards.packing.leftovers import LOCK, PLAN, clean, leftovers, sweep
from homage_sdk.shards.packing.plan import Plan, PlannedShard, chosen_views, make_plan
from homage_sdk.shards.packing.sample import Job
from homage_sdk.shards.packing.shard_file import ShardRecord, finished
from homage_sdk.storage import exclusive, explained, write_file
from homage_sdk.taxonomy import KINDS
from homage_sdk.version import __version__

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.release.sensors import SensorReader


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What a call of ``pack`` left behind."""

    path: Path
    shards: int
    samples: int
    bytes: int
    made: int
    """Shards written by this call; 0 when everything was there already."""
    quarantine: tuple[Quarantined, ...]


def pack(
    dataset: Dataset,
    out: Path,
    options: PackOptions | None = None,
    *,
    workers: int | None = None,
    starting: Callable[[Plan, Sequence[PlannedShard]], object] | None = None,
    progress: Progress | None = None,
    engine: Literal["processes", "ray"] = "processes",
    address: str | None = None,
    sensor_reader: SensorReader | None = None,
) -> PackSummary:
    """Pack the sequences of ``dataset`` into WebDataset shards in the folder ``out``.

    Killed at any moment, the same call goes on where it stopped and ends with the same bytes. A
    video that cannot be read is left out and listed in ``Manifest.quarantine``.

    Args:
        dataset: what to pack.
        out: a new folder, or one that an earlier call with the same arguments began.
        options: the payload; the defaults are the preset ``ccau``.
        workers: processes; all processors when left out, 1 packs in this process.
        starting: called once, with the plan and the shards still to make, before work begins; not
            when everything is there already.
        progress: called with (samples done, samples in all).
        engine: ``"processes"`` of this machine, or ``"ray"`` for many (see ``engines.ray``).
        address: of the Ray cluster; a local one is started when left out.
        sensor_reader: reads sensor files of another format than the documented CSV, as at ingest.

    Raises:
        UsageError: nothing is selected, ``out`` holds something else, or no such engine is there.
        MediaError: not one of the selected videos is there.
        ShardError: everything was packed before, and a file of it is gone or has another size.
        StorageError: the disk is full, or another process is packing into ``out``.

    """
    if engine not in ("processes", "ray"):
        raise UsageError(f"no engine {engine!r}", expected="processes or ray")
    out = Path(out)
    options = options or PackOptions()
    plan = make_plan(dataset, options)
    done = _complete(out, plan)
    if done is not None:
        if leftovers(out):  # of one killed after its last write, or at work still: then refused
            with exclusive(out / LOCK, out):
                clean(out)
        return _summary(out, done, 0)
    _require_media(dataset, options)
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    with exclusive(out / LOCK, out):
        _adopt(out, plan)
        records = {s.name: r for s in plan.shards if (r := finished(out, s)) is not None}
        todo = [shard for shard in plan.shards if shard.name not in records]
        before = plan.n_samples - sum(len(shard.samples) for shard in todo)
        if starting is not None:
            starting(plan, todo)
        meter = Meter(progress, plan.n_samples, before)
        job = Job(dataset, plan.options, sensor_reader)
        if engine == "ray":
            ray.run(job, todo, out, address=address, meter=meter)
        else:
            processes.run(job, todo, out, workers=workers or processors(), meter=meter)
        manifest = write_manifest(out, dataset, plan, collect(out, plan.shards))
        clean(out)
    return _summary(out, manifest, len(todo))


def write_manifest(
    out: Path, dataset: Dataset, plan: Plan, records: Sequence[ShardRecord]
) -> Manifest:
    """Write index and manifest, the manifest last: from then on the folder is complete."""
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
                Class(id=c.id, raw=c.raw, slug=c.slug) for c in dataset.taxonomy(kind).values()
            )
            for kind in KINDS
        },
        index=IndexInfo(bytes=0, sha256="0" * 64),
        shards=tuple(record.info for record in records),
        samples=tuple(samples),
        quarantine=tuple(quarantine[key] for key in sorted(quarantine)),
    )
    index = index_bytes(((r.info.name, r.members) for r in records), manifest.to_bytes())
    write_file(out / INDEX, index)
    written = IndexInfo(bytes=len(index), sha256=hashlib.sha256(index).hexdigest())
    manifest = manifest.model_copy(update={"index": written})
    write_file(out / MANIFEST, manifest.to_bytes())
    return manifest


def made_by() -> dict[str, str]:
    """The versions that decide the bytes."""
    import av

    libraries: dict[str, str] = {
        str(name): ".".join(map(str, av.library_versions[name]))
        for name in ("libavcodec", "libavformat", "libswscale")
        if name in av.library_versions
    }
    return {"homage_sdk": __version__, "av": av.__version__, **libraries}


def _complete(out: Path, plan: Plan) -> Manifest | None:
    """The manifest of a folder that already is what was asked for."""
    if not (out / MANIFEST).is_file():
        return None
    manifest = read_manifest(out)
    same = manifest.dataset == plan.dataset and manifest.options == plan.options.to_json()
    if not same:
        changed = "options" if manifest.dataset == plan.dataset else "labels or sequences"
        raise UsageError(
            "shards of something else are here already",
            place=str(out),
            found=f"other {changed}",
            hint="choose another folder, or remove this one first",
        )
    ShardSet.open(out)  # every file is there
    return manifest


def _adopt(out: Path, plan: Plan) -> None:
    """Make ``out`` ours: a new folder, or one begun with the same plan."""
    sweep(out)
    written = plan.to_bytes()
    path = out / PLAN
    if path.is_file():
        if path.read_bytes() != written:
            raise UsageError(
                "another packing run was begun here",
                place=str(out),
                found="a plan of other options or labels",
                hint="finish it with its own options, choose another folder, or remove this one",
            )
        return
    if any(p.name != LOCK for p in out.iterdir()):
        there = look(out)
        raise UsageError(
            "the folder is not empty",
            place=out,
            found=there.found,
            expected="a new or empty folder",
            hint=there.hint or None,
        )
    write_file(path, written)


def collect(out: Path, shards: Iterable[PlannedShard]) -> list[ShardRecord]:
    """The records of shards that are all finished; StorageError when one is not."""
    records = []
    for shard in shards:
        record = finished(out, shard)
        if record is None:
            raise StorageError(
                "a shard vanished while packing",
                place=str(out / shard.name),
                hint="run the same command again",
            )
        records.append(record)
    return records


def _require_media(dataset: Dataset, options: PackOptions) -> None:
    """Refuse to quarantine a whole dataset because its media were moved."""
    missing = 0
    for sequence in dataset:
        for view in chosen_views(sequence, options):
            if view.path is None:
                continue
            if view.is_available:
                return
            missing += 1
    if missing:
        raise MediaError(
            "not one of the videos is there",
            place=str(dataset.root or dataset.path),
            found=f"{missing} missing files",
            hint="say where the media are now: --root FOLDER",
        )


def _summary(out: Path, manifest: Manifest, made: int) -> PackSummary:
    return PackSummary(
        path=out,
        shards=len(manifest.shards),
        samples=len(manifest.samples),
        bytes=sum(shard.bytes for shard in manifest.shards),
        made=made,
        quarantine=manifest.quarantine,
    )


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
