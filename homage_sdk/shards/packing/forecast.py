"""How large shards will become and how long packing will take: a trial on the user's own videos.

Some seconds of some of the videos are packed as they will be, and the rest is taken to be alike:
bytes a packed pixel and CPU time a source pixel, for ego and third-person views apart. What can be
counted (labels, sensors, headers) is counted. It is an estimate, and says from how many videos.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError
from homage_sdk.media.decoder import Decoder
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.tar import BLOCK
from homage_sdk.shards.packing.encode import encode_sound, encode_view, packed_size
from homage_sdk.shards.packing.plan import PlannedSample, PlannedShard, chosen_views, rough_bytes
from homage_sdk.time import Frame

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.dataset.sequence import Sequence as Takes
    from homage_sdk.dataset.view import View

_SHARE, _LEAST_S, _MOST_S = 0.03, 0.4, 2.0
_PATIENCE_S = 4.0
"""However busy the machine is, a trial ends after so long."""
_FEWEST_VIDEOS, _MOST_VIDEOS = 6, 32
_MOST_SOUNDS = 8
_GOPS = 2
_SOUND_S = 4.0
# Measured on 256x144 payload at 10 frames a second: CPU seconds a source pixel and second.
_ROUGH_CPU_S = 30 * 3.6e-3 / (1024 * 768)


@dataclass(frozen=True, slots=True)
class Forecast:
    """About what packing will take."""

    bytes: int
    cpu_s: float
    videos: int
    """How many videos the trial packed a part of; 0: none could be, typical values stand in."""


@dataclass(slots=True)
class _Rates:
    """Sums over the trial, from which rates follow."""

    pixels: float = 0.0
    payload: float = 0.0
    header: float = 0.0
    source_pixel_s: float = 0.0
    cpu_s: float = 0.0
    decode_cpu_s: float = 0.0
    decode_pixel_s: float = 0.0
    duration_s: float = 0.0
    keyframes: int = 0
    videos: int = 0


@dataclass(slots=True)
class _Trial:
    views: defaultdict[str, _Rates] = field(default_factory=lambda: defaultdict(_Rates))
    sound_s: float = 0.0
    sound_bytes: float = 0.0
    sound_cpu_s: float = 0.0
    sounds: int = 0

    def of(self, kind: str) -> _Rates:
        """The rates of this kind of view, or of the other where none of this was tried."""
        return self.views[kind] if kind in self.views else next(iter(self.views.values()))


def forecast(
    dataset: Dataset,
    shards: Sequence[PlannedShard],
    options: PackOptions,
    budget_s: float | None = None,
) -> Forecast:
    """Estimate bytes and CPU seconds of these shards.

    The trial takes about ``budget_s`` CPU seconds: left out, a small share of the work, at most
    two. Videos that cannot be read are passed over. Without a single one that can, the estimate
    rests on typical videos.
    """
    of_sequence: defaultdict[str, list[PlannedSample]] = defaultdict(list)
    for shard in shards:
        for planned in shard.samples:
            of_sequence[planned.sequence].append(planned)
    works = [_Work.of(dataset[name], samples, options) for name, samples in of_sequence.items()]
    rough_cpu_s = sum(work.rough_cpu_s for work in works)
    if budget_s is None:
        budget_s = min(_MOST_S, max(_LEAST_S, _SHARE * rough_cpu_s))
    trial = _try(dataset, of_sequence, options, budget_s)
    videos = sum(rates.videos for rates in trial.views.values())
    if not videos:
        return Forecast(int(sum(_rough_size(work, options) for work in works)), rough_cpu_s, 0)
    parts = [_expected(work, options, trial) for work in works]
    return Forecast(int(sum(size for size, _ in parts)), sum(cpu_s for _, cpu_s in parts), videos)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be made of one sequence: W samples of it, from V of its views."""

    sequence: Takes
    samples: list[PlannedSample]
    views: list[View]
    pixels: npt.NDArray[np.float64]
    """Of the source, [V]."""
    spans_s: npt.NDArray[np.float64]
    """Seconds of each view that each sample holds, [W, V]; 0 where it ended, or none can tell."""

    @classmethod
    def of(cls, sequence: Takes, samples: list[PlannedSample], options: PackOptions) -> Self:
        """The work on these samples of the sequence."""
        views = [view for view in chosen_views(sequence, options) if view.path is not None]
        durations = np.array([view.duration_s or 0.0 for view in views])
        spans = [(Frame(each.first).seconds().value, _end_s(each)) for each in samples]
        begin_s, end_s = np.array(spans).T[:, :, None]
        pixels = [_source_pixels(view) for view in views]
        spans_s = np.maximum(0.0, np.minimum(durations, end_s) - begin_s)
        return cls(sequence, samples, views, np.array(pixels), spans_s)

    @property
    def rough_cpu_s(self) -> float:
        """CPU seconds, from typical videos."""
        return float((self.spans_s @ self.pixels).sum()) * _ROUGH_CPU_S


