"""Which pictures of a video can be trusted: the one place that decides it.

A picture is good when its packet and all that it refers back to, to the last keyframe that decoded
cleanly, decoded cleanly. A decoder marks the first broken picture at most; those that refer back to
it are as wrong. One thread decodes, so that the same file gets the same answers.

What counts against a packet: the decoder refuses it, marks its picture, or reports an error while
it is read or decoded; in H.264 also that pictures to refer to are missing before it. FFmpeg's
reports are counted for the whole process: one packet is read or decoded at a time, and what others
may have caused counts when it comes again (``Doubt``).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import NamedTuple

import av
import av.logging

from homage_sdk.media.header.h264 import FrameNumbers
from homage_sdk.media.header.opening import reason
from homage_sdk.media.video_source import H264, VideoSource
from homage_sdk.storage.system_errors import require_enough

_REPORTED = "the decoder reports an error"
_LOST = "data are lost before it"
_LACKING = "pictures that it refers to are missing before it"
_DELAY = 16
"""A decoder holds a picture back for at most so many packets."""


class Picture(NamedTuple):
    """A decoded picture: its timestamp, and why it is not good ("" where it is)."""

    stamp: int
    frame: av.VideoFrame
    fault: str


class Doubt(Exception):  # noqa: N818 - answered by the decoder, never seen by a user
    """Errors were reported at the packet of this timestamp: once is not enough."""

    def __init__(self, stamp: int) -> None:
        super().__init__(stamp)
        self.stamp = stamp


@dataclass(slots=True)
class _Packet:
    """A packet that the decoder was given, until it is judged and its picture is out."""

    stamp: int | None
    is_keyframe: bool
    has_part: bool
    """Whether a picture is to come of it."""
    lost: str
    """What is lost before it, if anything."""
    fault: str = ""
    is_reported: bool = False
    frame: av.VideoFrame | None = None
    is_out: bool = False
    is_judged: bool = False
    verdict: str = ""


class Judged:
    """The pictures of a video from where its container stands, in the order they are shown.

    Attributes:
        clean_from: timestamp of the last keyframe that decoded cleanly, None before there is one.

    """

    def __init__(self, source: VideoSource, known: set[int]) -> None:
        """``known``: timestamps of packets where errors were reported before."""
        self.clean_from: int | None = None
        self._source, self._stream, self._known = source, source.stream, known
        self._base = source.stream.time_base or Fraction(1, 1000)
        context = source.stream.codec_context
        self._numbers = FrameNumbers(context.extradata) if context.name == H264 else None
        self._sent: deque[_Packet] = deque()  # in order, those not judged
        self._n_judged = 0
        self._waiting: deque[_Packet] = deque()  # those whose picture is out, in order
        self._latest: int | None = None  # timestamp of the last of them
        self._tainted = self._tainted_leading = "no keyframe before it"

    def __iter__(self) -> Iterator[Picture]:
        """Raises Doubt."""
        packets = self._source.container.demux(self._stream)
        last: _Packet | None = None
        is_lost = False
        while True:
            packet: av.Packet[av.VideoStream] | None = None
            with _REPORTS.lock:
                before = _REPORTS.count()
                try:
                    packet = next(packets, None)
                except (av.FFmpegError, OSError) as error:
                    require_enough(error)
                    is_lost = True
                by = _REPORTS.since(before)
            is_odd = by == self._source.context.name  # its parser speaks of this very packet
            is_lost |= bool(by) and not is_odd
            if is_lost and last is not None:
                last.fault, last.is_reported = last.fault or _REPORTED, True
            if packet is None or not packet.size:
                break
            yield from self._ready(is_last=False)
            if self._source.is_spoilt and self._needs_nothing(packet):
                with _REPORTS.lock:
                    self._decode(None, None)
                yield from self._ready(is_last=True)
                self._source.renew()
            is_lacking = self._numbers is not None and self._numbers.lacks(bytes(packet))
            last = self._send(packet, _LOST if is_lost else _LACKING if is_lacking else "")
            if is_odd:
                last.fault, last.is_reported = last.fault or _REPORTED, True
            is_lost = False
        with _REPORTS.lock:
            self._decode(None, None)
        yield from self._ready(is_last=True)

    def _needs_nothing(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Whether a packet and what follows it can be decoded by a decoder that begins there."""
        numbers = self._numbers
        return packet.is_keyframe and (numbers is None or numbers.is_idr(bytes(packet)))

    def _send(self, packet: av.Packet[av.VideoStream], lost: str) -> _Packet:
        stamp = packet.pts if packet.pts is not None else packet.dts
        sent = _Packet(stamp, packet.is_keyframe, not packet.is_discard, lost)
        if packet.is_corrupt:
            sent.fault = "its container marks it as damaged"
        self._sent.append(sent)
        packet.opaque = sent  # an object of its own: PyAV knows it by its address
        with _REPORTS.lock:
            before = _REPORTS.count()
            self._decode(packet, sent)
            if not sent.fault and _REPORTS.since(before):
                sent.fault, sent.is_reported = _REPORTED, True
                self._source.is_spoilt = True
        return sent

    def _decode(self, packet: av.Packet[av.VideoStream] | None, sent: _Packet | None) -> None:
        try:
            for frame in self._source.context.decode(packet):
                self._came(frame)
        except (av.FFmpegError, OSError) as error:
            require_enough(error)
            self._source.is_spoilt = True
            if sent is not None:
                sent.fault = reason(error)

    def _came(self, frame: av.VideoFrame) -> None:
        source = frame.opaque
        if not isinstance(source, _Packet) or source.is_out:
            return
        shown = frame.pts if frame.pts is not None else frame.dts
        source.is_out, source.frame = True, frame
        source.stamp = source.stamp if shown is None else shown
        if frame.is_corrupt:
            self._source.is_spoilt = True
            source.fault = source.fault or "the decoder marks it as damaged"
        self._latest = source.stamp
        self._waiting.append(source)

    def _ready(self, *, is_last: bool) -> Iterator[Picture]:
        """The pictures that nothing decoded later can spoil."""
        while self._sent:
            packet = self._sent[0]
            if not (packet.is_out or packet.fault or is_last or self._has_passed(packet)):
                break
            self._judge(packet)
            self._sent.popleft()
            self._n_judged += 1
        while self._waiting and self._waiting[0].is_judged:
            packet = self._waiting.popleft()
            frame, packet.frame = packet.frame, None
            if frame is not None and packet.stamp is not None:
                yield Picture(packet.stamp, frame, packet.verdict)

    def _has_passed(self, packet: _Packet) -> bool:
        """Whether no picture will come of a packet: later ones are out, and it is long ago."""
        is_late = None not in (packet.stamp, self._latest) and packet.stamp < self._latest  # type: ignore[operator]
        return len(self._sent) > (_DELAY if is_late else 4 * _DELAY)

    def _judge(self, packet: _Packet) -> None:
        """What a packet's picture is worth, and those that will refer back to it."""
        packet.is_judged, stamp = True, packet.stamp
        is_first = self._n_judged == 0
        if packet.lost and not is_first:
            if packet.lost == _LOST:
                self._require_seen_before(packet)
            self._tainted = self._tainted_leading = self._since(packet, packet.lost)
        is_leading = None not in (self.clean_from, stamp) and stamp < self.clean_from  # type: ignore[operator]
        fault = packet.fault
        if packet.is_reported and not (self._tainted_leading if is_leading else self._tainted):
            self._require_seen_before(packet)
        if not packet.is_out and packet.is_keyframe and packet.has_part:
            fault = fault or "a keyframe without a picture"
        if fault:
            packet.verdict = self._since(packet, fault)
            self._tainted_leading = self._tainted_leading or packet.verdict
            self._tainted = self._tainted if is_leading else self._tainted or packet.verdict
        elif packet.is_out:
            if packet.frame is not None and packet.frame.key_frame:
                # What leads up to a keyframe may refer to what lies before it.
                self._tainted_leading = "" if is_first else self._tainted
                self._tainted, self.clean_from, is_leading = "", stamp, False
            packet.verdict = self._tainted_leading if is_leading else self._tainted

    def _require_seen_before(self, packet: _Packet) -> None:
        if packet.stamp is not None and packet.stamp not in self._known:
            raise Doubt(packet.stamp)

    def _since(self, packet: _Packet, what: str) -> str:
        at = "" if packet.stamp is None else f" at {float(packet.stamp * self._base):.3f} s"
        return f"{what}{at}"


class _Reports:
    """The errors that FFmpeg reports, heard by one at a time."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: a thread that is not here may have held the lock."""
        self.lock = Lock()

    def count(self) -> int:
        """How many there were in this process."""
        return int(av.logging.get_last_error()[0])

    def since(self, before: int) -> str:
        """Who reported the last one, where there was any; else ""."""
        count, last = av.logging.get_last_error()
        return (last[1] or "?") if count > before and last is not None else ""


_REPORTS = _Reports()
os.register_at_fork(after_in_child=_REPORTS.begin_anew)
