"""What a video file holds, by its packets: never by its header, which lies (FORMAT.md).

Nothing is decoded but the first frame that can be, which alone knows how the picture is rotated.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import av.logging
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import HomageError, MediaError
from homage_sdk.media.header.container import stated_frames, truncation
from homage_sdk.media.header.container_faults import (
    container_faults,
    sound_fault,
    timestamp_faults,
    track_faults,
)
from homage_sdk.media.header.opening import file_state, open_media, reason
from homage_sdk.media.header.orientation import first_form
from homage_sdk.media.header.tracks import main_track
from homage_sdk.media.pts_index import PtsIndex, main_part
from homage_sdk.problems import quantity

MAX_PACKETS = 20_000_000
"""Above this a file is no recording of a household task (about 90 hours): refused."""


@dataclass(frozen=True, eq=False)
class VideoProbe:
    """The measured facts of one video file; F frames.

    ``width`` and ``height`` are as displayed, after rotation. ``pts`` is int64 [F] in presentation
    order, in ticks of ``time_base``; ``keyframe`` is bool [F]. ``faults`` are one-line findings,
    each beginning with a word of its own: ``truncated:``, ``empty:``, ``header:``,
    ``timestamps:``, ``picture:``, ``sound:``, ``tracks:``, ``angle:``,
    ``container:``.
    """

    path: Path
    width: int
    height: int
    fps: float
    n_frames: int
    time_base: Fraction
    start_pts: int
    pts: npt.NDArray[np.int64]
    keyframe: npt.NDArray[np.bool_]
    duration_s: float
    has_audio: bool
    audio_start_s: float | None = None
    sample_rate: int | None = None
    codec: str = ""
    header_frames: int | None = None
    faults: tuple[str, ...] = field(default=())

    @property
    def start_s(self) -> float:
        """The first frame's pts in seconds of the container's clock."""
        return float(self.start_pts * self.time_base)

    @property
    def index(self) -> PtsIndex:
        """The pts index that makes time exact."""
        return PtsIndex(self.pts, self.keyframe, self.time_base)

    def fault(self, word: str) -> str:
        """The finding that begins with a word (``truncated``), without the word; "" without any."""
        return next((f.partition(": ")[2] for f in self.faults if f.startswith(word)), "")


Probes = Mapping[str, VideoProbe | HomageError]
"""By path relative to the release root: what probing gave, or the error that it raised."""


def require_decoder(path: Path, track: av.VideoStream | av.AudioStream) -> None:
    """Raise MediaError where no decoder is there for a track: its ``codec_context`` is None."""
    if track.codec_context is None:
        raise MediaError(
            f"no decoder for its {track.type} track",
            place=str(path),
            hint="copy it again, or make it anew: ffmpeg -i IN -c:v libx264 -crf 15 OUT.mkv",
        )


def probe_video(path: Path) -> VideoProbe:
    """Read every packet of ``path``; raises MediaError when it is no video that can be opened."""
    with av.logging.Capture() as logs:
        return _probe_heard(Path(path), logs)


def _probe_heard(path: Path, logs: list[tuple[int, str, str]]) -> VideoProbe:
    """``logs``: what FFmpeg reports in this thread, while it does."""
    cut = None
    try:
        with suppress(OSError):  # said when it is opened
            cut = truncation(path)
        container = open_media(path)
    except MediaError as error:
        if cut:
            error.hint = f"copy it again: {cut}"
        raise
    with container:
        video = main_track(container.streams.video)
        if video is None:
            raise MediaError("no picture in this file", place=str(path), expected="a video stream")
        require_decoder(path, video)
        faults = [f"truncated: {cut}"] if cut else []
        probe = _probe(path, container, video, faults)
        return replace(probe, faults=(*faults, *container_faults(container, logs, faults)))


def _probe(
    path: Path,
    container: av.container.InputContainer,
    video: av.VideoStream,
    faults: list[str],
) -> VideoProbe:
    audio = main_track(container.streams.audio)
    stamps: list[tuple[int, bool, int]] = []  # pts, keyframe, duration
    heard: list[tuple[float, float]] = []  # begin and length of each packet of sound, seconds
    missing = 0
    base = video.time_base or Fraction(1, 1000)
    try:
        for packet in container.demux([video] if audio is None else [video, audio]):
            if packet.size == 0:
                continue
            if packet.stream is audio:
                if packet.pts is not None and packet.time_base:
                    tick = packet.time_base
                    heard.append((float(packet.pts * tick), float((packet.duration or 0) * tick)))
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None:
                missing += 1
            elif not packet.is_discard:
                stamps.append((stamp, packet.is_keyframe, packet.duration or 0))
            if len(stamps) > MAX_PACKETS:
                raise MediaError("too many frames", place=str(path), expected=f"<= {MAX_PACKETS}")
    except (av.FFmpegError, OSError) as error:
        faults.append(f"truncated: reading stopped after {len(stamps)} frames ({reason(error)})")
    begins = np.sort(np.array([begin for begin, _ in heard]))
    audio_start = float(begins[main_part(begins)][0]) if heard else None
    faults += filter(None, [sound_fault(heard), *track_faults(container)])
    in_order = all(a[0] < b[0] for a, b in pairwise(stamps))
    stamps.sort()
    main = main_part(np.array([s[0] for s in stamps]) * float(base))
    if strays := stamps[: main.start] + stamps[main.stop :]:
        faults.append(
            f"timestamps: {quantity(len(strays), 'frame')} far from the others, "
            f"the first at {float(strays[0][0] * base):.2f} s: not used"
        )
        stamps = stamps[main]
    pts = np.array([s[0] for s in stamps], dtype=np.int64)
    unique, positions = np.unique(pts, return_index=True)
    faults += timestamp_faults(pts, missing)
    keyframe = np.array([s[1] for s in stamps], dtype=np.bool_)[positions]
    n_frames = len(unique)
    fps, duration = _rate(unique, stamps, base)
    if in_order and video.codec_context.has_b_frames:
        _require_display_order(path)
    width, height = _shape(path, video, faults)
    if not n_frames:
        faults.append("empty: not one frame")
    header = stated_frames(container, video, n_frames)
    if header and abs(header - n_frames) > 1:
        faults.append(f"header: says {header} frames, {n_frames} are there")
    return VideoProbe(
        path=path,
        width=width,
        height=height,
        fps=fps,
        n_frames=n_frames,
        time_base=base,
        start_pts=int(unique[0]) if n_frames else 0,
        pts=unique,
        keyframe=keyframe,
        duration_s=duration,
        has_audio=audio is not None and audio_start is not None,
        audio_start_s=audio_start,
        sample_rate=audio.codec_context.sample_rate if audio and audio.codec_context else None,
        codec=video.codec_context.name,
        header_frames=header or None,
    )


def _rate(
    pts: npt.NDArray[np.int64], stamps: list[tuple[int, bool, int]], base: Fraction
) -> tuple[float, float]:
    """Frames a second over all packets, and seconds from the first frame to the last one's end."""
    if len(pts) < 2:
        duration = float((stamps[-1][2] if stamps else 0) * base)
        return (1 / duration if duration else 0.0), duration
    span = float((pts[-1] - pts[0]) * base)
    fps = (len(pts) - 1) / span
    last = float(stamps[-1][2] * base)
    gap = float(np.median(np.diff(pts)) * base)
    return fps, span + (last if 0 < last < 10 * gap else gap)


def _shape(path: Path, video: av.VideoStream, faults: list[str]) -> tuple[int, int]:
    """Width and height as displayed, by the first frame that decodes."""
    form, refused = first_form(*file_state(path))
    if refused is not None:
        faults.append(f"picture: no frame can be decoded ({reason(refused)})")
    if form is None:
        return video.codec_context.width, video.codec_context.height
    if form.off_degrees:
        faults.append(f"angle: {form.off_degrees} degrees off a quarter turn")
    return form.displayed


def _require_display_order(path: Path) -> None:
    """Refuse a file whose timestamps count packets, not the pictures as they are shown (.avi)."""
    shown = []
    with suppress(av.FFmpegError, OSError), open_media(path) as container:
        video = main_track(container.streams.video)
        shown = [frame.pts for frame in islice(container.decode(video), 100)]
    known = [stamp for stamp in shown if stamp is not None]
    if any(a >= b for a, b in pairwise(known)):
        raise MediaError(
            "no timestamps of pictures",
            place=str(path),
            found="only the order in which they are stored, which is another (B-frames)",
            hint="make them anew: ffmpeg -i IN -c:v libx264 -crf 15 -c:a copy OUT.mkv",
        )
