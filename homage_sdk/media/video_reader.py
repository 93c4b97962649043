"""Frames of a video by position or by moment, exactly the ones asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt

from homage_sdk.errors import MediaError
from homage_sdk.media.decoder import DECODERS
from homage_sdk.media.header.orientation import Form
from homage_sdk.media.probe import VideoProbe, probe_video
from homage_sdk.media.pts_index import Pick, PtsIndex
from homage_sdk.time import When


class VideoReader:
    """Random access to one video through its pts index.

    Cheap to make and to pickle: the file is opened when frames are asked for, by a decoder from a
    bounded pool. Safe to use from several threads and after a fork. ``index``: its pts index, or a
    probe that holds one; measured from the file when left out.
    """

    def __init__(self, path: Path, index: PtsIndex | VideoProbe | None = None) -> None:
        self.path = Path(path)
        if index is None:
            index = probe_video(self.path)
        self.index = index.index if isinstance(index, VideoProbe) else index

    def __len__(self) -> int:
        return len(self.index)

    def frames(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The frames at these 0-based positions, in the order asked for (repeats allowed).

        Returns:
            uint8 [n, H, W, 3], RGB, as displayed (rotation applied).

        Raises:
            MediaError: the file is missing or damaged, a position lies outside the video, or the
                pictures would take more than half of the memory.

        """
        wanted = [int(i) for i in indices]
        if not wanted:
            raise MediaError("no frames asked for", place=str(self.path))
        if min(wanted) < 0 or max(wanted) >= len(self.index):
            raise MediaError(
                "no such frame",
                place=str(self.path),
                found=f"index {min(wanted) if min(wanted) < 0 else max(wanted)}",
                expected=f"0 to {len(self.index) - 1}",
            )
        places: dict[int, list[int]] = {}
        for row, position in enumerate(wanted):
            places.setdefault(position, []).append(row)
        order = sorted(places)
        out: npt.NDArray[np.uint8] | None = None
        with DECODERS.borrow(self.path, self.index) as decoder:
            for position, frame in zip(order, decoder.frames(order), strict=True):
                image = rgb(frame, decoder.form)
                if out is None:
                    out = self._room(len(wanted), image.shape)
                out[places[position]] = image
        if out is None:  # unreachable: `wanted` is not empty
            raise MediaError("no frames", place=str(self.path))
        return out

    def _room(self, n: int, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        need, there = n * math.prod(shape), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if need > there // 2:
            raise MediaError(
                "more pictures than fit into memory",
                place=str(self.path),
                found=f"{n:,} pictures of {need / 1e9:,.1f} GB",
                expected=f"at most half of this machine's {there / 1e9:,.1f} GB",
                hint="ask for a part at a time, or for a larger stride",
            )
        return np.empty((n, *shape), dtype=np.uint8)

    def at(self, moment: When, pick: Pick = "nearest") -> npt.NDArray[np.uint8]:
        """The frame that stands for a moment: uint8 [H, W, 3]."""
        image: npt.NDArray[np.uint8] = self.frames([self.index.at(moment, pick)])[0]
        return image


def rgb(frame: av.VideoFrame, form: Form | None) -> npt.NDArray[np.uint8]:
    """A decoded frame as displayed: uint8 [H, W, 3]."""
    image = cast("npt.NDArray[np.uint8]", frame.to_ndarray(format="rgb24"))
    return image if form is None else form.orientation(image)
