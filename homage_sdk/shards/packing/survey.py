"""What a packing run keeps and what it makes, found out before any of it is made."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from homage_sdk.shards.format.annotations import ANNOTATIONS
from homage_sdk.shards.format.index import Index, index_of
from homage_sdk.shards.format.manifest import INDEX, Manifest, ShardInfo
from homage_sdk.shards.format.sample_meta import META
from homage_sdk.shards.format.sensor_array import SENSORS
from homage_sdk.shards.format.tar import Member, read_members
from homage_sdk.shards.packing.inputs import MadeFrom, MadeMembers, made_by, read_inputs
from homage_sdk.shards.packing.job import Encoded, EncodedMember, Job, Wanted
from homage_sdk.shards.packing.plan import Plan, PlannedShard
from homage_sdk.shards.packing.reuse import Kept, Reuse, read_member
from homage_sdk.shards.packing.sample import MadeSample, make_sample
from homage_sdk.shards.packing.shard_file import ShardRecord, as_planned, finished, read_record
from homage_sdk.shards.packing.stage import stage_of, stages
from homage_sdk.storage.commit import reading


@dataclass(frozen=True, slots=True)
class Earlier:
    """The complete shards of a folder, as their manifest states them."""

    folder: Path
    manifest: Manifest
    members: dict[str, tuple[Member, ...]]
    """By shard, in their order."""
    made_from: MadeMembers
    broken: frozenset[str] = frozenset()
    """Shards that are not what the manifest states; whole members of theirs may serve."""

    @classmethod
    def read(cls, folder: Path, manifest: Manifest, broken: Collection[str] = ()) -> Earlier:
        """Index and inputs of a folder; where ``broken`` names the index, the shards tell."""
        if INDEX in broken:
            members = {
                shard.name: _headers(folder / shard.name)
                for shard in manifest.shards
                if shard.name not in broken
            }
        else:
            data = reading(folder, INDEX, Path.read_bytes)
            members = _by_shard(index_of(manifest, data, str(folder / INDEX)))
        made_from = read_inputs(folder, chain(*members.values()))
        return cls(folder, manifest, members, made_from, frozenset(broken))

    @property
    def infos(self) -> dict[str, ShardInfo]:
        """What the manifest says of each shard."""
        return {shard.name: shard for shard in self.manifest.shards}

    def record(self, shard: PlannedShard) -> ShardRecord:
        """The record of a shard that stays; ShardError where it is not as planned."""
        members = self.members[shard.name]
        samples = {s.key: s for s in self.manifest.samples if s.shard == shard.name}
        order = as_planned(
            shard,
            dict.fromkeys(member.key for member in members),
            str,
            place=self.folder / shard.name,
            hint="remove this file and run the same command again",
        )
        sequences = {sample.sequence for sample in samples.values()}
        return ShardRecord(
            info=self.infos[shard.name],
            samples=tuple(samples[key] for key in order),
            members=members,
            quarantine=tuple(q for q in self.manifest.quarantine if q.sequence in sequences),
            made_from={key: dict(self.made_from.get(key, {})) for key in samples},
        )

    def holds(self, shard: PlannedShard) -> bool:
        """Whether the samples of ``shard`` lie in the one of its name, as far as it is stated."""
        keys = dict.fromkeys(member.key for member in self.members.get(shard.name, ()))
        stated = {s.key for s in self.manifest.samples if s.shard == shard.name}
        is_planned = tuple(keys) == tuple(p.key for p in shard.samples) and stated == set(keys)
        return is_planned and shard.name not in self.broken

    def is_current(self, shard: PlannedShard, job: Job, reuse: Reuse) -> bool:
        """Whether a shard of the same catalog, options and libraries is what would be made now."""
        if not self.holds(shard) or self.left_out(shard):
            return False
        if not self.made_from:  # nothing tells what it was made from, and nothing speaks against it
            return True
        known = {planned.key: self.made_from.get(planned.key, {}) for planned in shard.samples}
        for member in self.members[shard.name]:
            made = known[member.key].get(member.field)
            if member.field not in (META, ANNOTATIONS) and not (
                made and made.maker == job.maker and job.may_keep(member.field)
            ):
                return False
        return reuse.unchanged(known)

    def left_out(self, shard: PlannedShard) -> bool:
        """Whether anything of these samples could not be packed."""
        sequences = {planned.sequence for planned in shard.samples}
        return any(q.sequence in sequences for q in self.manifest.quarantine)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run will write, and what it keeps."""

    plan: Plan
    records: dict[str, ShardRecord]
    """Of the shards that are there already."""
    todo: tuple[PlannedShard, ...]
    """The shards that are written: made anew, or with other members than before."""
    earlier: Earlier | None
    """What is replaced."""
    reuse: Reuse
    n_kept: int = 0
    """Encoded members that are kept."""
    to_encode: Counter[str] = field(default_factory=Counter)
    """Encoded members that are made, by the reason; empty where nothing could be kept."""
    wants_media: bool = True
    older: frozenset[str] | None = None
    """Shards of an older schema, which are replaced whole; None where there are none of it."""

    @property
    def there(self) -> Collection[str] | None:
        """Shards that an earlier call wrote; None where none has ended."""
        return self.earlier.infos if self.earlier else self.older

    @property
    def removed(self) -> set[str]:
        """Shards that go: no sample is planned for them."""
        return set(self.there or ()) - {shard.name for shard in self.plan.shards}


