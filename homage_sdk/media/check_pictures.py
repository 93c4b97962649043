"""Which pictures of a video are damaged: all of them, or a sample of its stretches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homage_sdk.media.decoder import Decoder
from homage_sdk.media.pts_index import PtsIndex
from homage_sdk.media.soundtrack import CheckedSound

Stretch = tuple[int, int, float]
"""Position of its first picture, how many, seconds from the video's first frame to it."""

_EVERY = 20
"""Of so many stretches from keyframe to keyframe a sample has one; the last one too."""


@dataclass(frozen=True, slots=True)
class CheckedPictures:
    """What decoding a video, or parts of it, found.

    Attributes:
        n_pictures: how many the video has.
        n_decoded: how many of them were looked at.
        damaged: stretches of damaged ones: the position of the first, how many, seconds from the
            video's first frame to it.
        other: such stretches of those whose size or orientation is not that of the first picture.
        sound: what decoding its sound found, where it was looked at.

    """

    n_pictures: int
    n_decoded: int
    damaged: tuple[Stretch, ...]
    other: tuple[Stretch, ...] = ()
    sound: CheckedSound | None = None

    @property
    def positions(self) -> set[int]:
        """Of all pictures that are not handed out."""
        runs = (*self.damaged, *self.other)
        return {p for first, count, _ in runs for p in range(first, first + count)}


def check_pictures(path: Path, index: PtsIndex, *, everything: bool) -> CheckedPictures:
    """Decode ``path`` as packing does. Raises MediaError where it cannot be opened."""
    chosen = np.arange(len(index)) if everything else _sample(index)
    decoder = Decoder(path, index)
    try:
        bad = [at for at in decoder.found(chosen.tolist()) if at.frame is None]
    finally:
        decoder.close()
    damaged, other = (
        _stretches([at.position for at in bad if at.is_other == is_other], index)
        for is_other in (False, True)
    )
    return CheckedPictures(len(index), len(chosen), damaged, other)


def _stretches(found: list[int], index: PtsIndex) -> tuple[Stretch, ...]:
    runs = np.split(np.array(found, np.int64), np.flatnonzero(np.diff(found) != 1) + 1)
    seconds = index.seconds
    return tuple((int(r[0]), len(r), float(seconds[r[0]])) for r in runs if len(r))


def _sample(index: PtsIndex) -> npt.NDArray[np.int64]:
    starts = np.unique([0, *np.flatnonzero(index.keyframe).tolist()])
    stops = np.append(starts[1:], len(index))
    numbers = np.unique([*range(0, len(starts), _EVERY), len(starts) - 1])
    parts = [np.arange(starts[n], stops[n], dtype=np.int64) for n in numbers.tolist()]
    return np.concatenate(parts)
