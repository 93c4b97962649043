"""Media of a page: each view as a small video on the annotations' clock, its sound on its own.

Picture k of a file is annotation frame k + 1 of the sequence, of every view alike: 30 a second, all
of one length. Where nothing was recorded, or a picture is damaged, the last good one is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from av.video.reformatter import Colorspace

from homage_sdk.errors import MediaError
from homage_sdk.explore.document import Stretch
from homage_sdk.media.header.opening import unreadable
from homage_sdk.shards.encoding.mono_file import mono_file
from homage_sdk.shards.packing.encode import (
    ViewCoding,
    chosen_frames,
    encode_pictures,
    gap_edges,
)
from homage_sdk.time import NOMINAL_FPS, Interval, Seconds

if TYPE_CHECKING:
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.dataset.view import View

PAGE_BYTES = 10_000_000
"""A page of 60 seconds of four views is at most so large; a longer one in proportion."""
_VIEW_SECONDS = 240.0

_SHORT_SIDE = 360
_KEYFRAMES = 30
_CRF = 23
_LEAST_KBIT, _MOST_KBIT = 64, 3_000
_BUFFER_S = 1.0
_SPARE = 0.93
"""Of the budget: what the container and the encoder's buffer take."""

_SOUND_RATE, _SOUND_BITS = 48_000, 64_000


@dataclass(frozen=True)
class ProxyVideo:
    """An MP4 (H.264, BT.709, limited range) and which of its pictures are repeated, and why."""

    data: bytes
    width: int
    height: int
    gaps: tuple[Stretch, ...]
    damaged: tuple[Stretch, ...]


@dataclass(frozen=True)
class ProxySound:
    """An MP4 with AAC from the start of the sequence to its end; silent in ``gaps``."""

    data: bytes
    view: int
    gaps: tuple[Stretch, ...]


def video_kbit(n_views: int, n_frames: int, other_bytes: int) -> int:
    """Kilobits a second for each view, so that the page keeps its budget.

    ``other_bytes``: what else is on the page. Of Base64 three quarters are video.

    >>> video_kbit(4, 1800, other_bytes=1_000_000)
    206
    """
    seconds = n_frames / float(NOMINAL_FPS)
    shown_s = max(1, n_views) * (seconds + _BUFFER_S)
    budget = PAGE_BYTES * max(1.0, n_views * seconds / _VIEW_SECONDS)
    bits = max(0.0, budget - other_bytes) * 3 / 4 * 8 * _SPARE
    return round(min(max(bits / shown_s / 1000, _LEAST_KBIT), _MOST_KBIT))


def proxy_view(view: View, n_frames: int, kbit: int) -> ProxyVideo:
    """A view as a video of ``n_frames`` pictures and at most ``kbit`` kilobits a second.

    Raises MediaError where the file is not there, cannot be read, or has no good picture.
    """
    path = view.file()
    try:
        index = view.index
        if not len(index):
            raise MediaError("not one frame", place=str(path), hint="copy it again")
        found, near = chosen_frames(index, 1, n_frames, 1)
        n_after = n_frames - len(found)  # this view ends before the others
        positions = [*found.tolist(), *[int(found[-1])] * n_after]
        there = np.array([*near, *[False] * n_after])
        made = encode_pictures(path, index, positions, _coding(kbit), there.tolist())
    except OSError as error:
        raise unreadable(path, error) from error
    is_good = np.ones(n_frames, dtype=np.bool_)
    for first, stop in made.gaps:
        is_good[first:stop] = False
    return ProxyVideo(
        made.data,
        made.width,
        made.height,
        gaps=_stretches(there),
        damaged=_stretches(is_good | ~there),
    )


def _coding(kbit: int) -> ViewCoding:
    limit = f"vbv-maxrate={kbit}:vbv-bufsize={round(kbit * _BUFFER_S)}"
    return ViewCoding(
        fps=NOMINAL_FPS,
        short_side=_SHORT_SIDE,
        gop=_KEYFRAMES,
        x264={"preset": "veryfast", "crf": str(_CRF)},
        matrix=Colorspace.ITU709,
        x264_params=limit,
        index_first=True,
    )


def _stretches(is_there: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[Stretch, ...]:
    """Frames, both ends included, of the stretches where it is False."""
    return tuple((first + 1, stop) for first, stop in gap_edges(is_there))


def proxy_sound(sequence: Sequence, n_frames: int) -> ProxySound:
    """The sound of a sequence over ``n_frames`` frames; MediaError where there is none."""
    source = sequence.sounding()
    end = Seconds(Interval(1, n_frames).end_s())
    sound = sequence.sound(Seconds(0.0), end, sample_rate=_SOUND_RATE)
    if source is None or not sound.recorded.any():
        raise MediaError(f"no sound of sequence {sequence.id} was recorded")
    data = mono_file(sound.samples, _SOUND_RATE, "mp4", "aac", "fltp", _SOUND_BITS)
    gaps = [
        (_frame_of(first), max(_frame_of(first), _frame_of(stop - 1)))
        for first, stop in gap_edges(sound.recorded)
    ]
    return ProxySound(data, source.number, tuple(gaps))


def _frame_of(sample: int) -> int:
    return Seconds(sample / _SOUND_RATE).frame().number