def survey(out: Path, job: Job, plan: Plan, earlier: Earlier | None) -> Survey:
    """Hold a plan against what is there. Reads, and writes nothing."""
    reuse, stage, records = reusable(out, job.dataset.root, earlier), stage_of(out, plan), {}
    for shard in plan.shards:
        record = finished(stage, shard)
        if record is not None and reuse.unchanged(record.made_from):
            records[shard.name] = record
    left = [shard for shard in plan.shards if shard.name not in records]
    n_kept = 0
    if earlier and plan.is_of(earlier.manifest) and earlier.manifest.made_by == made_by():
        for shard in left:
            if earlier.is_current(shard, job, reuse):
                records[shard.name] = record = earlier.record(shard)
                n_kept += sum(map(len, record.made_from.values()))
        left = [shard for shard in left if shard.name not in records]
    if earlier is None and not len(reuse):
        return Survey(plan, records, tuple(left), earlier, reuse)
    look = _Look(job.dataset, plan.options, job.sensor_reader, reuse)
    to_encode, todo_now, faults = Counter[str](), [], 0
    for shard in left:
        look.kept.clear()
        look.reasons.clear()
        made = [make_sample(look, planned, shard.name) for planned in shard.samples]
        n_kept += len(look.kept)
        to_encode.update(look.reasons)
        if earlier and not look.reasons and earlier.holds(shard) and _is_same(earlier, shard, made):
            records[shard.name] = _record(earlier, shard, made)
        else:
            todo_now.append(shard)
            faults += sum(len(sample.quarantine) for sample in made)
    needed = {planned.sequence for shard in todo_now for planned in shard.samples}
    return Survey(
        plan,
        records,
        tuple(todo_now),
        earlier,
        reuse.of(needed),
        n_kept,
        to_encode,
        wants_media=bool(to_encode.total() or faults),
    )


def reusable(out: Path, root: Path | None, earlier: Earlier | None) -> Reuse:
    """The members of the shards that are there, and of those that a pack began to make."""
    reuse = Reuse(root)
    if earlier is not None:
        sequences = {sample.key: sample.sequence for sample in earlier.manifest.samples}
        for name, members in earlier.members.items():
            reuse.add(out / name, members, sequences, earlier.made_from)
    for each in stages(out):
        for path in each.glob("*.tar"):
            if (record := read_record(each, path.name)) is not None:
                sequences = {sample.key: sample.sequence for sample in record.samples}
                reuse.add(path, record.members, sequences, record.made_from)
    return reuse


@dataclass(frozen=True)
class _Look(Job):
    """A job that encodes nothing and counts what it would."""

    kept: list[Kept] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def member(self, wanted: Wanted, encode: Callable[[], Encoded]) -> EncodedMember:
        kept, reason = self.find(wanted)
        if kept is not None:
            self.kept.append(kept)
            return EncodedMember(b"", kept.made_from)
        are_there = all(path and os.access(path, os.F_OK) for path in wanted.files)
        if wanted.field != SENSORS and not are_there:
            encode()  # says at once that the file is not there
        self.reasons.append(reason)
        is_sound = wanted.field.endswith((".flac", ".png"))
        numbers = (2,) if is_sound else (2, 2)  # any that are possible
        return EncodedMember(b"", MadeFrom(files=(), times="", maker="", numbers=numbers))


def _is_same(earlier: Earlier, shard: PlannedShard, made: Sequence[MadeSample]) -> bool:
    """Whether a shard that is there holds these samples and members, to the byte."""
    there = earlier.members.get(shard.name, ())
    wanted = [(sample, name, data) for sample in made for name, data in sample.members]
    if [(m.key, m.field) for m in there] != [(s.info.key, name) for s, name, _ in wanted]:
        return False
    for member, (sample, name, data) in zip(there, wanted, strict=True):
        if name in sample.made_from:
            before = earlier.made_from.get(member.key, {}).get(name)
            if before is None or before.content != sample.made_from[name].content:
                return False
        elif read_member(earlier.folder / shard.name, member) != data:
            return False
    return True


def _record(earlier: Earlier, shard: PlannedShard, made: Sequence[MadeSample]) -> ShardRecord:
    return ShardRecord(
        info=earlier.infos[shard.name],
        samples=tuple(sample.info for sample in made),
        members=earlier.members[shard.name],
        quarantine=tuple(chain.from_iterable(sample.quarantine for sample in made)),
        made_from={sample.info.key: sample.made_from for sample in made},
    )


def _by_shard(index: Index) -> dict[str, tuple[Member, ...]]:
    found: dict[str, list[Member]] = {}
    for key, fields in index.items():
        for name, (shard, offset, size, crc32) in fields.items():
            found.setdefault(shard, []).append(Member(key, name, offset, size, crc32))
    return {shard: tuple(sorted(each, key=lambda m: m.offset)) for shard, each in found.items()}


def _headers(shard: Path) -> tuple[Member, ...]:
    with shard.open("rb") as file:
        return tuple(member for member, _ in read_members(file, shard.name))
