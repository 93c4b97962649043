"""What was packed of a sample: for the manifest, and for ``meta.json`` beside its members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from homage_sdk.shards.format.pack_options import Unit
from homage_sdk.shards.format.sensor_array import SENSORS, SensorTable
from homage_sdk.shards.format.strict_json import StrictModel

META = "meta.json"

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Side = Annotated[int, Field(ge=2, le=16_384)]


Gaps = Annotated[tuple[tuple[int, int], ...], Field(exclude_if=lambda value: not value)]
"""Stretches without data: the first, and the one after the last."""


def in_pairs(edges: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The gaps of their edges."""
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _require_in_order(gaps: tuple[tuple[int, int], ...], length: int) -> None:
    edges = [edge for gap in gaps for edge in gap]
    if edges != sorted(set(edges)) or (edges and not 0 <= edges[0] < edges[-1] <= length):
        raise ValueError("gaps out of order, or beyond the end")


class PackedView(StrictModel):
    """One packed view of a sample."""

    number: Annotated[int, Field(ge=0, le=999_999_999, description="After v; 0 is the ego view")]
    kind: Literal["ego", "third"]
    n_frames: Annotated[int, Field(ge=1, le=10_000_000, description="Packed frames")]
    width: Side
    height: Side
    gaps: Annotated[
        Gaps,
        Field(
            description="Packed frames without a good picture, which repeat another one: the first "
            "frame of each stretch, and the one after the last"
        ),
    ] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _require_in_order(self.gaps, self.n_frames)
        return self

    @property
    def n_missing(self) -> int:
        """Packed frames without a good picture."""
        return sum(stop - first for first, stop in self.gaps)

    def missing(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of these packed frames lie in a gap: bool, in the shape of ``positions``."""
        found = np.zeros(positions.shape, np.bool_)
        for first, stop in self.gaps:
            found |= (first <= positions) & (positions < stop)
        return found

    @property
    def field(self) -> str:
        """The member that holds it."""
        return f"v{self.number:03d}.mp4"


class PackedSound(StrictModel):
    """The packed sound of a sample: of the ego view where it has any. A picture of it is PNG."""

    view: Annotated[int, Field(ge=0)]
    field: Annotated[str, Field(pattern=r"^(ego|v\d{3,9})\.(flac|jet\.png)$")]
    n_samples: Annotated[int, Field(ge=1, le=2**40)]
    gaps: Annotated[
        Gaps,
        Field(
            description="Stretches of silence that were not recorded: first sample, and the one "
            "after the last"
        ),
    ] = ()
    silent: Annotated[
        Gaps,
        Field(
            description="Of a picture: stretches of at least a frame whose samples are all 0, as "
            "the FLAC of the same sound would have them; as gaps"
        ),
    ] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _require_in_order(self.gaps, self.n_samples)
        _require_in_order(self.silent, self.n_samples)
        return self

    def is_silent(self, first: int, stop: int) -> bool:
        """Whether the packed samples ``first`` to ``stop`` are 0, of a picture; beyond its end is.

        >>> sound = PackedSound(view=0, field="ego.jet.png", n_samples=9_000, silent=((0, 3_000),))
        >>> sound.is_silent(0, 3_000), sound.is_silent(2_000, 4_000), sound.is_silent(9_000, 9_500)
        (True, False, True)
        """
        stop = min(stop, self.n_samples)
        return stop <= first or any(begin <= first and stop <= end for begin, end in self.silent)

    def recorded(self, first: int, stop: int) -> float:
        """Of the packed samples ``first`` to ``stop``, the share that was recorded."""
        stop = min(stop, self.n_samples)
        if stop <= first:
            return 0.0
        missing = sum(max(0, min(end, stop) - max(begin, first)) for begin, end in self.gaps)
        return 1 - missing / (stop - first)


class PackedSensors(StrictModel):
    """The packed sensors of a sample; ``meta.json`` describes each."""

    n_sensors: Count
    n_values: Annotated[int, Field(ge=0, le=2**40, description="Numbers in all, times included")]

    @property
    def field(self) -> str:
        """The member that holds them."""
        return SENSORS


class SampleFacts(StrictModel):
    """What is known of a sample wherever it lies."""

    key: Key
    sequence: Key
    split: str | None = None
    participant: Count
    activity_id: int | None = None
    first_frame: Annotated[int, Field(ge=1, description="Annotation frame of packed frame 0")] = 1
    n_frames: Annotated[int, Field(ge=0, description="Packed frames of the longest view")]
    views: tuple[PackedView, ...] = ()
    sound: PackedSound | None = None
    sensors: Annotated[PackedSensors | None, Field(exclude_if=lambda value: value is None)] = None
    n_atomic_actions: Count = 0
    n_scene_graphs: Count = 0

    @property
    def has_audio(self) -> bool:
        """Whether sound was packed."""
        return self.sound is not None

    @property
    def ego(self) -> PackedView | None:
        """The ego view, if packed."""
        return next((view for view in self.views if view.kind == "ego"), None)

    @property
    def third(self) -> tuple[PackedView, ...]:
        """The packed third-person views, in order of number."""
        return tuple(view for view in self.views if view.kind == "third")


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
