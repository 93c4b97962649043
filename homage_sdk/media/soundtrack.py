"""The sound of a file on one absolute grid of samples, decoded whole and kept for a while.

A sound sample lies where the pts of its packet puts it, so what follows a gap is not early. Packets
whose pts agrees with the samples counted so far, to ``SOUND_SLACK_S``, are one run: rounding to a
container's clock moves nothing. What no packet holds, or no decoder reads, is not recorded.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import gcd
from pathlib import Path
from threading import Lock

import av
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError
from homage_sdk.media.header.container_faults import SOUND_SLACK_S
from homage_sdk.media.header.opening import file_state, open_media, reason
from homage_sdk.media.header.tracks import main_track
from homage_sdk.media.mono import Wave, mono
from homage_sdk.media.probe import require_decoder
from homage_sdk.storage.system_errors import require_enough

_LONGEST_S = 6 * 3600
"""Sound further from the first picture than this is a stray timestamp, and left out."""

_STEP = 1 / 32768

_KEPT_BYTES = 1 << 27
_PIECE = 1 << 16


@dataclass(frozen=True, eq=False)
class Sound:
    """Mono sound between two moments, S samples.

    Attributes:
        samples: float32 [S] within -1..1; silence where nothing was recorded.
        recorded: bool [S], False in gaps, before the sound begins and after it ends.

    """

    samples: Wave
    recorded: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Run:
    """Samples without a gap; the first lies at ``first`` on the grid, 0 at the first picture."""

    first: int
    samples: Wave

    @property
    def stop(self) -> int:
        """Where the next sample would lie."""
        return self.first + len(self.samples)


@dataclass(frozen=True, eq=False)
class Soundtrack:
    """All runs of a file, in the order of the file; where two overlap the later one counts."""

    runs: tuple[Run, ...]
    n_lost: int
    """Packets that cannot be decoded."""

    def window(self, first: int, stop: int) -> Sound:
        """The samples ``first`` to ``stop``, the last one excluded."""
        samples = np.zeros(stop - first, dtype=np.float32)
        recorded = np.zeros(stop - first, dtype=np.bool_)
        for run in self.runs:
            begin, end = max(run.first, first), min(run.stop, stop)
            if begin < end:
                place = slice(begin - first, end - first)
                samples[place] = run.samples[begin - run.first : end - run.first]
                recorded[place] = True
        return Sound(samples, recorded)


def soundtrack(path: Path, sample_rate: int, zero_s: float | None) -> Soundtrack:
    """The sound of ``path`` at ``sample_rate``; time 0 is ``zero_s`` on the file's clock.

    ``zero_s`` is measured where it is None: the first picture, else the first sound. Raises
    MediaError when there is no sound, or nothing of it can be decoded.
    """
    key = (*file_state(path), sample_rate, zero_s)
    known = _KEPT.get(key)
    if known is None:
        known = _read(path, sample_rate, zero_s)
        _KEPT.put(key, known)
    return known


def _read(path: Path, sample_rate: int, zero_s: float | None) -> Soundtrack:
    with open_media(path) as container:
        stream = main_track(container.streams.audio)
        if stream is None:
            raise MediaError("no sound in this file", place=str(path))
        require_decoder(path, stream)
        stream.codec_context.thread_count = 1
        reader = _Reader(stream, _first_s(path) if zero_s is None else zero_s)
        runs = [
            Run(*resampled(parts, first, rate, sample_rate))
            for first, rate, parts in reader.runs(container)
        ]
    if not runs and (reader.fault or reader.n_lost):
        raise MediaError(
            "the sound cannot be decoded",
            place=str(path),
            found=reader.fault,
            hint="the file is damaged: copy it again",
        )
    return Soundtrack(tuple(runs), reader.n_lost)


@dataclass(frozen=True, slots=True)
class CheckedSound:
    """What decoding the sound of a file found.

    Attributes:
        is_silent: whether every sample is nearer to zero than one step of 16 bits.
        n_lost: packets that cannot be decoded, up to where it was looked at.
        fault: why it was looked at no further, or not at all; "" where nothing prevented it.

    """

    is_silent: bool = False
    n_lost: int = 0
    fault: str = ""


def check_sound(path: Path, *, everything: bool) -> CheckedSound | None:
    """Decode the sound of ``path`` as packing does; up to what is heard, or all of it.

    None where there is none. Raises MediaError where the file cannot be opened.
    """
    with open_media(path) as container:
        stream = main_track(container.streams.audio)
        if stream is None:
            return None
        reader, is_silent, is_empty = _Reader(stream, 0.0), True, True
        if stream.codec_context is None:  # no decoder
            n_lost = sum(bool(packet.size) for packet in reader.packets(container))
            return CheckedSound(n_lost=n_lost, fault=reader.stopped)
        stream.codec_context.thread_count = 1
        for frame in reader.frames(container):
            is_empty = False
            is_silent = is_silent and float(np.abs(mono(frame)).max(initial=0)) < _STEP
            if not is_silent and not everything:
                break
    return CheckedSound(is_silent and not is_empty, reader.n_lost, reader.stopped)


class _Reader:
    """Decodes packet by packet: one that cannot be decoded costs no other.

    Attributes:
        n_lost: packets that cannot be decoded.
        fault: what the decoder, or the reader of the container, said.
        stopped: what the latter said, where reading stopped before the end.

    """

    def __init__(self, stream: av.AudioStream, zero_s: float) -> None:
        self.n_lost, self.fault, self.stopped = 0, "", ""
        self._stream, self._zero_s = stream, zero_s

    def runs(self, container: av.container.InputContainer) -> Iterator[tuple[int, int, list[Wave]]]:
        """Each run: its first sample, its rate, its pieces."""
        first = stop = rate = 0
        parts: list[Wave] = []
        for frame in self.frames(container):
            at = self._position(frame, stop if parts else None)
            if at is None:
                continue
            begins = not parts or frame.sample_rate != rate
            if begins or abs(at - stop) > SOUND_SLACK_S * rate:
                if parts:
                    yield first, rate, parts
                first = stop = at
                rate, parts = frame.sample_rate, []
            parts.append(mono(frame))
            stop += frame.samples
        if parts:
            yield first, rate, parts

    def packets(
        self, container: av.container.InputContainer
    ) -> Iterator[av.Packet[av.AudioStream]]:
        """All, or those before reading stopped: they count."""
        try:
            yield from container.demux(self._stream)
        except (av.FFmpegError, OSError) as error:
            require_enough(error)
            self.fault = self.stopped = reason(error)

    def frames(self, container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
        for packet in self.packets(container):
            try:
                yield from packet.decode()
            except (av.FFmpegError, OSError) as error:
                require_enough(error)
                self.n_lost += 1
                self.fault = self.fault or reason(error)

    def _position(self, frame: av.AudioFrame, expected: int | None) -> int | None:
        """The first sample of a frame; as counted where it has no pts, None where it is astray."""
        if frame.pts is None:
            return expected
        base = frame.time_base or self._stream.time_base or Fraction(1, 1000)
        seconds = float(frame.pts * base) - self._zero_s
        return round(seconds * frame.sample_rate) if abs(seconds) < _LONGEST_S else None


def resampled(pieces: list[Wave], first: int, rate: int, wanted: int) -> tuple[int, Wave]:
    """A run at another rate, on the grid of that rate: its first sample, and the samples.

    The grids meet at every whole multiple of ``rate / gcd`` samples; the filter begins at such a
    point, so where a run begins moves nothing by a part of a sample.
    """
    if rate == wanted:
        return first, np.concatenate(pieces)
    shared = gcd(rate, wanted)
    begin = first // (rate // shared) * (rate // shared)
    source = np.concatenate([np.zeros(first - begin, np.float32), *pieces])
    stop = begin + len(source)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted)
    parts = []
    for at in range(0, len(source), _PIECE):
        frame = av.AudioFrame.from_ndarray(source[None, at : at + _PIECE], "flt", "mono")
        frame.sample_rate = rate
        parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    begin = begin * wanted // rate
    low, high = -(-first * wanted // rate), -(-stop * wanted // rate)
    out = np.zeros(high - low, np.float32)
    made = np.concatenate(parts)[low - begin : high - begin]
    out[: len(made)] = np.clip(made, -1, 1)
    return low, out


def _first_s(path: Path) -> float:
    """The first picture's pts, in seconds; the first sound's where there is no picture."""
    found: list[Fraction] = []
    with open_media(path) as container, suppress(av.FFmpegError, OSError):  # cut: what came counts
        tracks = container.streams
        stream = main_track(tracks.video) or main_track(tracks.audio)
        for packet in islice(container.demux(stream), 17):  # B-frames: the first is among them
            if packet.pts is not None and packet.time_base and not packet.is_discard:
                found.append(packet.pts * packet.time_base)
    return float(min(found, default=0))


class _Kept:
    """The soundtrack used last, and earlier ones up to a number of bytes. Safe in threads."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew. In a forked child, a thread that is not there may have held the lock."""
        self._lock = Lock()
        self._tracks: OrderedDict[object, tuple[Soundtrack, int]] = OrderedDict()

    def get(self, key: object) -> Soundtrack | None:
        with self._lock:
            found = self._tracks.get(key)
            if found is None:
                return None
            self._tracks.move_to_end(key)
            return found[0]

    def put(self, key: object, track: Soundtrack) -> None:
        with self._lock:
            self._tracks[key] = track, sum(run.samples.nbytes for run in track.runs)
            while len(self._tracks) > 1 and sum(n for _, n in self._tracks.values()) > _KEPT_BYTES:
                self._tracks.popitem(last=False)


_KEPT = _Kept()
os.register_at_fork(after_in_child=_KEPT.forget)
