"""Rules about what was recorded: lengths, rates, sizes, sound, views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from homage_sdk.problems import quantity
from homage_sdk.time import NOMINAL_FPS
from homage_sdk.validation.data import Data
from homage_sdk.validation.rule import Finding, info, warning
from homage_sdk.validation.rules.media import each, probed

if TYPE_CHECKING:
    from homage_sdk.media.probe import VideoProbe

_CLIP_FRAMES = 120
"""What one training clip spans: 8 blocks of 5 frames, every 3rd (paper, section 5.1)."""


@warning(
    "HOM602",
    "views of one sequence differ in length",
    why="Views are synchronized from first to last frame. One that is much shorter was cut or "
    "started late, and shows another moment than the others do.",
    example="v001 lasts 8 s where v000 and v002 last 16 s",
    hint="run `homage sync` to measure the offset, or copy the video again",
    deep=True,
)
def lengths_differ(data: Data) -> Iterator[Finding]:
    """More than half a second from the sequence's longest view; cut files are HOM600."""
    views: dict[str, list[tuple[int, VideoProbe]]] = {}
    for file, sequence, probe in probed(data):
        if not probe.fault("truncated"):
            views.setdefault(sequence, []).append((file, probe))
    for sequence, probes in views.items():
        usual = _usual([probe.duration_s for _, probe in probes])
        for file, probe in probes:
            if abs(probe.duration_s - usual) > 0.5:
                found, expected = f"{probe.duration_s:.2f} s", f"{usual:.2f} s as the other views"
                yield data.at_file(file, found, expected, sequence=sequence)


def _usual(durations: list[float]) -> float:
    """The length that most views agree on within half a second; of several, the longest."""
    return max(durations, key=lambda d: (sum(abs(d - e) <= 0.5 for e in durations), d))


_AT_ZERO = "0 s, within 0.25 s"


def _off_zero(seconds: float, form: str) -> str:
    return form.format(seconds) if abs(seconds) > 0.25 else ""


@warning(
    "HOM603",
    "video without sound",
    why="The view has no sound stream, or one without a packet. About 20 of the published files "
    "have none; the audio modality is absent for the view, which is not the same as silence.",
    example="a .mkv with a video stream only",
    hint="nothing, if it was recorded so; another view's sound is used where there is one",
    deep=True,
)
def no_sound(data: Data) -> Iterator[Finding]:
    """No sound, in a release where some views have it; cut and empty files are reported as such."""
    heard = any(probe.has_audio for _, _, probe in probed(data))
    silent = "no sound" if heard else ""
    return each(data, lambda p: "" if p.has_audio else silent, "a sound stream", cut=False)


@warning(
    "HOM604",
    "video starts late",
    why="The first frame's timestamp lies well after zero. Within a file that is handled; between "
    "views it can mean that one was recorded later than the others.",
    example="first timestamp at 1.400 s",
    hint="run `homage sync` to measure the offset between the views",
    deep=True,
)
def starts_late(data: Data) -> Iterator[Finding]:
    """First timestamp more than a quarter of a second from 0 (sound priming gives 0.02 s)."""
    return each(data, lambda probe: _off_zero(probe.start_s, "{:.3f} s"), _AT_ZERO)


@warning(
    "HOM605",
    "sound starts apart from the picture",
    why="The sound begins well before or after the first frame. Time is kept (what is missing is "
    "silence), but the sound of that part of the sequence is not there.",
    example="sound from 1.500 s, picture from 0.021 s",
    hint="nothing; mind it when training on sound",
    deep=True,
)
def sound_apart(data: Data) -> Iterator[Finding]:
    """More than a quarter of a second between the first frame and the first sound."""

    def apart(probe: VideoProbe) -> str:
        if not probe.has_audio or probe.audio_start_s is None:
            return ""
        return _off_zero(probe.audio_start_s - probe.start_s, "{:+.3f} s")

    return each(data, apart, _AT_ZERO)


@warning(
    "HOM607",
    "unusual frame rate",
    why="Annotations count 30 frames a second. At another rate the n-th frame of the file is not "
    "annotation frame n; read by time, as this library does, and it is right.",
    example="25 frames a second",
    hint="nothing here; code that counts frames of this file will drift",
    deep=True,
)
def unusual_rate(data: Data) -> Iterator[Finding]:
    """More than 2 % from 30 a second, over at least a second."""
    nominal = float(NOMINAL_FPS)

    def rate(probe: VideoProbe) -> str:
        unusual = probe.n_frames > 15 and abs(probe.fps - nominal) > 0.02 * nominal
        return f"{probe.fps:.2f} fps" if unusual else ""

    return each(data, rate, f"{nominal:g} fps")


