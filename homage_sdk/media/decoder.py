"""One open video file, decoded exactly: the good picture of a given pts, or why there is none.

``Decoder`` is used by one thread at a time. ``DecoderPool`` keeps a bounded number of them open
between uses, hands each to one user only, and forgets them in a forked child, where the shared file
offset would make two processes read each other's packets.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from weakref import WeakSet

import av

from homage_sdk.errors import MediaError
from homage_sdk.media.damage import Doubt, Judged, Picture
from homage_sdk.media.header.opening import file_state
from homage_sdk.media.header.orientation import first_form
from homage_sdk.media.pts_index import PtsIndex
from homage_sdk.media.video_source import VideoSource

_NEAR = 12
"""Decoding so many pictures costs less than a seek."""

_COPY = "copy the video again; `homage validate --deep --decode all` lists what is damaged"
_REMEDY = "cut the video where its picture changes: each part has one size"


class PictureAt(NamedTuple):
    """What lies at a position of the index: a good picture, or why there is none.

    Attributes:
        is_other: whether it decodes, and has another size or orientation than the first one.

    """

    position: int
    frame: av.VideoFrame | None
    fault: str = ""
    is_other: bool = False


class Decoder:
    """An open video and where its decoding stands."""

    def __init__(self, path: Path, index: PtsIndex) -> None:
        self.path = path
        self.index = index
        self.form = first_form(*file_state(path))[0]
        """How the pictures are shown; None where none decodes."""
        self._source = VideoSource(path)  # after it: one open file at a time
        self._known: set[int] = set()  # where errors were reported once
        self._faults: dict[int, tuple[str, bool]] = {}  # by position, of what is not good
        self._skip = 0  # how many of the starts give no clean pictures in this stream
        self._end_run()

    def _end_run(self) -> None:
        self._judged: Judged | None = None
        self._pictures: Iterator[Picture] = iter(())
        self._ahead: Picture | None = None
        self._start = 0  # position from which it is decoded
        self._last: int | None = None  # the position asked for last

    def close(self) -> None:
        """Close the file."""
        self._end_run()
        self._source.close()

    def frames(self, positions: Sequence[int]) -> Iterator[av.VideoFrame]:
        """The frames at ascending 0-based ``positions`` of the index, each exactly.

        Raises MediaError at the first that is damaged; those after it can be asked for then.
        """
        for found in self.found(positions):
            if found.frame is None:
                at_s = float(self.index.seconds[found.position])
                raise MediaError(
                    "a picture has another form" if found.is_other else "a picture is damaged",
                    place=str(self.path),
                    found=f"frame {found.position + 1}, {at_s:.3f} s after the first: "
                    f"{found.fault}",
                    expected="one size for all pictures"
                    if found.is_other
                    else "a picture that decodes cleanly, as all that it refers to",
                    hint=_REMEDY if found.is_other else _COPY,
                )
            yield found.frame

    def found(self, positions: Sequence[int]) -> Iterator[PictureAt]:
        """What lies at ascending 0-based ``positions``: damage is a value, not an error."""
        for position in positions:
            picture = None if position in self._faults else self._find(position)
            fault = self._faults.get(position) or self._fault(picture)
            if fault is None and picture is not None:
                yield PictureAt(position, picture.frame)
            elif fault is not None:
                self._faults[position] = fault
                yield PictureAt(position, None, *fault)

    def _fault(self, picture: Picture | None) -> tuple[str, bool] | None:
        """Why a picture is not handed out, and whether it is only of another form."""
        if picture is None or picture.fault:
            return (picture.fault if picture else "no picture comes of its packet"), False
        difference = self.form.difference(picture.frame) if self.form else ""
        return (difference, True) if difference else None

    def _find(self, position: int) -> Picture | None:
        """The picture at a position; decoded from an earlier keyframe where a seek gives none."""
        self._known.clear()
        keyframe = self.index.keyframe_before(position)
        last = -_NEAR if self._last is None else self._last
        goes_on = keyframe - _NEAR < last < position
        picture = self._from(None, position) if goes_on else None
        starts = self._starts(keyframe)
        for tried, start in enumerate(starts[self._skip :] or starts[-1:]):
            if (goes_on or tried) and (_is_good(picture) or self._is_final(position, keyframe)):
                break
            if not goes_on or start < self._start:
                picture = self._from(start, position)
                self._skip += tried if _is_good(picture) else 0
        return picture

    def _starts(self, keyframe: int) -> list[int]:
        """Positions to seek to: the keyframe, then earlier ones."""
        earlier = self.index.keyframe_before(keyframe - 1) if keyframe > 0 else 0
        return list(dict.fromkeys([keyframe, earlier, 0]))

    def _is_final(self, position: int, keyframe: int) -> bool:
        """Whether an earlier start can tell nothing else.

        What follows a seek can lack what lies before it; what follows a clean keyframe and then
        another one does not.
        """
        clean_from = None if self._judged is None else self._judged.clean_from
        is_clean = clean_from is not None and clean_from <= int(self.index.pts[position])
        return self._start == 0 or (self._start < keyframe and is_clean)

    def _from(self, start: int | None, position: int) -> Picture | None:
        """The picture at a position, decoded from ``start`` or from where decoding stands."""
        while True:
            try:
                if start is not None:
                    self._seek(start)
                self._last = position
                return self._decode_to(int(self.index.pts[position]))
            except Doubt as doubt:
                self._known.add(doubt.stamp)
                if start is None:
                    start = self._starts(self.index.keyframe_before(position))[:2][-1]

    def _seek(self, position: int) -> None:
        is_new = self._judged is None
        self._end_run()
        self._start = position
        try:
            if position > 0:
                self._source.seek(int(self.index.pts[position]))
        except (av.FFmpegError, OSError):
            self._start = position = 0  # a container without a seek table
        if position == 0 and not is_new:  # the seek of some containers lands behind the beginning
            self._source.close()
            self._source.open()
        self._judged = Judged(self._source, self._known)
        self._pictures = iter(self._judged)

    def _decode_to(self, pts: int) -> Picture | None:
        """Decode forward to the picture with this pts; None when it has been passed or missing."""
        while True:
            picture = self._ahead or next(self._pictures, None)
            self._ahead = None
            if picture is None or picture.stamp == pts:
                return picture
            if pts < picture.stamp <= int(self.index.pts[-1]):  # beyond, a stray stamp
                self._ahead = picture
                return None


def _is_good(picture: Picture | None) -> bool:
    return picture is not None and not picture.fault


class DecoderPool:
    """At most ``limit`` idle decoders, the least recently used closed first."""

    def __init__(self, limit: int = 16) -> None:
        self.limit = limit
        self._reset()
        _POOLS.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[tuple[object, ...], Decoder]] = []  # the last one used comes last

    @contextmanager
    def borrow(self, path: Path, index: PtsIndex) -> Iterator[Decoder]:
        """A decoder for this file that no other thread uses; opened when none is idle."""
        key = file_state(path)
        with self._lock:
            found = next((entry for entry in reversed(self._idle) if entry[0] == key), None)
            if found is not None:
                self._idle.remove(found)
        decoder = Decoder(path, index) if found is None else found[1]
        try:
            yield decoder
        except MediaError:  # of one picture
            self._take_back(key, decoder)
            raise
        except BaseException:
            decoder.close()
            raise
        self._take_back(key, decoder)

    def _take_back(self, key: tuple[object, ...], decoder: Decoder) -> None:
        with self._lock:
            self._idle.append((key, decoder))
            surplus = max(0, len(self._idle) - self.limit)
            closing, self._idle = self._idle[:surplus], self._idle[surplus:]
        for _, old in closing:
            old.close()

    def __len__(self) -> int:
        with self._lock:
            return len(self._idle)

    def clear(self) -> None:
        """Close every idle decoder."""
        with self._lock:
            closing, self._idle = self._idle, []
        for _, old in closing:
            old.close()


_POOLS: WeakSet[DecoderPool] = WeakSet()
_LEFT_BEHIND: list[object] = []


def _leave_behind() -> None:
    """In a forked child: begin anew. A thread that is not here may have held the lock.

    The parent's decoders are neither used nor closed.
    """
    for pool in list(_POOLS):
        _LEFT_BEHIND.append(pool._idle)
        pool._reset()


os.register_at_fork(after_in_child=_leave_behind)


DECODERS = DecoderPool()
"""The decoders of this process."""
