"""``meta.json``: the facts of a sample, for whoever has nothing but its members."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from homage_sdk.shards.format.manifest import Count, SampleFacts
from homage_sdk.shards.format.pack_options import Unit
from homage_sdk.shards.format.sensor_array import SensorTable
from homage_sdk.shards.format.strict_json import StrictModel

META = "meta.json"


class PackedViewSource(StrictModel):
    """A packed view, and the video that it was made from."""

    number: Annotated[int, Field(ge=0, description="After v; 0 is the ego view")]
    member: str
    source_width: int | None
    source_height: int | None
    source_fps: float | None
    source_frames: int | None
    times_s: Annotated[
        tuple[float, ...], Field(description="When each packed frame is shown in that video")
    ]


class SampleMeta(StrictModel):
    """What a sample says of itself."""

    schema_version: int
    sample: SampleFacts
    room: Count
    take: Count
    unit: Unit
    stride: Annotated[int, Field(ge=1, description="Annotation frames from one frame to the next")]
    fps: Annotated[float, Field(gt=0, description="Packed frames a second")]
    frames: Annotated[tuple[int, ...], Field(description="Annotation frame of each packed frame")]
    views: tuple[PackedViewSource, ...]
    sensors: Annotated[
        tuple[SensorTable, ...],
        Field(description="Those in sensors.npy, in order", exclude_if=lambda value: not value),
    ] = ()
