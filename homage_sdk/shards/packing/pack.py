"""Packing a catalog into shards: planned, resumable, the same bytes for any number of workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from homage_sdk.errors import MediaError, UsageError, require_known
from homage_sdk.folders import PARTS_FOLDER, look
from homage_sdk.progress import Meter, Progress
from homage_sdk.shards.format.manifest import (
    MANIFEST,
    Manifest,
    OlderManifest,
    Quarantined,
    read_manifest_or_older,
)
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.shard_set import ShardSet, other_sizes
from homage_sdk.shards.packing.engines import processes, ray
from homage_sdk.shards.packing.finish import finish
from homage_sdk.shards.packing.job import Job
from homage_sdk.shards.packing.plan import Plan, chosen_views, make_plan
from homage_sdk.shards.packing.reuse import Reuse
from homage_sdk.shards.packing.stage import begin, has_leftovers, stages
from homage_sdk.shards.packing.survey import Earlier, Survey, survey
from homage_sdk.shards.shards_card import shards_card
from homage_sdk.storage.commit import (
    LOCK,
    OUR_NAMES,
    current,
    holding,
    real,
    refuse_in_the_way,
)
from homage_sdk.storage.dataset_card import CARD, CardState, read_card, stays

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
    damaged: tuple[str, ...] = ()
    """Packed views that lack good pictures, in words: those frames are marked (``gaps``)."""
    card: CardState = CardState.OURS
    """Whose ``README.md`` is; one that is not as we wrote it was left as it is."""


def pack(
    dataset: Dataset,
    out: Path,
    options: PackOptions | None = None,
    *,
    workers: int | None = None,
    starting: Callable[[Survey], object] | None = None,
    progress: Progress | None = None,
    engine: Literal["processes", "ray"] = "processes",
    address: str | None = None,
    sensor_reader: SensorReader | None = None,
) -> PackSummary:
    """Pack the sequences of ``dataset`` into WebDataset shards in the folder ``out``.

    Called again after videos were added or labels corrected, it writes the shards whose bytes
    change, and encodes what was made from other files; the result is that of a new folder, byte for
    byte. Killed at any moment, ``out`` is as before, and the same call goes on where it stopped. A
    video that cannot be read is left out, listed in ``Manifest.quarantine`` and tried again by the
    next call. What was packed from a video that is not there now stays. Shards of an older schema
    are replaced whole.

    Args:
        dataset: what to pack.
        out: a new folder, or one that an earlier call with the same options wrote or began.
        options: the payload; the defaults are the preset ``ccau``.
        workers: processes; all processors when left out, 1 packs in this process.
        starting: called once, with what is kept and what is made, before work begins; not when
            everything is there already.
        progress: called with (samples done, samples in all).
        engine: ``"processes"`` of this machine, or ``"ray"`` for many (see ``engines.ray``).
        address: of the Ray cluster; a local one is started when left out.
        sensor_reader: reads sensor files of another format than the documented CSV, as at ingest.

    Raises:
        UsageError: nothing is selected, ``out`` holds something else or shards of other options, or
            no such engine is there.
        MediaError: there is something to encode, and not one of the selected videos is there.
        ShardError: a file of the shards in ``out`` is gone or has another size.
        StorageError: the disk is full, or another process is packing into ``out``.

    """
    require_known("engine", engine, ("processes", "ray"))
    options = options or PackOptions()
    plan = make_plan(dataset, options)
    if (done := _complete(real(Path(out)), dataset, plan, options)) is not None:
        return _summary(Path(out), done.manifest, 0)
    with holding(Path(out), MANIFEST) as folder:
        job = Job(dataset, plan.options, sensor_reader)
        found = _survey(folder, job, plan, options)
        if found.todo and found.wants_media:
            _require_media(dataset, options)
        stage = begin(folder, plan)
        if starting is not None and found.todo:
            starting(found)
        before = plan.n_samples - sum(len(shard.samples) for shard in found.todo)
        meter = Meter(progress, plan.n_samples, before)
        job = replace(job, reuse=found.reuse)
        if engine == "ray":
            ray.run(job, found.todo, stage, address=address, meter=meter)
        else:
            processes.run(job, found.todo, stage, workers=workers or processors(), meter=meter)
        manifest, made = finish(folder, dataset, found, stage)
    return _summary(Path(out), manifest, len(made))


def look_ahead(
    dataset: Dataset,
    out: Path,
    options: PackOptions | None = None,
    *,
    sensor_reader: SensorReader | None = None,
) -> Survey:
    """What ``pack`` would keep and make. Writes nothing; raises what ``pack`` raises at once."""
    options, out = options or PackOptions(), real(Path(out))
    plan = make_plan(dataset, options)
    if (done := _complete(out, dataset, plan, options)) is not None:
        records = {shard.name: done.record(shard) for shard in plan.shards}
        n_kept = sum(map(len, done.made_from.values()))
        return Survey(plan, records, (), done, Reuse(dataset.root), n_kept)
    return _survey(out, Job(dataset, plan.options, sensor_reader), plan, options)


def _survey(out: Path, job: Job, plan: Plan, options: PackOptions) -> Survey:
    """Refuse a folder of something else; else what is kept and what is made."""
    earlier = older = None
    if current(out, MANIFEST).is_file():
        manifest = read_manifest_or_older(out)
        if isinstance(manifest, OlderManifest):
            known = {each.name for each in fields(options)} & manifest.options.keys()
            stated = {name: manifest.options[name] for name in known}
            _require_options(out, plan.options.to_json() | stated, plan, options)
            older = frozenset(shard.name for shard in manifest.shards)
        else:
            if manifest.dataset == plan.dataset:
                ShardSet.open(out)  # every file is there; else `repair` is for it
            _require_options(out, manifest.options, plan, options)
            broken = {stated.name for stated, _ in other_sizes(out, manifest)}
            earlier = Earlier.read(out, manifest, broken)
    for begun in stages(out).values():
        _require_options(out, begun, plan, options)
    if earlier is None and older is None and not stages(out) and _others(out):
        there = look(out)
        raise UsageError(
            "the folder is not empty",
            place=out,
            found=there.found,
            expected="a new or empty folder",
            hint=there.hint or None,
        )
    found = replace(survey(out, job, plan, earlier), older=older)
    refuse_in_the_way(out, {s.name for s in found.todo}, found.there or ())
    return found


def _others(out: Path) -> bool:
    ours = (LOCK, PARTS_FOLDER, *((CARD,) if read_card(out)[0] is CardState.OURS else ()))
    return out.is_dir() and any(path.name not in ours for path in out.iterdir())


def _require_options(out: Path, there: dict[str, Any], plan: Plan, options: PackOptions) -> None:
    """Raise UsageError where shards were packed, or begun, with other options."""
    wanted = plan.options.to_json()
    if options.sensors:  # whether there are any is a matter of the catalog
        there, wanted = there | {"sensors": True}, wanted | {"sensors": True}
    for name in sorted(there.keys() | wanted.keys()):
        before, now = there.get(name, False), wanted.get(name, False)
        if before != now:
            raise UsageError(
                f"the folder holds shards packed with another {name}",
                place=out,
                found=str(before),
                expected=str(now),
                hint="choose another folder, or pack with the options of this one",
            )


def _complete(out: Path, dataset: Dataset, plan: Plan, options: PackOptions) -> Earlier | None:
    """The shards of a folder that already is what was asked for; nothing is touched."""
    if not (out / MANIFEST).is_file() or has_leftovers(out):
        return None
    if any((out / name).exists() for name in OUR_NAMES):
        return None
    manifest = read_manifest_or_older(out)
    if isinstance(manifest, OlderManifest):
        return None
    _require_options(out, manifest.options, plan, options)
    if not plan.is_of(manifest) or manifest.quarantine:
        return None
    if not stays(out) and read_card(out)[1] != shards_card(manifest):
        return None
    ShardSet.open(out)  # every file is there
    there = Earlier.read(out, manifest)
    return there if Reuse(dataset.root).unchanged(there.made_from) else None


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
        card=read_card(out)[0],
        damaged=tuple(
            f"{sample.key} v{view.number:03d}: {view.n_missing} of {view.n_frames} pictures"
            for sample in manifest.samples
            for view in sample.views
            if view.gaps
        ),
    )


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
