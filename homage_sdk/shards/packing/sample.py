"""One sample: its members' bytes, made from one sequence of a catalog."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from homage_sdk.errors import HomageError, LabelError, MediaError, ShardError
from homage_sdk.media.header.opening import unreadable
from homage_sdk.shards.format.annotations import ANNOTATIONS, Annotations
from homage_sdk.shards.format.manifest import SCHEMA_VERSION, Quarantined, SampleInfo
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sample_meta import (
    META,
    PackedSensors,
    PackedSound,
    PackedView,
    PackedViewSource,
    SampleFacts,
    SampleMeta,
    in_pairs,
)
from homage_sdk.shards.format.sensor_array import SENSORS, SensorTable, array_bytes, table_of
from homage_sdk.shards.format.strict_json import MAX_JSON_BYTES, StrictModel
from homage_sdk.shards.packing.encode import chosen_frames, encode_sound, encode_view
from homage_sdk.shards.packing.inputs import MadeFrom
from homage_sdk.shards.packing.job import Encoded, EncodedMember, Job, Wanted
from homage_sdk.shards.packing.plan import PlannedSample
from homage_sdk.time import Frame

if TYPE_CHECKING:
    from homage_sdk.annotations import SceneGraph
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.dataset.view import View
    from homage_sdk.release.sensors import SensorValues


@dataclass(frozen=True, slots=True)
class MadeView:
    """One view encoded for one sample: the larger piece of work, and independent of the others."""

    info: PackedView | None
    """None when the window lies beyond the end of this view, or the view is broken."""
    data: bytes = b""
    source: PackedViewSource | None = None
    made_from: MadeFrom | None = None
    fault: Quarantined | None = None


@dataclass(frozen=True, slots=True)
class MadeSample:
    """The members of a sample in their order, what the manifest says of it, what failed."""

    members: tuple[tuple[str, bytes], ...]
    info: SampleInfo
    quarantine: tuple[Quarantined, ...]
    made_from: dict[str, MadeFrom] = field(default_factory=dict)
    """Of the encoded members, by field."""

    def with_views(self, views: Iterable[MadeView]) -> MadeSample:
        """The whole sample: the views come last."""
        there = [(view.info.field, view) for view in views if view.info is not None]
        made_from = {name: view.made_from for name, view in there if view.made_from is not None}
        return replace(
            self,
            members=(*self.members, *((name, view.data) for name, view in there)),
            made_from=self.made_from | made_from,
        )


def make_sample(job: Job, planned: PlannedSample, shard: str) -> MadeSample:
    """Encode one sample.

    A video that is missing or broken is left out and named in ``quarantine``; the rest of the
    sample is made all the same.
    """
    views = [make_view(job, planned, number) for number in job.views(planned)]
    return make_rest(job, planned, shard, views).with_views(views)


def make_view(job: Job, planned: PlannedSample, number: int) -> MadeView:
    """Encode one view of a sample; a fault of its video is a value, not an error."""
    sequence, options = job.dataset[planned.sequence], job.options
    view = sequence.view(number)

    def encode() -> Encoded:
        data, *size, gaps = encode_view(view.file(), index, positions.tolist(), options, there)
        return Encoded(data, (*size, *(edge for gap in gaps for edge in gap)))

    try:
        index = view.index
        if not len(index):
            raise MediaError("not one frame", place=str(view.path), hint="copy it again")
        positions, there = chosen_frames(index, planned.first, planned.last, options.stride)
        if not len(positions):
            return MadeView(None)
        times = index.pts[positions].tolist()
        name = f"v{number:03d}.mp4"
        made = job.member(Wanted(planned.sequence, name, [view.path], times), encode)
    except MediaError as error:
        return MadeView(None, fault=_view_fault(sequence, view, error))
    except OSError as error:  # of a file that was to be measured
        return MadeView(None, fault=_view_fault(sequence, view, unreadable(view.path, error)))
    width, height, *edges = made.made_from.numbers
    info = PackedView(
        number=number,
        kind="ego" if view.kind == "ego" else "third",
        n_frames=len(positions),
        width=width,
        height=height,
        gaps=in_pairs(edges),
    )
    source = PackedViewSource(
        number=number,
        member=info.field,
        source_width=view.width,
        source_height=view.height,
        source_fps=view.fps,
        source_frames=view.n_frames,
        times_s=tuple(round(t, 6) for t in index.seconds[positions].tolist()),
    )
    return MadeView(info, made.data, source, made.made_from)


def make_rest(job: Job, planned: PlannedSample, shard: str, views: list[MadeView]) -> MadeSample:
    """Everything else of a sample, once its views are known (their data are not looked at)."""
    sequence, options = job.dataset[planned.sequence], job.options
    quarantine = [view.fault for view in views if view.fault is not None]
    packed = tuple(view.info for view in views if view.info is not None)
    n_frames = max((view.n_frames for view in packed), default=0)
    if not packed:
        last = planned.last or sequence.n_frames
        n_frames = max(0, -(-(last - planned.first + 1) // options.stride))
    last_frame = planned.first + max(0, n_frames * options.stride - 1)
    sound, sound_made = _pack_sound(job, planned, last_frame, quarantine)
    sensors_made = _pack_sensors(job, planned, quarantine)
    tables = () if sensors_made is None else sensors_made.made_from.tables
    sensors = None
    if tables:
        n_values = sum(table.n_values for table in tables)
        sensors = PackedSensors(n_sensors=len(tables), n_values=n_values)
    graphs = _graphs(sequence, planned, last_frame, options)
    facts = SampleFacts(
        key=planned.key,
        sequence=planned.sequence,
        split=sequence.split,
        participant=sequence.participant,
        activity_id=sequence.activity.id if sequence.activity else None,
        first_frame=planned.first,
        n_frames=n_frames,
        views=packed,
        sound=sound,
        sensors=sensors,
        n_atomic_actions=len(sequence.atomic_actions),
        n_scene_graphs=len(graphs),
    )
    meta = SampleMeta(
        schema_version=SCHEMA_VERSION,
        sample=facts,
        room=sequence.room,
        take=sequence.id.take,
        unit=options.unit,
        stride=options.stride,
        fps=options.fps,
        frames=tuple(planned.first + options.stride * k for k in range(n_frames)),
        views=tuple(view.source for view in views if view.source is not None),
        sensors=tables,
    )
    labels = Annotations.of(sequence, graphs, job.taxonomies)
    members = [_json_member(planned, META, meta), _json_member(planned, ANNOTATIONS, labels)]
    made_from = {}
    for part, made in ((sound, sound_made), (sensors, sensors_made)):
        if part is not None and made is not None:
            members.append((part.field, made.data))
            if job.may_keep(part.field):
                made_from[part.field] = made.made_from
    info = SampleInfo(shard=shard, **dict(facts))
    return MadeSample(tuple(members), info, tuple(quarantine), made_from)


def _json_member(planned: PlannedSample, name: str, document: StrictModel) -> tuple[str, bytes]:
    """What readers would refuse for its size is not packed."""
    data = document.to_bytes()
    if len(data) > MAX_JSON_BYTES:
        raise ShardError(
            f"{name} too large for a sample",
            place=planned.key,
            found=f"{len(data):,} bytes",
            expected=f"at most {MAX_JSON_BYTES:,}",
            hint="pack windows of a few seconds: --unit clip",
        )
    return name, data


def _pack_sound(
    job: Job, planned: PlannedSample, last_frame: int, quarantine: list[Quarantined]
) -> tuple[PackedSound | None, EncodedMember | None]:
    """The sound of the ego view, else of the first view that has any."""
    sequence, options = job.dataset[planned.sequence], job.options
    if not options.audio or last_frame < planned.first:
        return None, None
    span = (Frame(planned.first).seconds().value, Frame(last_frame + 1).seconds().value)
    broken = {q.view for q in quarantine}
    for view in sorted(sequence.views, key=lambda v: (v.kind != "ego", v.number)):
        if not view.has_audio or view.number in broken:
            continue

        def encode(view: View = view) -> Encoded:
            made = encode_sound(view.file(), *span, options)
            edges, silent = (
                tuple(e for pair in of for e in pair) for of in (made.gaps, made.silent)
            )
            return Encoded(made.data, (made.n_samples, *edges), silent=silent)

        end = "jet.png" if options.audio == "jet" else "flac"
        name = f"ego.{end}" if view.kind == "ego" else f"v{view.number:03d}.{end}"
        try:
            made = job.member(Wanted(planned.sequence, name, [view.path], span), encode)
        except MediaError as error:
            quarantine.append(_view_fault(sequence, view, error))
            continue
        n_samples, *edges = made.made_from.numbers
        sound = PackedSound(
            view=view.number,
            field=name,
            n_samples=n_samples,
            gaps=in_pairs(edges),
            silent=in_pairs(made.made_from.silent),
        )
        return sound, made
    return None, None


def _pack_sensors(
    job: Job, planned: PlannedSample, quarantine: list[Quarantined]
) -> EncodedMember | None:
    """Every reading of a sequence, or those from the first frame of a window to its end."""
    sequence = job.dataset[planned.sequence]
    chosen, first = sequence.sensors if job.options.sensors else (), Frame(planned.first)

    def encode() -> Encoded:
        tables: list[SensorTable] = []
        readings: list[SensorValues] = []
        files: list[Path] = []
        for sensor in chosen:
            try:
                values = (
                    sensor.values(job.sensor_reader)
                    if planned.last is None
                    else sensor.window(first, Frame(planned.last), reader=job.sensor_reader)
                )
                table = table_of(sensor.kind, sensor.position, values)
            except (MediaError, LabelError, OSError) as error:
                fault = unreadable(sensor.path, error) if isinstance(error, OSError) else error
                name = f"{sensor.kind} {sensor.position}" if not sensor.path else sensor.path.name
                quarantine.append(_fault(sequence, None, name, fault))
                continue
            tables.append(table)
            readings.append(values)
            files += [sensor.path] if sensor.path else []
        return Encoded(array_bytes(readings), (), tuple(tables), tuple(files))

    if not chosen:
        return None
    times = [(planned.first, planned.last), *((each.kind, each.position) for each in chosen)]
    try:
        files = [sensor.path for sensor in chosen]
        return job.member(Wanted(planned.sequence, SENSORS, files, times), encode)
    except MediaError as error:
        quarantine.append(_fault(sequence, None, SENSORS, error))
        return None


def _graphs(
    sequence: Sequence, planned: PlannedSample, last_frame: int, options: PackOptions
) -> list[SceneGraph]:
    if not options.scene_graphs:
        return []
    whole = planned.last is None
    return [g for g in sequence.scene_graphs if whole or planned.first <= g.frame <= last_frame]


def _view_fault(sequence: Sequence, view: View, error: MediaError) -> Quarantined:
    return _fault(sequence, view.number, view.path.name if view.path else "", error)


def _fault(sequence: Sequence, view: int | None, file: str, error: HomageError) -> Quarantined:
    reason = error.message + (f"; found {error.found}" if error.found else "")
    return Quarantined(
        sequence=str(sequence.id), view=view, path=file, code=error.code, reason=reason
    )
