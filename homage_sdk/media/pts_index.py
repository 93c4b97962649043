"""The pts index of one video: which frame is on screen at a moment, exactly.

Annotations and users speak moments; files speak presentation timestamps. A file's timestamps do
not start at 0 (audio priming puts an .mkv video at 0.021 s), are rounded to the container's clock
(1 ms in .mkv) and need not be evenly spaced. This index is the only bridge.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError, require_known
from homage_sdk.time import Frame, Seconds, When, as_seconds

Pick = Literal["nearest", "before", "after"]
"""Which frame stands for a moment: the nearest, the one on screen, or the next to come."""

PICKS: tuple[Pick, ...] = ("nearest", "before", "after")

_EPSILON_S = 1e-6
_HOLE_S = 0.2


def main_part(times: npt.NDArray[np.float64]) -> slice:
    """The longest run of these ascending times (seconds) without an implausible hole.

    A hole is implausible where it is longer than a minute and than ten times all frames together.

    >>> main_part(np.array([0.0, 0.033, 0.066, 36_000.0]))
    slice(0, 3, None)
    """
    steps = np.diff(times)
    if not len(steps):
        return slice(0, len(times))
    longest = max(60.0, 10 * len(times) * float(np.median(steps)))
    edges = np.array([0, *(np.flatnonzero(steps > longest) + 1), len(times)])
    part = int(np.argmax(np.diff(edges)))
    return slice(int(edges[part]), int(edges[part + 1]))


@dataclass(frozen=True, eq=False)
class PtsIndex:
    """Presentation timestamps of a video's F frames, in presentation order.

    Attributes:
        pts: int64 [F], strictly increasing, in ticks of ``time_base``.
        keyframe: bool [F], where decoding can begin.
        time_base: seconds a tick.

    >>> index = PtsIndex(np.array([21, 54, 88, 121]), np.array([1, 0, 0, 0], bool),
    ...                  Fraction(1, 1000))
    >>> [index.at(Frame(n)) for n in (1, 2, 3, 4)]
    [0, 1, 2, 3]
    >>> index.at(Seconds(0.05), pick="before"), index.at(Seconds(0.05), pick="after")
    (1, 2)

    """

    pts: npt.NDArray[np.int64]
    keyframe: npt.NDArray[np.bool_]
    time_base: Fraction

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def seconds(self) -> npt.NDArray[np.float64]:
        """Float64 [F]: when each frame appears, in seconds after the first frame."""
        if not len(self.pts):
            return np.zeros(0)
        ticks: npt.NDArray[np.float64] = (self.pts - self.pts[0]).astype(np.float64)
        return ticks * float(self.time_base)

    @property
    def frame_s(self) -> float:
        """Seconds a frame lasts: the median distance between neighbours (0 with fewer than 2)."""
        return float(np.median(np.diff(self.seconds))) if len(self.pts) > 1 else 0.0

    @property
    def tolerance_s(self) -> float:
        """How far rounding to the container's clock can move a frame against the first one.

        Both timestamps are rounded to a tick, so one tick; never more than a quarter of a frame.
        """
        gap = self.frame_s or float(self.time_base)
        return min(float(self.time_base), gap / 4) + _EPSILON_S

    def at(self, moment: When, pick: Pick = "nearest") -> int:
        """The 0-based index of the frame that stands for ``moment``.

        Up to a frame beyond the last one, that one stands for it whatever the ``pick``. Raises
        MediaError when the moment lies more than a frame beyond either end, or in a hole (see
        ``covers``).
        """
        return int(self.at_many(np.array([as_seconds(moment).value]), pick)[0])

    def at_many(
        self, seconds: npt.NDArray[np.float64], pick: Pick = "nearest"
    ) -> npt.NDArray[np.int64]:
        """Like ``at`` for many moments, in seconds after the first frame: int64 [n]."""
        found = self.closest(seconds, pick)
        there = self.covers(seconds, found)
        if not there.all():
            bad = float(np.asarray(seconds)[~there][0])
            after = int(np.searchsorted(self.seconds, bad))
            raise MediaError(
                "no picture at this moment",
                found=f"{bad:.3f} s, in a hole of the video from {self.seconds[after - 1]:.3f} s "
                f"to {self.seconds[after]:.3f} s",
                expected=f"at most {self.hole_s / 2:.2f} s from a picture",
                hint="nothing was recorded there; `homage validate --deep` lists holes",
            )
        return found

    @property
    def hole_s(self) -> float:
        """A longer step from one frame to the next is a hole: pictures are missing."""
        return max(_HOLE_S, 3 * self.frame_s)

    def covers(
        self, seconds: npt.NDArray[np.float64], found: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Whether the frames ``found`` stand for moments: bool [n].

        In a hole a frame stands for at most half of ``hole_s`` around it.
        """
        times = self.seconds
        before = np.searchsorted(times, seconds, side="right") - 1
        steps = np.diff(times, prepend=times[0], append=times[-1])[before.clip(-1) + 1]
        away = np.abs(times[found] - seconds)
        covered: npt.NDArray[np.bool_] = (steps <= self.hole_s) | (
            away <= self.hole_s / 2 + self.tolerance_s
        )
        return covered

    def closest(
        self, seconds: npt.NDArray[np.float64], pick: Pick = "nearest"
    ) -> npt.NDArray[np.int64]:
        """Like ``at_many``, holes or not."""
        require_known("pick", pick, PICKS)
        if not len(self.pts):
            raise MediaError("the video has no frames")
        times = self.seconds
        seconds = np.asarray(seconds, dtype=np.float64)
        slack = self.frame_s + self.tolerance_s
        late = seconds > times[-1] + slack
        if late.any() or (seconds < -self.tolerance_s).any():
            bad = float(seconds[late][0]) if late.any() else float(seconds.min())
            raise MediaError(
                "no frame at this moment",
                found=f"{bad:.3f} s",
                expected=f"0 to {times[-1] + self.frame_s:.3f} s",
                hint="the labels can run past the end of a video; clip the interval first",
            )
        tolerance = self.tolerance_s
        if pick == "nearest":
            after = np.searchsorted(times, seconds).clip(1, max(1, len(times) - 1))
            before = after - 1
            if len(times) == 1:
                return np.zeros(len(seconds), dtype=np.int64)
            nearer_after = times[after] - seconds < seconds - times[before]
            return np.where(nearer_after, after, before).astype(np.int64)
        if pick == "before":
            found = np.searchsorted(times, seconds + tolerance, side="right") - 1
            return found.clip(0).astype(np.int64)
        found = np.searchsorted(times, seconds - tolerance, side="left")
        return found.clip(max=len(times) - 1).astype(np.int64)

    def keyframe_before(self, index: int) -> int:
        """The last keyframe at or before ``index``; 0 when none is marked."""
        marked = np.flatnonzero(self.keyframe[: index + 1])
        return int(marked[-1]) if len(marked) else 0

    def frame_number(self, index: int) -> Frame:
        """The annotation frame (30 a second, 1-based) that this video frame shows."""
        return Seconds(float(self.seconds[index]) + self.tolerance_s).frame()
