"""What the packets of a file tell against it: one-line findings, each beginning with its word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import numpy as np
import numpy.typing as npt

from homage_sdk.media.header.tracks import told
from homage_sdk.problems import quantity

SOUND_SLACK_S = 0.01
"""Half a packet of AAC at 48 kHz: a lost packet is more, the rounding of any container less."""

_CROWDED = 0.25
"""A picture that follows the one before after less than so much of the usual step is one twice."""


def container_faults(
    container: av.container.InputContainer,
    logs: Sequence[tuple[int, str, str]],
    known: Sequence[str],
) -> list[str]:
    """What FFmpeg's reader of the container reported as errors; a file cut short explains them."""
    if any(fault.startswith("truncated") for fault in known):
        return []
    mine = [
        text
        for level, name, text in logs
        if level <= av.logging.ERROR and name == container.format.name
    ]
    if not mine:
        return []
    times = quantity(len(mine), "error")
    return [f"container: {times} in its structure, the first: {mine[0].strip()[:200]}"]


def timestamp_faults(pts: npt.NDArray[np.int64], missing: int) -> Iterator[str]:
    """Of ascending timestamps; ``missing``: packets without one."""
    steps = np.diff(pts)
    shared = int((steps == 0).sum())
    if missing:
        yield f"timestamps: {missing} frames without one"
    if shared:
        yield f"timestamps: {shared} frames share one"
    steps = steps[steps > 0]
    crowded = int((steps < _CROWDED * np.median(steps)).sum()) if len(steps) else 0
    if crowded:
        yield f"timestamps: {quantity(crowded, 'frame')} hardly later than the one before"


def track_faults(container: av.container.InputContainer) -> list[str]:
    """Which of several tracks are used."""
    streams = container.streams
    found = [told(streams.video, "video"), told(streams.audio, "sound")]
    return [f"tracks: {'; '.join(filter(None, found))}"] if any(found) else []


def sound_fault(packets: list[tuple[float, float]]) -> str:
    """Where packets of sound leave a gap, or lie over each other; "" where none does."""
    begins, lengths = np.array(packets, dtype=np.float64).reshape(-1, 2).T
    steps = begins[1:] - (begins + lengths)[:-1]
    wrong = np.flatnonzero((np.abs(steps) > SOUND_SLACK_S) & (lengths[:-1] > 0))
    if not len(wrong):
        return ""
    gaps, overlaps = (float((sign * steps[wrong]).clip(min=0).sum()) for sign in (1, -1))
    first = float((begins + lengths)[wrong[0]] - begins[0])
    return (
        f"sound: {gaps:.2f} s missing and {overlaps:.2f} s twice at "
        f"{quantity(len(wrong), 'place')}, the first {first:.2f} s after it begins"
    )
