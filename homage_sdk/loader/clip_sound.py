"""What a clip sounds like: the log-mel of its samples, or its part of a picture of the sound."""

from __future__ import annotations

import io

import torch
from torch import Tensor

from homage_sdk.errors import MediaError, ShardError, UsageError
from homage_sdk.loader.grid import Grid
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pictures.decode import UNDECODABLE
from homage_sdk.media.audio import read_flac
from homage_sdk.media.spectrograms import jet
from homage_sdk.media.spectrograms.logmel import LogMel, n_columns
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sample_meta import PackedSound
from homage_sdk.time import Frame

RECORDED = 0.5
"""A clip has sound where at least this share of it was recorded, and a sample is not 0; a view
where at least this share of its blocks is good; sensors where one of their channels was recorded
for at least this share."""


class ClipSound:
    """Reads the sound of clips from shards that were packed like this.

    Attributes:
        shape: of a clip: [n_mels, T], or [3, n_mels, T] of a picture.

    Raises UsageError for another number of bands than pictures have.

    """

    def __init__(self, packed: PackOptions, grid: Grid, options: LoaderOptions) -> None:
        self.rate, self.stride = packed.audio_rate, packed.stride
        self.n_frames = grid.span * packed.stride
        self.is_picture = packed.audio == "jet"
        self.n_samples = round(Frame.from_index(self.n_frames).seconds().value * self.rate)
        if not self.is_picture:
            self._logmel = LogMel(options.n_mels, self.rate, options.n_fft, options.hop)
            columns = n_columns(self.n_samples, options.n_fft, options.hop)
            self.shape: tuple[int, ...] = options.n_mels, columns
            return
        if "audio" in options.modalities and options.n_mels != jet.BANDS:
            raise UsageError(
                "these shards hold pictures of sound",
                found=f"n_mels {options.n_mels}",
                expected=f"{jet.BANDS}, as the pictures have bands",
            )
        self.shape = 3, jet.BANDS, jet.clip_columns(self.n_frames)

    def read(
        self, data: bytes, sound: PackedSound, first: int, last: int, out: Tensor, place: str
    ) -> bool:
        """Fill ``out`` of ``shape`` with a clip that shows packed frames ``first`` to ``last``.

        False where too little was recorded; ``out`` is then whatever it is. Raises ShardError for
        a member that cannot be decoded.
        """
        begin = round(Frame.from_index(first * self.stride).seconds().value * self.rate)
        try:
            if self.is_picture:
                self._cut(data, sound, first, last, out, place)
                is_heard = not sound.is_silent(begin, begin + self.n_samples)
            else:
                is_heard = self._hear(data, begin, out, place)
        except MediaError as error:
            raise ShardError(
                "a sound that cannot be decoded",
                place=place,
                found=error.found or error.message,
                hint=UNDECODABLE,
            ) from error
        return is_heard and sound.recorded(begin, begin + self.n_samples) >= RECORDED

    def _hear(self, data: bytes, begin: int, out: Tensor, place: str) -> bool:
        span_s = begin / self.rate, (begin + self.n_samples) / self.rate
        heard = read_flac(io.BytesIO(data), *span_s, place=place)
        if not heard.any():
            return False
        self._logmel(torch.from_numpy(heard)[None], out[None])
        return True

    def _cut(
        self, data: bytes, sound: PackedSound, first: int, last: int, out: Tensor, place: str
    ) -> None:
        """The window of the public code; what is beyond the picture is 0."""
        picture = jet.from_png(data, sound.n_samples, place=place)
        shown = first * self.stride, last * self.stride
        begin, end = jet.clip_window(*shown, self.n_frames, picture.shape[1])
        part = torch.from_numpy(picture[:, begin:end]).permute(2, 0, 1)
        out.zero_()
        out[..., : part.shape[-1]] = part / 255