def _source_pixels(view: View) -> float:
    return float((view.width or 1024) * (view.height or 768))


def _end_s(planned: PlannedSample) -> float:
    return math.inf if planned.last is None else Frame(planned.last + 1).seconds().value


def _try(
    dataset: Dataset, sequences: Iterable[str], options: PackOptions, budget_s: float
) -> _Trial:
    trial = _Trial()
    end_s, latest_s = time.thread_time() + budget_s, time.monotonic() + _PATIENCE_S
    for view in _in_turns(dataset, sequences, options):
        count = sum(rates.videos for rates in trial.views.values())
        spent = time.thread_time() > end_s and count >= _FEWEST_VIDEOS
        if spent or count >= _MOST_VIDEOS or time.monotonic() > latest_s:
            break
        try:
            _try_view(view, options, trial)
            if options.audio and view.has_audio and trial.sounds < _MOST_SOUNDS:
                _try_sound(view, options, trial)
        except MediaError:
            continue  # it will be listed when it is packed
    return trial


def _in_turns(dataset: Dataset, sequences: Iterable[str], options: PackOptions) -> Iterator[View]:
    """A view of each kind in turn, from sequences all over the selection."""
    names = sorted(sequences, key=lambda name: hashlib.sha256(f"trial {name}".encode()).digest())
    for number, name in enumerate(names):
        views = [v for v in chosen_views(dataset[name], options) if v.is_available and v.duration_s]
        for kind in ("ego", "third"):
            alike = [view for view in views if view.kind == kind]
            if alike:
                yield alike[number % len(alike)]


def _try_view(view: View, options: PackOptions, trial: _Trial) -> None:
    """Pack a few groups of pictures from a keyframe somewhere in the video."""
    index = view.index
    times = index.seconds
    count = _GOPS * options.gop
    step_s = 1 / options.fps
    starts = times[np.flatnonzero(index.keyframe)] if index.keyframe.any() else times[:1]
    fitting = starts[starts + count * step_s <= times[-1] + index.frame_s]
    draw = int.from_bytes(hashlib.sha256(str(view.id).encode()).digest()[:8])
    start_s = float(fitting[draw % len(fitting)]) if len(fitting) else 0.0
    moments = start_s + step_s * np.arange(count)
    positions = index.at_many(moments[moments <= times[-1]], "nearest").tolist()
    path, decode_cpu_s = view.file(), 0.0
    begin = time.thread_time()
    if options.unit != "sequence":
        decoder = Decoder(path, index)
        for _ in decoder.frames(positions):
            pass
        decoder.close()
        decode_cpu_s = time.thread_time() - begin
        begin = time.thread_time()
    decoded = len(positions)
    if options.unit == "clip":  # a short window is mostly its first picture
        positions = positions[: max(1, round(options.clip_s * options.fps))]
    data, width, height = encode_view(path, index, positions, options)
    cpu_s, payload = time.thread_time() - begin, _payload_bytes(data)
    rates = trial.views[view.kind]  # only now: a video that fails halfway counts for nothing
    rates.cpu_s += cpu_s
    rates.decode_cpu_s += decode_cpu_s
    rates.payload += payload
    rates.header += len(data) - payload
    rates.pixels += width * height * len(positions)
    rates.decode_pixel_s += _source_pixels(view) * decoded * step_s
    rates.source_pixel_s += _source_pixels(view) * len(positions) * step_s
    rates.duration_s += view.duration_s or 0.0
    rates.keyframes += int(index.keyframe.sum())
    rates.videos += 1


