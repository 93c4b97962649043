"""What rules want to know of a video; this stage does not open any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Probe(Protocol):
    """What rules want to know of a video; ``homage_sdk.media.probe.VideoProbe`` has it."""

    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def fps(self) -> float: ...  # noqa: D102
    @property
    def n_frames(self) -> int: ...  # noqa: D102
    @property
    def duration_s(self) -> float: ...  # noqa: D102
    @property
    def start_s(self) -> float: ...  # noqa: D102
    @property
    def has_audio(self) -> bool: ...  # noqa: D102
    @property
    def audio_start_s(self) -> float | None: ...  # noqa: D102
    @property
    def faults(self) -> tuple[str, ...]: ...  # noqa: D102


Probes = Mapping[str, Any]
"""By path relative to the release root: a ``Probe``, or the HomageError that probing raised."""
