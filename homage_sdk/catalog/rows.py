"""Rows of a catalog's tables as typed records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One row of the ``sequences`` table."""

    sequence: str
    participant: int
    room: int
    take: int
    activity_id: int | None
    split: str | None
    duration_s: float | None
    n_views: int
    has_ego: bool
    has_audio: bool
    n_atomic_actions: int
    n_scene_graphs: int


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One row of the ``views`` table."""

    sequence: str
    view: int
    kind: str
    path: str | None
    bytes: int | None
    width: int | None
    height: int | None
    fps: float | None
    n_frames: int | None
    time_base_num: int | None
    time_base_den: int | None
    start_time_s: float | None
    duration_s: float | None
    has_audio: bool | None
    audio_start_s: float | None
    sample_rate: int | None
    sha256: str | None
