"""Whether a member of a shard, decoded to its end, is what the manifest says of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import av

from homage_sdk.errors import MediaError, ShardError
from homage_sdk.media.header.opening import open_packed, reason
from homage_sdk.media.spectrograms import jet
from homage_sdk.problems import Code
from homage_sdk.shards.format.annotations import ANNOTATIONS, Annotations
from homage_sdk.shards.format.manifest import Manifest, SampleInfo
from homage_sdk.shards.format.sample_meta import (
    META,
    PackedSensors,
    PackedSound,
    PackedView,
    SampleMeta,
)
from homage_sdk.shards.format.sensor_array import SENSORS, numbers
from homage_sdk.shards.format.strict_json import parse_json


def damage(code: str, title: str, why: str, *, deep: bool = False) -> Code:
    """A code of shards that are not what was packed; packing them again mends it."""
    return Code(code, title, why, "run `homage repair SHARDS CATALOG`", deep=deep)


BAD_JSON = damage(
    "HOM910",
    "a JSON member contradicts the manifest",
    "meta.json or ann.json cannot be read, or says other than the manifest of this sample.",
    deep=True,
)
BAD_VIEW = damage(
    "HOM911",
    "a view cannot be decoded, or is not what the manifest says",
    "Every picture is decoded: one is damaged, or size or number of frames are others.",
    deep=True,
)
BAD_SOUND = damage(
    "HOM912",
    "a sound cannot be decoded, or is not what the manifest says",
    "Every sample is decoded: the FLAC is damaged, or longer or shorter than it should be.",
    deep=True,
)
BAD_SENSORS = damage(
    "HOM914",
    "the sensors cannot be read, or are not what the manifest says",
    "The array is damaged, or holds another count of numbers than the manifest says.",
    deep=True,
)


class Mismatch(Exception):  # noqa: N818 - turned into a Problem at once
    """A member that is not what the manifest says: a code of ``verify``, and what was found."""

    def __init__(self, code: Code, found: str) -> None:
        super().__init__(found)
        self.code, self.found = code, found


def check_member(manifest: Manifest, sample: SampleInfo, field: str, data: bytes) -> None:
    """Whether a member decodes to what the manifest says; raises Mismatch."""
    if field == META:
        _check_meta(sample, data)
    elif field == ANNOTATIONS:
        _check_annotations(manifest, sample, data)
    elif field.endswith(".mp4"):
        for view in sample.views:
            if view.field == field:
                _check_view(view, data)
    elif field.endswith(".flac") and sample.sound is not None:
        _check_sound(sample.sound, data)
    elif field.endswith(".png") and sample.sound is not None:
        try:
            jet.from_png(data, sample.sound.n_samples)
        except MediaError as error:
            raise Mismatch(BAD_SOUND, error.found or error.message) from error
    elif field == SENSORS and sample.sensors is not None:
        _check_sensors(sample.sensors, data)


def _check_meta(sample: SampleInfo, data: bytes) -> None:
    try:
        meta = parse_json(SampleMeta, data, META, what=META)
    except ShardError as error:
        raise Mismatch(BAD_JSON, str(error)) from error
    told = (len(meta.sensors), sum(table.n_values for table in meta.sensors))
    said = (sample.sensors.n_sensors, sample.sensors.n_values) if sample.sensors else (0, 0)
    if told != said:
        raise Mismatch(BAD_JSON, f"{told[0]} sensors of {told[1]:,} numbers")
    shown = [(view.member, len(view.times_s)) for view in meta.views]
    if (
        meta.sample.model_dump() != sample.model_dump(exclude={"shard"})
        or len(meta.frames) != sample.n_frames
        or shown != [(view.field, view.n_frames) for view in sample.views]
    ):
        raise Mismatch(BAD_JSON, "other facts than in the manifest")


def _check_annotations(manifest: Manifest, sample: SampleInfo, data: bytes) -> None:
    try:
        labels = Annotations.parse(data, ANNOTATIONS, manifest.n_classes)
    except ShardError as error:
        raise Mismatch(BAD_JSON, str(error)) from error
    activity_id = labels.activity.id if labels.activity else None
    told = (activity_id, len(labels.atomic_actions), len(labels.scene_graphs))
    if told != (sample.activity_id, sample.n_atomic_actions, sample.n_scene_graphs):
        raise Mismatch(
            BAD_JSON, f"activity {told[0]}, {told[1]} atomic actions, {told[2]} scene graphs"
        )


def _check_sensors(packed: PackedSensors, data: bytes) -> None:
    try:
        count = len(numbers(data, packed.field))
    except ShardError as error:
        raise Mismatch(BAD_SENSORS, str(error)) from error
    if count != packed.n_values:
        raise Mismatch(BAD_SENSORS, f"{count:,} numbers of {packed.n_values:,}")


def _check_view(view: PackedView, data: bytes) -> None:
    count = 0
    with _decoding(data, "mp4", BAD_VIEW) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        context.thread_count = 1
        if (context.width, context.height) != (view.width, view.height):
            raise Mismatch(BAD_VIEW, f"{context.width}x{context.height} pixels")
        for frame in container.decode(stream):
            count += 1
            if frame.is_corrupt or count > view.n_frames:
                break
    if count != view.n_frames:
        raise Mismatch(BAD_VIEW, f"{count} good frames of {view.n_frames}")


def _check_sound(sound: PackedSound, data: bytes) -> None:
    count = 0
    with _decoding(data, "flac", BAD_SOUND) as container:
        for frame in container.decode(container.streams.audio[0]):
            count += frame.samples
            if count > sound.n_samples:
                break
    if count != sound.n_samples:
        raise Mismatch(BAD_SOUND, f"{count} samples of {sound.n_samples}")


@contextmanager
def _decoding(
    data: bytes, form: Literal["mp4", "flac"], code: Code
) -> Iterator[av.container.InputContainer]:
    """A member opened; what FFmpeg cannot decode of it is a Mismatch."""
    try:
        with open_packed(io.BytesIO(data), form) as container:
            yield container
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise Mismatch(code, reason(error)) from error