def _payload_bytes(mp4: bytes) -> int:
    """Bytes of an MP4's ``mdat``: what grows with the length; the rest is header."""
    at = 0
    while at + 8 <= len(mp4):
        size = int.from_bytes(mp4[at : at + 4])
        if mp4[at + 4 : at + 8] == b"mdat":
            return size
        at += max(size, 8)
    return len(mp4)


def _try_sound(view: View, options: PackOptions, trial: _Trial) -> None:
    begin_s = max(0.0, ((view.duration_s or 0.0) - _SOUND_S) / 2)
    begin = time.thread_time()
    data, count = encode_sound(view.file(), begin_s, begin_s + _SOUND_S, options)
    trial.sound_cpu_s += time.thread_time() - begin
    trial.sound_bytes += len(data)
    trial.sound_s += count / options.audio_rate
    trial.sounds += 1


def _expected(work: _Work, options: PackOptions, trial: _Trial) -> tuple[float, float]:
    """Bytes and CPU seconds of the samples of one sequence."""
    longest_s = float(work.spans_s.max(axis=1, initial=0.0).sum())
    late = np.array([planned.first > 1 for planned in work.samples])
    size, cpu_s = _counted(work, options) + 5 * longest_s * options.fps, 0.0
    for view, pixels, spans_s in zip(work.views, work.pixels.tolist(), work.spans_s.T, strict=True):
        rates, there, span_s = trial.of(view.kind), spans_s > 0, float(spans_s.sum())
        frames = span_s * options.fps
        width, height = packed_size(view.width or 1024, view.height or 768, options.short_side)
        size += rates.payload / rates.pixels * width * height * frames
        size += int(there.sum()) * (rates.header / rates.videos + 300 + 1.5 * BLOCK)
        size += 10 * frames  # a time in meta.json
        cpu_s += rates.cpu_s / rates.source_pixel_s * pixels * span_s
        # From the keyframe before it: half the way from one to the next.
        gap_s = rates.duration_s / max(1, rates.keyframes)
        begun = int((there & late).sum())
        cpu_s += rates.decode_cpu_s / rates.decode_pixel_s * pixels * gap_s / 2 * begun
    if options.audio and work.sequence.has_audio and trial.sounds:
        size += trial.sound_bytes / trial.sound_s * longest_s
        cpu_s += trial.sound_cpu_s / trial.sound_s * longest_s
    return size, cpu_s


def _counted(work: _Work, options: PackOptions) -> float:
    """Bytes of what needs no trial: labels, sensors and the headers of the tar."""
    sequence, n_samples = work.sequence, len(work.samples)
    whole_s = sequence.duration_s or 1e9
    readings = 0.0
    if options.sensors:
        readings = sum(8.0 * each.n_rows * (1 + len(each.columns)) for each in sequence.sensors)
    spans_s = (
        min(whole_s, _end_s(each)) - Frame(each.first).seconds().value for each in work.samples
    )
    shares = sum(max(0.0, span_s) / whole_s for span_s in spans_s)
    graphs = _graph_bytes(work) if options.scene_graphs else 0.0
    actions = 130 * len(sequence.atomic_actions)  # all of them, in each window
    return graphs + readings * shares + n_samples * (actions + 800 + 6 * BLOCK)


def _graph_bytes(work: _Work) -> float:
    """Bytes of the scene graphs in the samples, each like the mean one of the sequence."""
    frames = work.sequence.table("frames").sort_by("frame")
    if not len(frames):
        return 0.0
    tables = (work.sequence.table(name) for name in ("objects", "relationships"))
    each: float = 150 + 110 * sum(len(table) for table in tables) / len(frames)
    at: npt.NDArray[np.int64] = frames["frame"].to_numpy()
    first = np.array([1 if each.last is None else each.first for each in work.samples])
    last = np.array([at[-1] if each.last is None else each.last for each in work.samples])
    within = np.searchsorted(at, last, "right") - np.searchsorted(at, first, "left")
    return each * int(within.sum())


def _rough_size(work: _Work, options: PackOptions) -> float:
    """Bytes, from typical videos."""
    whole_s = max((view.duration_s or 0.0 for view in work.views), default=0.0)
    longest_s = work.spans_s.max(axis=1, initial=0.0)
    share = float(longest_s.sum()) / whole_s if whole_s else float(len(work.samples))
    return rough_bytes(work.sequence, options) * share
