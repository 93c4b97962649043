"""One open video file, decoded exactly: the frame that carries a given pts, or an error.

``Decoder`` is used by one thread at a time. ``DecoderPool`` keeps a bounded number of them open
between uses, hands each to one user only, and forgets them in a forked child, where the shared file
offset would make two processes read each other's packets.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

import av

from homage_sdk.errors import MediaError
from homage_sdk.media.probe import file_state, open_media
from homage_sdk.media.pts_index import PtsIndex


class Decoder:
    """An open video and where its decoding stands."""

    def __init__(self, path: Path, index: PtsIndex, threads: int = 1) -> None:
        self.path = path
        self.index = index
        self._container = open_media(path)
        if not self._container.streams.video:
            self._container.close()
            raise MediaError("no picture in this file", place=str(path))
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = threads
        self._stream.codec_context.thread_type = "SLICE" if threads == 1 else "AUTO"
        self._frames: Iterator[av.VideoFrame] | None = None
        self._last: int | None = None  # position in the index of the last frame given out

    def close(self) -> None:
        """Close the file."""
        self._frames = None
        self._container.close()

    def frames(self, positions: Sequence[int]) -> Iterator[av.VideoFrame]:
        """The frames at ascending 0-based ``positions`` of the index, each exactly.

        Raises MediaError when a frame cannot be reached, which only a damaged file brings about.
        """
        for position in positions:
            yield self._frame(position)

    def _frame(self, position: int) -> av.VideoFrame:
        keyframe = self.index.keyframe_before(position)
        reachable = self._last is not None and keyframe <= self._last < position
        starts = [] if reachable else self._starts(keyframe)
        for start in [None, *starts] if reachable else starts:
            if start is not None:
                self._seek(start)
            frame = self._decode_to(int(self.index.pts[position]))
            if frame is not None:
                self._last = position
                return frame
        raise MediaError(
            "a frame cannot be decoded",
            place=str(self.path),
            found=f"no picture for frame {position + 1}",
            expected=f"{len(self.index)} frames, as its packets say",
            hint="the file is damaged there: copy it again",
        )

    def _starts(self, keyframe: int) -> list[int]:
        """Positions to seek to: the keyframe, then earlier ones should that seek overshoot."""
        earlier = self.index.keyframe_before(keyframe - 1) if keyframe > 0 else 0
        return list(dict.fromkeys([keyframe, earlier, 0]))

    def _seek(self, position: int) -> None:
        self._last = None
        self._frames = None
        try:
            self._container.seek(int(self.index.pts[position]), stream=self._stream)
        except (av.FFmpegError, OSError):
            with suppress(av.FFmpegError, OSError):  # then no picture comes, which is said
                self._container.seek(0)  # a container without a seek table: from the beginning

    def _decode_to(self, pts: int) -> av.VideoFrame | None:
        """Decode forward to the frame with this pts; None when it has been passed or is missing."""
        if self._frames is None:
            self._frames = self._container.decode(self._stream)
        try:
            for frame in self._frames:
                stamp = frame.pts if frame.pts is not None else frame.dts
                if stamp is None or stamp < pts:
                    continue
                return frame if stamp == pts else None
        except (av.FFmpegError, OSError):
            self._frames = None
        return None


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
        except BaseException:
            decoder.close()
            raise
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
