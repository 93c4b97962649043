"""The payload: a view as a small H.264 MP4, its sound as FLAC; bytes depend on the input alone."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from homage_sdk.errors import MediaError
from homage_sdk.media.audio import read_sound
from homage_sdk.media.decoder import Decoder
from homage_sdk.media.header.orientation import Form, Orientation
from homage_sdk.media.pts_index import PtsIndex
from homage_sdk.media.spectrograms import jet
from homage_sdk.shards.encoding.mono_file import as_16_bits, flac
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sample_meta import in_pairs
from homage_sdk.time import NOMINAL_FPS, Frame

# Macroblock-tree rate control reads memory that it never wrote where a row of macroblocks does not
# fill a vector register (192 pixels do not): the same input gave other bytes from call to call.
# Without it the same crf costs a quarter more bytes and gains 1 dB. B-frames save 4 % and cost 5 %
# of the decoding time.
_X264 = "mbtree=0:bframes=0"
# One stated colour space whatever the source's: limited range, the matrix that a coding names (for
# shards BT.601, AVCOL_SPC_SMPTE170M, which our loader's conversion is made for); primaries as they
# are, so that no reader that heeds the tags changes them.
_BT709 = 1
_MATRIX_TAG = {Colorspace.ITU601: 6, Colorspace.ITU709: 1}
_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class ViewCoding:
    """How a view becomes an H.264 MP4.

    Attributes:
        fps: pictures a second of the file.
        short_side: pixels of the shorter side; smaller sources are not enlarged.
        gop: pictures from keyframe to keyframe.
        x264: options of the encoder, such as ``preset`` and ``crf``.
        matrix: of the conversion to YUV, and of the tag that states it.
        x264_params: further ones, in x264's own words.
        index_first: the file's index lies before its pictures.
        min_good: the least share of good pictures; there must be one in any case.

    """

    fps: Fraction
    short_side: int
    gop: int
    x264: Mapping[str, str]
    matrix: Colorspace = Colorspace.ITU601
    x264_params: str = ""
    index_first: bool = False
    min_good: float = 0.0

    @classmethod
    def packed(cls, options: PackOptions) -> Self:
        """The coding of shards."""
        tune = {"tune": options.tune} if options.tune else {}
        return cls(
            fps=NOMINAL_FPS / options.stride,
            short_side=options.short_side,
            gop=options.gop,
            x264={"preset": options.x264_preset, "crf": str(options.crf), **tune},
            min_good=options.min_good,
        )


class EncodedView(NamedTuple):
    """An MP4, width and height of its picture, and its gaps, as in ``PackedView``."""

    data: bytes
    width: int
    height: int
    gaps: tuple[tuple[int, int], ...]


def packed_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height of the packed picture: aspect kept, even, never enlarged.

    >>> packed_size(1024, 768, 144), packed_size(1280, 720, 144), packed_size(97, 65, 144)
    ((192, 144), (256, 144), (96, 64))
    """
    short = min(width, height)
    if short <= short_side:
        return max(2, width // 2 * 2), max(2, height // 2 * 2)
    scale = short_side / short
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def chosen_frames(
    index: PtsIndex, first: int, last: int | None, stride: int
) -> tuple[npt.NDArray[np.int64], list[bool]]:
    """The source frames nearest to every ``stride``-th annotation frame, up to the video's end.

    And which of them are near enough to stand for it.
    """
    end_s = index.seconds[-1] + index.frame_s / 2 + index.tolerance_s
    last = last or Frame.from_index(int(end_s * 30) + 1).number
    numbers = np.arange(first, last + 1, stride)
    moments = (numbers - 1) / float(NOMINAL_FPS)  # as Frame.seconds
    moments = moments[moments <= end_s]
    found = index.closest(moments)
    return found, index.covers(moments, found).tolist()


def encode_view(
    path: Path,
    index: PtsIndex,
    positions: Sequence[int],
    options: PackOptions,
    there: Sequence[bool] | None = None,
) -> tuple[bytes, int, int, tuple[tuple[int, int], ...]]:
    """``encode_pictures`` with the coding of shards: bytes, width, height, gaps."""
    made = encode_pictures(path, index, positions, ViewCoding.packed(options), there)
    return made.data, made.width, made.height, made.gaps


def encode_pictures(
    path: Path,
    index: PtsIndex,
    positions: Sequence[int],
    coding: ViewCoding,
    there: Sequence[bool] | None = None,
) -> EncodedView:
    """The source frames at ascending ``positions`` (repeats allowed) as an MP4.

    Where ``there`` is False, or the frame is damaged, the last good one is repeated, at the
    beginning the first. Frame k lies at k / fps seconds.

    Raises:
        MediaError: the source cannot be opened, or less than ``coding.min_good`` of it is good.

    """
    is_good: list[bool] = []
    buffer = io.BytesIO()
    width = height = 0
    with ExitStack() as closing:
        target: io.BytesIO | str = buffer
        container = {"fflags": "+bitexact"}
        if coding.index_first:  # the muxer then reads its own file again
            target = f"{closing.enter_context(TemporaryDirectory())}/view.mp4"
            container["movflags"] = "+faststart"
        out = closing.enter_context(av.open(target, "w", format="mp4", options=container))
        stream = out.add_stream("libx264", rate=coding.fps)
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = coding.gop
        stream.codec_context.time_base = 1 / coding.fps
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace = _MATRIX_TAG[coding.matrix]
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.color_primaries = stream.codec_context.color_trc = _BT709
        params = ":".join(filter(None, (_X264, coding.x264_params)))
        stream.options = {**coding.x264, "x264-params": params}
        decoder = Decoder(path, index)
        closing.callback(decoder.close)
        pictures = _repeated(decoder, positions, there or [True] * len(positions))
        for k, (source, good) in enumerate(pictures):
            is_good.append(good)
            if not width:
                form = decoder.form or Form(source.width, source.height)
                width, height = packed_size(*form.displayed, coding.short_side)
                stream.width, stream.height = width, height
                scaling = _Scaling(width, height, form.orientation, coding.matrix)
            frame = scaling(source)
            frame.pts, frame.time_base = k, 1 / coding.fps
            frame.pict_type = 0
            out.mux(stream.encode(frame))
        if sum(is_good) < max(1, coding.min_good * len(positions)):
            raise MediaError(
                f"less than {coding.min_good:.0%} of its pictures are good"
                if any(is_good)
                else "not one good picture",
                place=str(path),
                hint="copy the video again, or pack with another --min-good"
                if coding.min_good
                else "copy the video again",
            )
        out.mux(stream.encode(None))
        out.close()
        data = Path(target).read_bytes() if isinstance(target, str) else buffer.getvalue()
    return EncodedView(data, width, height, gap_edges(np.array(is_good)))


def _repeated(
    decoder: Decoder, positions: Sequence[int], there: Sequence[bool]
) -> Iterator[tuple[av.VideoFrame, bool]]:
    """For each position a picture, and whether it is the good one of that position."""
    wanted = dict.fromkeys(p for p, is_there in zip(positions, there, strict=True) if is_there)
    coming = decoder.found(list(wanted))
    current = held = None
    n_waiting = 0
    for position, is_there in zip(positions, there, strict=True):
        if is_there and (current is None or current.position != position):
            current = next(coming)
        good = current.frame if is_there and current is not None else None
        held = good or held
        if held is None:
            n_waiting += 1
            continue
        yield from [(held, False)] * n_waiting
        n_waiting = 0
        yield held, good is not None


def gap_edges(is_there: npt.NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """The stretches where it is False: the first, and the one after the last."""
    return in_pairs(np.flatnonzero(np.diff(is_there, prepend=True, append=True)).tolist())


class _Scaling:
    """Frames as displayed, in the size and colour space of packed pictures.

    They are scaled as they are: conversion of the small picture is cheap, and can be exact.
    """

    def __init__(
        self, width: int, height: int, orientation: Orientation, matrix: Colorspace
    ) -> None:
        self.width, self.height, self.orientation = width, height, orientation
        self.matrix = matrix
        self._scale, self._convert = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        turned = self.orientation.is_transposed
        sides = (self.height, self.width) if turned else (self.width, self.height)
        scaled = frame
        if not frame.format.has_palette:
            scaled = self._scale.reformat(frame, *sides, interpolation=Interpolation.AREA)
        small = self._convert.reformat(
            scaled,
            *sides,
            "yuv420p",
            src_colorspace=frame.colorspace,
            src_color_range=frame.color_range,
            dst_colorspace=self.matrix,
            dst_color_range=ColorRange.MPEG,
            interpolation=_EXACT,
        )
        return small if self.orientation == Orientation() else self._as_displayed(small)

    def _as_displayed(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A YUV 4:2:0 frame, turned and mirrored plane by plane."""
        size = frame.width * frame.height
        planes = np.split(frame.to_ndarray().reshape(-1), [size, size * 5 // 4])
        shapes = [(frame.height, frame.width), *[(frame.height // 2, frame.width // 2)] * 2]
        turned = [self.orientation(p.reshape(s)) for p, s in zip(planes, shapes, strict=True)]
        flat = np.concatenate([plane.ravel() for plane in turned])
        return av.VideoFrame.from_ndarray(flat.reshape(-1, self.width), format="yuv420p")


class PackableSound(NamedTuple):
    """Mono 16-bit FLAC or a picture, its samples, and its stretches as in ``PackedSound``."""

    data: bytes
    n_samples: int
    gaps: tuple[tuple[int, int], ...]
    silent: tuple[tuple[int, int], ...] = ()


def encode_sound(path: Path, begin_s: float, end_s: float, options: PackOptions) -> PackableSound:
    """The sound between two moments as mono 16-bit FLAC, or as a picture."""
    sound = read_sound(path, begin_s, end_s, options.audio_rate)
    gaps, n_samples = gap_edges(sound.recorded), len(sound.samples)
    if options.audio != "jet":
        return PackableSound(flac(sound.samples, options.audio_rate), n_samples, gaps)
    frame = options.audio_rate // NOMINAL_FPS
    silent = gap_edges(as_16_bits(sound.samples) != 0)
    return PackableSound(
        data=jet.to_png(jet.picture_of(sound.samples)),
        n_samples=n_samples,
        gaps=gaps,
        silent=tuple((first, stop) for first, stop in silent if stop - first >= frame),
    )