@warning(
    "HOM614",
    "pictures missing inside a video",
    why="Between two pictures lies over one and a half times the usual time: some were lost. "
    "Pictures are found by their timestamps, so that the others keep their moments; a moment "
    "inside a hole longer than 0.2 s (and than three usual steps) has no picture, and packing "
    "marks it.",
    example="60 pictures missing at 1 place, the first 2.00 s after the video begins",
    hint="nothing, if it was recorded so; copy the video again where another copy is whole",
    deep=True,
)
def holes(data: Data) -> Iterator[Finding]:
    """Steps of more than one and a half times the median step; doubtful stamps are HOM609."""

    def judge(probe: VideoProbe) -> str:
        steps = np.diff(probe.pts)
        is_long = steps > 1.5 * np.median(steps) if len(steps) else np.zeros(0, np.bool_)
        if not is_long.any() or probe.fault("timestamps"):
            return ""
        places, usual = np.flatnonzero(is_long), float(steps[~is_long].mean())
        missing = (np.rint(steps[places] / usual).astype(np.int64) - 1).clip(min=1).sum()
        first_s = float((probe.pts[places[0]] - probe.pts[0]) * probe.time_base)
        return (
            f"{quantity(missing, 'picture')} missing at {quantity(len(places), 'place')}, "
            f"the first {first_s:.2f} s after the video begins"
        )

    return each(data, judge, "no step over 1.5 times the usual one")


@warning(
    "HOM608",
    "unusual picture size",
    why="The views of a release are of one size (1024x768 as published). Another size was scaled "
    "or cropped, and boxes in pixels of the original do not fit it.",
    example="640x480 among videos of 1024x768",
    hint="copy the original video",
    deep=True,
)
def unusual_size(data: Data) -> Iterator[Finding]:
    """Other than the size that most videos have."""
    sizes = Counter((probe.width, probe.height) for _, _, probe in probed(data))
    usual = max(sizes, key=lambda size: (sizes[size], size), default=(0, 0))

    def size(probe: VideoProbe) -> str:
        unusual = (probe.width, probe.height) != usual
        return f"{probe.width}x{probe.height}" if unusual else ""

    return each(data, size, "{}x{}".format(*usual))


@info(
    "HOM611",
    "video shorter than a training clip",
    why=f"A clip of the paper spans {_CLIP_FRAMES} frames (8 blocks of 5, every 3rd). Clips of "
    "this video repeat or leave out blocks, and say so.",
    example="90 frames",
    hint="nothing",
    deep=True,
)
def short(data: Data) -> Iterator[Finding]:
    """Fewer frames than a clip spans."""

    def length(probe: VideoProbe) -> str:
        return f"{probe.n_frames} frames" if probe.n_frames < _CLIP_FRAMES else ""

    return each(data, length, f"{_CLIP_FRAMES} or more", cut=False)


@info(
    "HOM612",
    "sequence without ego view",
    why="43 of 825 measured sequences have none. It is left out of training on the ego modality.",
    example="p0002_r001_a007 with v001 and v003 only",
    hint="nothing, if the release is complete",
)
def no_ego(data: Data) -> Iterator[Finding]:
    """Videos, none of which is v000; at the first of them."""
    with_ego = data.videos.loc[data.videos["view"] == 0, "sequence"]
    others = data.videos[~data.videos["sequence"].isin(with_ego)]
    for sequence, videos in others.groupby("sequence"):
        views = ", ".join(map(str, sorted(videos["view"])))
        file = videos["file"].iat[0]
        yield data.at_file(file, f"views {views}", "a view 0", sequence=str(sequence))


@info(
    "HOM613",
    "sequence with a single view",
    why="5 of 825 measured sequences have one view only. Nothing can be compared across views.",
    example="p0002_r001_a007 with v000 only",
    hint="nothing, if the release is complete",
)
def one_view(data: Data) -> Iterator[Finding]:
    """One video; a lone third-person view is HOM612 as well."""
    alone = data.videos[~data.videos["sequence"].duplicated(keep=False)]
    for sequence, videos in alone.groupby("sequence"):
        view = int(videos["view"].iat[0])
        file = videos["file"].iat[0]
        yield data.at_file(file, f"view {view}", "2 views or more", sequence=str(sequence))
