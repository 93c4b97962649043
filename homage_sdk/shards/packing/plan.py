"""The plan of a packing run: which samples go into which shard, decided before any work.

It is a pure function of the catalog and the options. Samples are spread over the shards of their
split by the hash of their key, so that a shard read in sequence is already mixed, and the same
sample lands in the same place on any machine with any number of workers.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import UsageError
from homage_sdk.shards.format.manifest import SCHEMA_VERSION, Manifest
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.strict_json import dump_json
from homage_sdk.time import n_frames_in

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.dataset.view import View

# Bytes a packed pixel at short side 144, every 3rd frame, crf 20; and FLAC bytes a sample of sound.
# Measured on camera footage. They decide how many shards are made, so they may not depend on the
# videos.
_BYTES_A_PIXEL = 110_000 / 40 / (256 * 144)
_BYTES_A_SAMPLE = 1.0
_JET_BYTES = 15_000.0  # a second of a picture of sound


@dataclass(frozen=True, slots=True)
class PlannedSample:
    """One sample to make: a sequence, or the annotation frames ``first`` to ``last`` of it."""

    key: str
    sequence: str
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """One file to make."""

    name: str
    samples: tuple[PlannedSample, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will write."""

    dataset: str
    options: PackOptions
    shards: tuple[PlannedShard, ...]

    @property
    def n_samples(self) -> int:
        """How many samples all shards will hold."""
        return sum(len(shard.samples) for shard in self.shards)

    def is_of(self, shards: Manifest) -> bool:
        """Whether it is of the same catalog and options as these."""
        return (self.dataset, self.options.to_json()) == (shards.dataset, shards.options)

    def to_bytes(self) -> bytes:
        """As written beside the shards while packing goes on."""
        return dump_json(
            {
                "schema_version": SCHEMA_VERSION,
                "dataset": self.dataset,
                "options": self.options.to_json(),
                "shards": [
                    {"name": s.name, "samples": [asdict(p) for p in s.samples]} for s in self.shards
                ],
            }
        )


