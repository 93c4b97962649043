"""The payload: a view as a small H.264 MP4, its sound as FLAC; bytes depend on the input alone."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from homage_sdk.errors import MediaError
from homage_sdk.media.audio import read_sound
from homage_sdk.media.decoder import Decoder
from homage_sdk.media.pts_index import PtsIndex
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.time import NOMINAL_FPS

# Macroblock-tree rate control reads memory that it never wrote where a row of macroblocks does not
# fill a vector register (192 pixels do not): the same input gave other bytes from call to call.
# Without it the same crf costs a quarter more bytes and gains 1 dB. B-frames save 4 % and cost 5 %
# of the decoding time.
_X264 = "mbtree=0:bframes=0"
# One stated colour space whatever the source's: matrix BT.601 (AVCOL_SPC_SMPTE170M), which our
# loader's conversion is made for, limited range; primaries as they are, so that no reader that
# heeds the tags changes them.
_BT601, _BT709 = 6, 1
_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


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


def encode_view(
    path: Path, index: PtsIndex, positions: Sequence[int], options: PackOptions
) -> tuple[bytes, int, int]:
    """The source frames at ascending ``positions`` (repeats allowed) as an MP4.

    Returns:
        The file's bytes, and width and height of its picture. Frame k lies at k / fps seconds.

    Raises:
        MediaError: the source cannot be decoded there.

    """
    buffer = io.BytesIO()
    fps = NOMINAL_FPS / options.stride
    width = height = 0
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("libx264", rate=fps)
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = options.gop
        stream.codec_context.time_base = 1 / Fraction(fps)
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace = _BT601
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.color_primaries = stream.codec_context.color_trc = _BT709
        stream.options = {
            "preset": options.x264_preset,
            "crf": str(options.crf),
            "x264-params": _X264,
            **({"tune": options.tune} if options.tune else {}),
        }
        for k, source in enumerate(_repeated(path, index, positions)):
            if not width:
                turned = round(source.rotation / 90) % 2
                shape = (source.height, source.width) if turned else (source.width, source.height)
                width, height = packed_size(*shape, options.short_side)
                stream.width, stream.height = width, height
                scaling = _Scaling(width, height)
            frame = scaling(source)
            frame.pts, frame.time_base = k, 1 / Fraction(fps)
            frame.pict_type = 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue(), width, height


def _repeated(path: Path, index: PtsIndex, positions: Sequence[int]) -> Iterator[av.VideoFrame]:
    decoder = Decoder(path, index)
    try:
        unique = list(dict.fromkeys(positions))
        frames = decoder.frames(unique)
        current, held = -1, None
        for position in positions:
            if position != current:
                held, current = next(frames), position
            if held is not None:
                yield held
    finally:
        decoder.close()


class _Scaling:
    """Frames as displayed, in the size and colour space of packed pictures.

    They are scaled as they are: conversion of the small picture is cheap, and can be exact.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._scale, self._convert = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        turns = round(frame.rotation / 90) % 4
        sides = (self.height, self.width) if turns % 2 else (self.width, self.height)
        scaled = frame
        if not frame.format.has_palette:
            scaled = self._scale.reformat(frame, *sides, interpolation=Interpolation.AREA)
        small = self._convert.reformat(
            scaled,
            *sides,
            "yuv420p",
            src_colorspace=frame.colorspace,
            src_color_range=frame.color_range,
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            interpolation=_EXACT,
        )
        return _turned(small, turns) if turns else small


def _turned(frame: av.VideoFrame, turns: int) -> av.VideoFrame:
    """A YUV 4:2:0 frame, turned by so many quarters against the clock."""
    size = frame.width * frame.height
    planes = np.split(frame.to_ndarray().reshape(-1), [size, size * 5 // 4])
    shapes = [(frame.height, frame.width), *[(frame.height // 2, frame.width // 2)] * 2]
    turned = [np.rot90(p.reshape(s), turns) for p, s in zip(planes, shapes, strict=True)]
    tall = np.concatenate([plane.ravel() for plane in turned])
    return av.VideoFrame.from_ndarray(tall.reshape(-1, turned[0].shape[1]), format="yuv420p")


def encode_sound(
    path: Path, begin_s: float, end_s: float, options: PackOptions
) -> tuple[bytes, int, tuple[tuple[int, int], ...]]:
    """The sound between two moments as mono 16-bit FLAC: its bytes, its samples, its gaps.

    A gap is a stretch that was not recorded, as in ``PackedSound``.
    """
    sound = read_sound(path, begin_s, end_s, options.audio_rate)
    edges = np.flatnonzero(np.diff(sound.recorded, prepend=True, append=True)).tolist()
    gaps = tuple(zip(edges[::2], edges[1::2], strict=True))
    return flac(sound.samples, options.audio_rate), len(sound.samples), gaps


def flac(wave: npt.NDArray[np.float32], sample_rate: int) -> bytes:
    """Float32 [S] within -1..1 as mono 16-bit FLAC."""
    if not len(wave):
        raise MediaError("no sound to pack")
    whole = np.clip(np.rint(wave * 32767.0), -32768, 32767).astype(np.int16)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("flac", rate=sample_rate)
        stream.codec_context.layout = "mono"
        stream.codec_context.format = "s16"
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        step = 4096
        for begin in range(0, len(whole), step):
            part = whole[None, begin : begin + step]
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts = sample_rate, begin
            frame.time_base = Fraction(1, sample_rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()
