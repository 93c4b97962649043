"""How large shards will become and how long packing will take: a trial on the user's own videos.

Some seconds of some of the videos are packed as they will be, and the rest is taken to be alike:
bytes a packed pixel and CPU time a source pixel, for ego and third-person views apart. What can be
counted (labels, sensors, headers) is counted. It is an estimate, and says from how many videos.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from homage_sdk.errors import MediaError
from homage_sdk.media.decoder import Decoder
from homage_sdk.shards.encode import encode_sound, encode_view, packed_size
from homage_sdk.shards.options import PackOptions
from homage_sdk.shards.plan import PlannedSample, PlannedShard, chosen_views, rough_bytes
from homage_sdk.shards.tar import BLOCK
from homage_sdk.time import NOMINAL_FPS

if TYPE_CHECKING:
    from homage_sdk.dataset import Dataset
    from homage_sdk.sequence import Sequence as Takes
    from homage_sdk.view import View

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
    samples = [planned for shard in shards for planned in shard.samples]
    work = [(dataset[planned.sequence], planned) for planned in samples]
    rough = [_roughly(sequence, planned, options) for sequence, planned in work]
    if budget_s is None:
        budget_s = min(_MOST_S, max(_LEAST_S, _SHARE * sum(cpu_s for _, cpu_s in rough)))
    trial = _try(dataset, samples, options, budget_s)
    videos = sum(rates.videos for rates in trial.views.values())
    parts = [_of_sample(*each, options, trial) for each in work] if videos else rough
    return Forecast(int(sum(size for size, _ in parts)), sum(cpu_s for _, cpu_s in parts), videos)


def _try(
    dataset: Dataset, samples: Sequence[PlannedSample], options: PackOptions, budget_s: float
) -> _Trial:
    trial = _Trial()
    end_s, latest_s = time.thread_time() + budget_s, time.monotonic() + _PATIENCE_S
    for view in _in_turns(dataset, samples, options):
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


def _in_turns(
    dataset: Dataset, samples: Sequence[PlannedSample], options: PackOptions
) -> Iterator[View]:
    """A view of each kind in turn, from sequences all over the selection."""
    names = sorted(
        {planned.sequence for planned in samples},
        key=lambda name: hashlib.sha256(f"trial {name}".encode()).digest(),
    )
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
    step_s = options.stride / float(NOMINAL_FPS)
    starts = times[np.flatnonzero(index.keyframe)] if index.keyframe.any() else times[:1]
    fitting = starts[starts + count * step_s <= times[-1] + index.frame_s]
    draw = int.from_bytes(hashlib.sha256(str(view.id).encode()).digest()[:8])
    start_s = float(fitting[draw % len(fitting)]) if len(fitting) else 0.0
    moments = start_s + step_s * np.arange(count)
    positions = index.at_many(moments[moments <= times[-1]], "nearest").tolist()
    path, rates = view.file(), _Rates()
    begin = time.thread_time()
    if options.unit != "sequence":
        decoder = Decoder(path, index)
        for _ in decoder.frames(positions):
            pass
        decoder.close()
        rates.decode_cpu_s = time.thread_time() - begin
        begin = time.thread_time()
    data, width, height = encode_view(path, index, positions, options)
    rates.cpu_s = time.thread_time() - begin
    rates.payload = _payload_bytes(data)
    rates.header = len(data) - rates.payload
    rates.pixels = width * height * len(positions)
    rates.source_pixel_s = _source_pixels(view) * len(positions) * step_s
    rates.videos = 1
    total = trial.views[view.kind]
    for name in _Rates.__slots__:
        setattr(total, name, getattr(total, name) + getattr(rates, name))


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


def _source_pixels(view: View) -> float:
    return float((view.width or 1024) * (view.height or 768))


def _span_s(planned: PlannedSample, view: View) -> float:
    """Seconds of a view that a sample holds."""
    duration = view.duration_s or 0.0
    if planned.last is None:
        return duration
    begin = (planned.first - 1) / float(NOMINAL_FPS)
    return max(0.0, min(duration, planned.last / float(NOMINAL_FPS)) - begin)


def _of_sample(
    sequence: Takes, planned: PlannedSample, options: PackOptions, trial: _Trial
) -> tuple[float, float]:
    """Bytes and CPU seconds of one sample."""
    views = [view for view in chosen_views(sequence, options) if view.path is not None]
    size = cpu_s = longest = 0.0
    for view in views:
        span_s = _span_s(planned, view)
        longest = max(longest, span_s)
        rates = trial.of(view.kind)
        frames = span_s * options.fps
        width, height = packed_size(view.width or 1024, view.height or 768, options.short_side)
        size += rates.payload / rates.pixels * width * height * frames
        size += rates.header / rates.videos + 10 * frames  # a time in meta.json
        source = _source_pixels(view)
        cpu_s += rates.cpu_s / rates.source_pixel_s * source * span_s
        if planned.first > 1:  # from the keyframe before it
            gap_s = (view.duration_s or 0.0) / max(1, int(view.index.keyframe.sum()))
            cpu_s += rates.decode_cpu_s / rates.source_pixel_s * source * gap_s / 2
    if options.audio and sequence.has_audio and trial.sounds:
        size += trial.sound_bytes / trial.sound_s * longest
        cpu_s += trial.sound_cpu_s / trial.sound_s * longest
    return size + _counted(sequence, planned, options, len(views), longest), cpu_s


def _counted(
    sequence: Takes, planned: PlannedSample, options: PackOptions, n_views: int, seconds: float
) -> float:
    """Bytes of what needs no trial: labels, sensors and the headers of the tar."""
    graphs = sequence.scene_graphs if options.scene_graphs else ()
    labels = 130 * len(sequence.atomic_actions) + sum(
        150 + 110 * (len(graph.objects) + len(graph.relationships)) for graph in graphs
    )
    readings = 0.0
    if options.sensors:
        readings = sum(8.0 * each.n_rows * (1 + len(each.columns)) for each in sequence.sensors)
    if planned.last is not None and sequence.duration_s:
        readings *= min(1.0, seconds / sequence.duration_s)
    meta = 800 + 5 * seconds * options.fps + 300 * n_views
    return labels + readings + meta + 1.5 * BLOCK * (4 + n_views)


def _roughly(sequence: Takes, planned: PlannedSample, options: PackOptions) -> tuple[float, float]:
    """The same from typical videos."""
    views = chosen_views(sequence, options)
    whole = max((view.duration_s or 0.0 for view in views), default=0.0)
    part = max((_span_s(planned, view) for view in views), default=0.0) / whole if whole else 1.0
    cpu_s = sum(_source_pixels(view) * _span_s(planned, view) for view in views) * _ROUGH_CPU_S
    return rough_bytes(sequence, options) * part, cpu_s