def make_plan(dataset: Dataset, options: PackOptions) -> Plan:
    """Decide what goes where; raises UsageError when nothing is selected.

    The options of the plan say ``sensors=False`` where there are none: a catalog without sensors
    gives the same shards whether they are asked for or not.
    """
    groups: dict[str, list[tuple[PlannedSample, float]]] = {}
    any_sensors = False
    for sequence in dataset:
        if options.split is not None and sequence.split != options.split:
            continue
        samples = plan_samples(sequence, options)
        if not samples:
            continue
        any_sensors = any_sensors or (options.sensors and bool(sequence.sensors))
        share = rough_bytes(sequence, options) / len(samples)
        group = re.sub(r"[^a-z0-9_]", "_", (sequence.split or "unlisted").lower())[:40]
        groups.setdefault(group, []).extend((sample, share) for sample in samples)
    if not groups:
        raise UsageError(
            "nothing to pack",
            place=str(dataset.path),
            found=f"{len(dataset)} sequences, none of split {options.split!r}"
            if options.split
            else "no sequences",
        )
    n_samples = sum(map(len, groups.values()))
    shards = []
    for group, members in sorted(groups.items()):
        part = sum(share for _, share in members)
        wanted = max(
            -(-part // options.shard_bytes), round(options.min_shards * len(members) / n_samples), 1
        )
        per_shard = -(-len(members) // int(min(wanted, len(members))))
        members.sort(key=lambda item: _scattered(item[0].key))
        ordered = [sample for sample, _ in members]
        for number, begin in enumerate(range(0, len(ordered), per_shard)):
            chosen = tuple(ordered[begin : begin + per_shard])
            shards.append(PlannedShard(f"{group}-{number:05d}.tar", chosen))
    planned = [sample.sequence for members in groups.values() for sample, _ in members]
    options = replace(options, sensors=any_sensors)
    return Plan(fingerprint(dataset, planned), options, tuple(shards))


def plan_samples(sequence: Sequence, options: PackOptions) -> tuple[PlannedSample, ...]:
    """The samples of one sequence: itself, its atomic actions, or its windows."""
    name = str(sequence.id)
    if options.unit == "sequence":
        return (PlannedSample(name, name, 1, None),)
    length = sequence.n_frames
    if options.unit == "action":
        spans = [
            (action.first_frame, min(action.last_frame, length))
            for action in sequence.atomic_actions
            if action.first_frame <= length
        ]
    else:
        step = max(1, n_frames_in(options.clip_s))
        spans = [(first, min(first + step - 1, length)) for first in range(1, length + 1, step)]
    return tuple(
        PlannedSample(f"{name}-w{number:05d}", name, first, last)
        for number, (first, last) in enumerate(spans)
    )


def chosen_views(sequence: Sequence, options: PackOptions) -> tuple[View, ...]:
    """The views of a sequence that the options ask for."""
    if options.views == "all":
        return sequence.views
    if isinstance(options.views, str):
        return tuple(v for v in sequence.views if v.kind == options.views)
    return tuple(v for v in sequence.views if v.number in options.views)


def fingerprint(dataset: Dataset, sequences: Iterable[str]) -> str:
    """A hash of every table that the shards are made from, and of which sequences they hold.

    Of the tables as ``dataset`` opened them: the catalog may be another one since.
    """
    digest = hashlib.sha256()
    for name in sorted(TABLES):
        if name != "problems":
            digest.update(f"{name} {dataset.info.files[name].sha256}\n".encode())
    digest.update("\n".join(sorted(set(sequences))).encode())
    return digest.hexdigest()


def _scattered(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def expected_bytes(dataset: Dataset, shards: Iterable[PlannedShard], options: PackOptions) -> int:
    """About how large these shards become, before anything of them is made.

    From the catalog and rates of typical footage: a still scene takes half of it, a restless one
    twice as much.
    """
    of_sequence: dict[str, list[PlannedSample]] = {}
    for shard in shards:
        for planned in shard.samples:
            of_sequence.setdefault(planned.sequence, []).append(planned)
    size = 0.0
    for name, samples in of_sequence.items():
        sequence = dataset[name]
        whole = sequence.n_frames
        shares = sum(
            1.0 if each.last is None else (each.last - each.first + 1) / whole for each in samples
        )
        size += rough_bytes(sequence, options) * shares
    return round(size)


def rough_bytes(sequence: Sequence, options: PackOptions) -> float:
    """Bytes that this sequence takes when packed, from the catalog and typical rates alone."""
    size = 20_000.0
    for view in chosen_views(sequence, options):
        seconds = view.duration_s or sequence.duration_s or 0.0  # not probed: as long as its labels
        size += seconds * video_rate(view.width or 1024, view.height or 768, options)
    if options.audio and sequence.has_audio:
        rate = _JET_BYTES if options.audio == "jet" else options.audio_rate * _BYTES_A_SAMPLE
        size += (sequence.duration_s or 0) * rate
    if options.sensors:
        size += sum(8 * each.n_rows * (1 + len(each.columns)) for each in sequence.sensors)
    return size


def video_rate(width: int, height: int, options: PackOptions) -> float:
    """Bytes a second of a packed video whose source has so many pixels, of typical footage.

    Fewer pixels or fewer frames leave more that is new in each: a packed pixel takes about as many
    bytes as the root of the time step, and as the inverse root of the short side. Relative to the
    preset ``ccau`` that is within a quarter of what three clips took at short sides from 64 to 720
    and strides from 1 to 30.

    >>> [round(video_rate(1024, 768, PackOptions.preset(name)) / 1000) for name in ("ccau", "fine")]
    [21, 85]
    """
    scale = min(1.0, options.short_side / min(width, height))
    short, pixels = min(width, height) * scale, width * height * scale**2
    pixel = _BYTES_A_PIXEL * math.sqrt(144 / short * options.stride / 3)
    return options.fps * pixels * pixel * 2 ** ((20 - options.crf) / 6)


def busiest_activities(dataset: Dataset, limit: int) -> Dataset:
    """About ``limit`` sequences of few activities rather than of all: enough of each to learn from.

    The activities with the most sequences come first; the last one taken is cut so that there are
    ``limit`` in all, its sequences dealt over the splits in turn. Sequences without a video, an
    activity or a split are left out. The same dataset gives the same part.
    """
    if limit < 1:
        raise UsageError("not a number of sequences", found=str(limit), expected="1 or more")
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for sequence in dataset:
        if sequence.activity and sequence.split and any(v.path for v in sequence.views):
            groups[sequence.activity.name][sequence.split].append(str(sequence.id))
    chosen: list[str] = []
    for _, splits in sorted(
        groups.items(), key=lambda item: (-sum(map(len, item[1].values())), item[0])
    ):
        dealt = chain.from_iterable(zip_longest(*(splits[name] for name in sorted(splits))))
        chosen += [key for key in dealt if key is not None]
        if len(chosen) >= limit:
            break
    return dataset.select(chosen[:limit])
