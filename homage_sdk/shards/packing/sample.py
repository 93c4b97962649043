"""One sample: its members' bytes, made from one sequence of a catalog."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import HomageError, LabelError, MediaError, ShardError
from homage_sdk.shards.format.annotations import ANNOTATIONS, Annotations
from homage_sdk.shards.format.manifest import (
    SCHEMA_VERSION,
    PackedSensors,
    PackedSound,
    PackedView,
    Quarantined,
    SampleFacts,
    SampleInfo,
)
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sample_meta import META, PackedViewSource, SampleMeta
from homage_sdk.shards.format.sensor_array import SensorTable, array_bytes, table_of
from homage_sdk.shards.format.strict_json import MAX_JSON_BYTES, StrictModel
from homage_sdk.shards.packing.encode import encode_sound, encode_view
from homage_sdk.shards.packing.plan import PlannedSample, chosen_views
from homage_sdk.taxonomy import KINDS
from homage_sdk.time import Frame

if TYPE_CHECKING:
    from homage_sdk.annotations import SceneGraph
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.dataset.sensor import Sensor
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.dataset.view import View
    from homage_sdk.media.pts_index import PtsIndex
    from homage_sdk.release.sensors import SensorReader, SensorValues
    from homage_sdk.taxonomy import Taxonomy


@dataclass(frozen=True)
class Job:
    """What every sample of a run is made from, and how; it travels to every worker.

    ``sensor_reader`` reads sensor files of another format than the documented CSV.
    """

    dataset: Dataset
    options: PackOptions
    sensor_reader: SensorReader | None = None

    @cached_property
    def taxonomies(self) -> dict[str, Taxonomy]:
        """The classes of each kind."""
        return {kind: self.dataset.taxonomy(kind) for kind in KINDS}

    def views(self, planned: PlannedSample) -> list[int]:
        """The numbers of the chosen views that the release has: absence is no fault."""
        views = chosen_views(self.dataset[planned.sequence], self.options)
        return [view.number for view in views if view.path is not None]


@dataclass(frozen=True, slots=True)
class MadeView:
    """One view encoded for one sample: the larger piece of work, and independent of the others."""

    info: PackedView | None
    """None when the window lies beyond the end of this view, or the view is broken."""
    data: bytes = b""
    source: PackedViewSource | None = None
    fault: Quarantined | None = None


@dataclass(frozen=True, slots=True)
class MadeSample:
    """The members of a sample in their order, what the manifest says of it, what failed."""

    members: tuple[tuple[str, bytes], ...]
    info: SampleInfo
    quarantine: tuple[Quarantined, ...]

    def with_views(self, views: Iterable[MadeView]) -> MadeSample:
        """The whole sample: the views come last."""
        payload = ((view.info.field, view.data) for view in views if view.info is not None)
        return replace(self, members=(*self.members, *payload))


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
    try:
        path, index = view.file(), view.index
        if not len(index):
            raise MediaError("not one frame", place=str(path), hint="copy it again")
        positions = _positions(index, planned, options)
        if not len(positions):
            return MadeView(None)
        data, width, height = encode_view(path, index, positions.tolist(), options)
    except MediaError as error:
        return MadeView(None, fault=_view_fault(sequence, view, error))
    info = PackedView(
        number=number,
        kind="ego" if view.kind == "ego" else "third",
        n_frames=len(positions),
        width=width,
        height=height,
    )
    source = PackedViewSource(
        number=number,
        member=info.field,
        source_width=view.width,
        source_height=view.height,
        source_fps=view.fps,
        source_frames=view.n_frames,
        times_s=tuple(round(float(t), 6) for t in index.seconds[positions]),
    )
    return MadeView(info, data, source)


def _positions(
    index: PtsIndex, planned: PlannedSample, options: PackOptions
) -> npt.NDArray[np.int64]:
    """The source frames nearest to every ``stride``-th annotation frame, up to the video's end."""
    end_s = index.seconds[-1] + index.frame_s / 2 + index.tolerance_s
    last = planned.last or Frame.from_index(int(end_s * 30) + 1).number
    numbers = np.arange(planned.first, last + 1, options.stride)
    moments = np.array([Frame(int(n)).seconds().value for n in numbers])
    return index.at_many(moments[moments <= end_s], "nearest")


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
    sound, sound_data = _pack_sound(sequence, planned, last_frame, options, quarantine)
    sensors, sensor_tables, sensor_data = _pack_sensors(job, planned, quarantine)
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
        sensors=sensor_tables,
    )
    labels = Annotations.of(sequence, graphs, job.taxonomies)
    members = [_json_member(planned, META, meta), _json_member(planned, ANNOTATIONS, labels)]
    if sound is not None:
        members.append((sound.field, sound_data))
    if sensors is not None:
        members.append((sensors.field, sensor_data))
    info = SampleInfo(shard=shard, **dict(facts))
    return MadeSample(tuple(members), info, tuple(quarantine))


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
    sequence: Sequence,
    planned: PlannedSample,
    last_frame: int,
    options: PackOptions,
    quarantine: list[Quarantined],
) -> tuple[PackedSound | None, bytes]:
    """The sound of the ego view, else of the first view that has any."""
    if not options.audio or last_frame < planned.first:
        return None, b""
    begin_s = Frame(planned.first).seconds().value
    end_s = Frame(last_frame + 1).seconds().value
    broken = {q.view for q in quarantine}
    for view in sorted(sequence.views, key=lambda v: (v.kind != "ego", v.number)):
        if not view.has_audio or view.number in broken:
            continue
        try:
            data, n_samples = encode_sound(view.file(), begin_s, end_s, options)
        except MediaError as error:
            quarantine.append(_view_fault(sequence, view, error))
            continue
        name = "ego.flac" if view.kind == "ego" else f"v{view.number:03d}.flac"
        return PackedSound(view=view.number, field=name, n_samples=n_samples), data
    return None, b""


def _pack_sensors(
    job: Job, planned: PlannedSample, quarantine: list[Quarantined]
) -> tuple[PackedSensors | None, tuple[SensorTable, ...], bytes]:
    """Every reading of a sequence, or those from the first frame of a window to its end."""
    sequence = job.dataset[planned.sequence]
    tables: list[SensorTable] = []
    readings: list[SensorValues] = []
    for sensor in sequence.sensors if job.options.sensors else ():
        try:
            values = _readings(sensor, planned, job.sensor_reader)
            table = table_of(sensor.kind, sensor.position, values)
        except (MediaError, LabelError) as error:
            name = f"{sensor.kind} {sensor.position}" if sensor.path is None else sensor.path.name
            quarantine.append(_fault(sequence, None, name, error))
            continue
        tables.append(table)
        readings.append(values)
    if not tables:
        return None, (), b""
    n_values = sum(table.n_values for table in tables)
    packed = PackedSensors(n_sensors=len(tables), n_values=n_values)
    return packed, tuple(tables), array_bytes(readings)


def _readings(sensor: Sensor, planned: PlannedSample, reader: SensorReader | None) -> SensorValues:
    try:
        if planned.last is None:
            return sensor.values(reader)
        return sensor.window(Frame(planned.first), Frame(planned.last + 1), reader)
    except OSError as error:
        raise MediaError("a sensor file cannot be read", found=error.strerror) from error


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
        sequence=str(sequence.id),
        view=view,
        path=file,
        code=error.code,
        reason=reason,
    )
