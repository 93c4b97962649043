"""Whether a member of a shard, decoded to its end, is what the manifest says of it."""

from __future__ import annotations

import io
from typing import Any

import av

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.shards.format import sensor_array as sensors
from homage_sdk.shards.format.manifest import PackedSensors, PackedSound, PackedView, SampleInfo
from homage_sdk.shards.format.shard_set import MAX_JSON_BYTES, parse_json


class Mismatch(Exception):  # noqa: N818 - turned into a Problem at once
    """A member that is not what the manifest says: a code of ``verify``, and what was found."""

    def __init__(self, code: str, found: str) -> None:
        super().__init__(found)
        self.code, self.found = code, found


def check_member(sample: SampleInfo, field: str, data: bytes) -> None:
    """Whether a member decodes to what the manifest says; raises Mismatch."""
    if field.endswith(".json"):
        _check_json(sample, field, data)
    elif field.endswith(".mp4"):
        for view in sample.views:
            if view.field == field:
                _check_view(view, data)
    elif field.endswith(".flac") and sample.sound is not None:
        _check_sound(sample.sound, data)
    elif field == sensors.MEMBER and sample.sensors is not None:
        _check_sensors(sample.sensors, data)


def _check_json(sample: SampleInfo, field: str, data: bytes) -> None:
    try:
        value: dict[str, Any] = parse_json(data[: MAX_JSON_BYTES + 1], field)
    except HomageError as error:
        raise Mismatch("HOM910", str(error)) from error
    if field == "meta.json":
        said = sample.model_dump(mode="json", exclude={"shard"})
        frames = value.get("frames")
        listed = len(frames) if isinstance(frames, list) else None
        if value.get("sample") != said or listed != sample.n_frames:
            raise Mismatch("HOM910", "other facts than in the manifest")
        _check_described(sample, field, value)
    elif not {"activity", "atomic_actions", "scene_graphs"} <= value.keys():
        raise Mismatch("HOM910", f"keys {', '.join(sorted(value))}")


def _check_described(sample: SampleInfo, field: str, meta: dict[str, Any]) -> None:
    try:
        tables = sensors.described(meta, field)
    except ShardError as error:
        raise Mismatch("HOM910", str(error)) from error
    told = (len(tables), sum(table.n_values for table in tables))
    said = (sample.sensors.n_sensors, sample.sensors.n_values) if sample.sensors else (0, 0)
    if told != said:
        raise Mismatch("HOM910", f"{told[0]} sensors of {told[1]:,} numbers")


def _check_sensors(packed: PackedSensors, data: bytes) -> None:
    try:
        count = len(sensors.numbers(data, packed.field))
    except ShardError as error:
        raise Mismatch("HOM914", str(error)) from error
    if count != packed.n_values:
        raise Mismatch("HOM914", f"{count:,} numbers of {packed.n_values:,}")


def _check_view(view: PackedView, data: bytes) -> None:
    try:
        with av.open(io.BytesIO(data), "r", format="mp4", metadata_errors="replace") as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            context.thread_count = 1
            if (context.width, context.height) != (view.width, view.height):
                raise Mismatch("HOM911", f"{context.width}x{context.height} pixels")
            count = 0
            for frame in container.decode(stream):
                count += 1
                if frame.is_corrupt or count > view.n_frames:
                    break
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise Mismatch("HOM911", str(getattr(error, "strerror", None) or error)) from error
    if count != view.n_frames:
        raise Mismatch("HOM911", f"{count} good frames of {view.n_frames}")


def _check_sound(sound: PackedSound, data: bytes) -> None:
    try:
        with av.open(io.BytesIO(data), "r", format="flac", metadata_errors="replace") as container:
            count = 0
            for frame in container.decode(container.streams.audio[0]):
                count += frame.samples
                if count > sound.n_samples:
                    break
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise Mismatch("HOM912", str(getattr(error, "strerror", None) or error)) from error
    if count != sound.n_samples:
        raise Mismatch("HOM912", f"{count} samples of {sound.n_samples}")
