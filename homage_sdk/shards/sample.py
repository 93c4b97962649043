"""One sample: its members' bytes, made from one sequence of a catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from homage_sdk.errors import MediaError
from homage_sdk.shards.encode import encode_sound, encode_view
from homage_sdk.shards.manifest import (
    SCHEMA_VERSION,
    PackedSound,
    PackedView,
    Quarantined,
    SampleInfo,
    dump_json,
)
from homage_sdk.shards.options import PackOptions
from homage_sdk.shards.plan import PlannedSample, chosen_views
from homage_sdk.time import Frame

if TYPE_CHECKING:
    from homage_sdk.annotations import SceneGraph
    from homage_sdk.sequence import Sequence
    from homage_sdk.taxonomy import Taxonomy
    from homage_sdk.view import View


@dataclass(frozen=True, slots=True)
class MadeSample:
    """The members of a sample in their order, what the manifest says of it, what failed."""

    members: tuple[tuple[str, bytes], ...]
    info: SampleInfo
    quarantine: tuple[Quarantined, ...]


def make_sample(
    sequence: Sequence,
    planned: PlannedSample,
    shard: str,
    options: PackOptions,
    taxonomies: dict[str, Taxonomy],
) -> MadeSample:
    """Encode one sample.

    A video that is missing or broken is left out and named in ``quarantine``; the rest of the
    sample is made all the same.
    """
    quarantine: list[Quarantined] = []
    payload: list[tuple[str, bytes]] = []
    packed: list[PackedView] = []
    about: list[dict[str, Any]] = []
    for view in chosen_views(sequence, options):
        if view.path is None:
            continue  # the release never had it: absence, not a fault
        try:
            info, data, facts = _pack_view(view, planned, options)
        except MediaError as error:
            quarantine.append(_fault(sequence, view, error))
            continue
        if info is None:
            continue  # the window lies beyond the end of this view
        payload.append((info.field, data))
        packed.append(info)
        about.append(facts)
    n_frames = max((view.n_frames for view in packed), default=0)
    if not packed:
        last = planned.last or sequence.n_frames
        n_frames = max(0, -(-(last - planned.first + 1) // options.stride))
    last_frame = planned.first + max(0, n_frames * options.stride - 1)
    sound, sound_data = _pack_sound(sequence, planned, last_frame, options, quarantine)
    graphs = _graphs(sequence, planned, last_frame, options)
    info_ = SampleInfo(
        key=planned.key,
        sequence=planned.sequence,
        shard=shard,
        split=sequence.split,
        participant=sequence.participant,
        activity_id=sequence.activity.id if sequence.activity else None,
        first_frame=planned.first,
        n_frames=n_frames,
        views=tuple(packed),
        sound=sound,
        n_atomic_actions=len(sequence.atomic_actions),
        n_scene_graphs=len(graphs),
    )
    meta = {
        "schema_version": SCHEMA_VERSION,
        "sample": info_.model_dump(mode="json", exclude={"shard"}),
        "room": sequence.room,
        "take": sequence.id.take,
        "unit": options.unit,
        "stride": options.stride,
        "fps": options.fps,
        "frames": [planned.first + options.stride * k for k in range(n_frames)],
        "views": about,
    }
    members = [
        ("meta.json", dump_json(meta)),
        ("ann.json", dump_json(_annotations(sequence, graphs, taxonomies))),
    ]
    if sound is not None:
        members.append((sound.field, sound_data))
    return MadeSample((*members, *payload), info_, tuple(quarantine))


def _pack_view(
    view: View, planned: PlannedSample, options: PackOptions
) -> tuple[PackedView | None, bytes, dict[str, Any]]:
    path = view.file()
    index = view.index
    if not len(index):
        raise MediaError("not one frame", place=str(path), hint="copy it again")
    times = index.seconds
    end_s = times[-1] + index.frame_s / 2 + index.tolerance_s
    last = planned.last or Frame.from_index(int(end_s * 30) + 1).number
    numbers = np.arange(planned.first, last + 1, options.stride)
    moments = np.array([Frame(int(n)).seconds().value for n in numbers])
    moments = moments[moments <= end_s]
    if not len(moments):
        return None, b"", {}
    positions = index.at_many(moments, "nearest")
    data, width, height = encode_view(path, index, positions.tolist(), options)
    info = PackedView(
        number=view.number,
        kind=view.kind,
        n_frames=len(positions),
        width=width,
        height=height,
    )
    facts = {
        "number": view.number,
        "member": info.field,
        "source_width": view.width,
        "source_height": view.height,
        "source_fps": view.fps,
        "source_frames": view.n_frames,
        "times_s": [round(float(t), 6) for t in times[positions]],
    }
    return info, data, facts


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
            quarantine.append(_fault(sequence, view, error))
            continue
        field = "ego.flac" if view.kind == "ego" else f"v{view.number:03d}.flac"
        return PackedSound(view=view.number, field=field, n_samples=n_samples), data
    return None, b""


def _graphs(
    sequence: Sequence, planned: PlannedSample, last_frame: int, options: PackOptions
) -> list[SceneGraph]:
    if not options.scene_graphs:
        return []
    whole = planned.last is None
    return [g for g in sequence.scene_graphs if whole or planned.first <= g.frame <= last_frame]


def _annotations(
    sequence: Sequence, graphs: list[SceneGraph], taxonomies: dict[str, Taxonomy]
) -> dict[str, Any]:
    """Everything labelled, with the column of each class (its rank among the ids)."""
    activity = sequence.activity
    sizes = {view.number: (view.width, view.height) for view in sequence.views}
    columns = {kind: taxonomy.index for kind, taxonomy in taxonomies.items()}
    return {
        "activity": None
        if activity is None
        else {
            "id": activity.id,
            "name": activity.name,
            "column": columns["activity"](activity.id),
        },
        "atomic_actions": [
            {
                "id": action.action_id,
                "class_id": action.class_id,
                "column": columns["atomic"](action.class_id),
                "name": action.name,
                "first_frame": action.first_frame,
                "last_frame": action.last_frame,
            }
            for action in sequence.atomic_actions
        ],
        "scene_graphs": [
            {
                "id": graph.scene_graph_id,
                "view": graph.view,
                "frame": graph.frame,
                "width": graph.width or sizes.get(graph.view, (None, None))[0],
                "height": graph.height or sizes.get(graph.view, (None, None))[1],
                "objects": [
                    {
                        "id": item.object_id,
                        "class_id": item.class_id,
                        "column": columns["object"](item.class_id),
                        "category": item.category,
                        "box": list(item.box.xyxy),
                    }
                    for item in graph.objects
                ],
                "relationships": [
                    {
                        "subject": item.subject_id,
                        "object": item.object_id,
                        "class_id": item.class_id,
                        "column": columns["relationship"](item.class_id),
                        "category": item.category,
                    }
                    for item in graph.relationships
                ],
            }
            for graph in graphs
        ],
    }


def _fault(sequence: Sequence, view: View, error: MediaError) -> Quarantined:
    reason = error.message + (f"; found {error.found}" if error.found else "")
    return Quarantined(
        sequence=str(sequence.id),
        view=view.number,
        path=view.path.name if view.path else "",
        code=error.code,
        reason=reason,
    )
