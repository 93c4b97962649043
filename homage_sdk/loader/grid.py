"""How a clip lies on the packed frames: N blocks of K frames, and where clips may begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import UsageError
from homage_sdk.loader.options import LoaderOptions

SQUEEZED = 0.95
"""Share of the frames that are left which a squeezed clip spans, as in the public code of CCAU."""


@dataclass(frozen=True, slots=True)
class Grid:
    """N blocks of K frames, ``step`` packed frames apart."""

    blocks: int
    block_frames: int
    step: int

    @classmethod
    def of(cls, options: LoaderOptions, packed_stride: int) -> Grid:
        """The grid of these options; UsageError where these shards cannot give what they ask for.

        That is a stride that is no multiple of the packed one, or clips that begin between two
        packed frames.
        """
        stride = options.stride or packed_stride
        if stride % packed_stride:
            raise UsageError(
                "a stride that the shards cannot give",
                found=f"every {stride} frames",
                expected=f"a multiple of {packed_stride}, as they were packed",
                hint="pack again with --stride, or choose another",
            )
        if options.starts == "any" and options.mode == "train" and packed_stride != 1:
            raise UsageError(
                "clips that begin at any frame need every frame",
                found=f"shards packed with every {_th(packed_stride)} frame",
                expected="every frame",
                hint="`homage pack CATALOG SHARDS --stride 1`, or starts at packed frames alone",
            )
        if (options.eval_every or 0) % packed_stride:
            raise UsageError(
                "windows that begin between two packed frames",
                found=f"eval_every {options.eval_every}",
                expected=f"a multiple of {packed_stride}, as the shards were packed",
            )
        return cls(options.blocks, options.block_frames, stride // packed_stride)

    @property
    def needed(self) -> int:
        """Packed frames from the first shown to the last shown, both included."""
        return (self.blocks * self.block_frames - 1) * self.step + 1

    @property
    def span(self) -> int:
        """Packed frames that the clip stands for: up to where the next one begins."""
        return self.blocks * self.block_frames * self.step

    def positions(self, start: int, left: int | None = None) -> npt.NDArray[np.int64]:
        """Int64 [N * K]: packed frames of a clip that begins at ``start``.

        Where ``left``, the packed frames from there to the end, are fewer than needed, the steps
        shrink: no position is beyond the end, and some may come twice.
        """
        steps = np.arange(self.blocks * self.block_frames, dtype=np.int64)
        if left is not None and left < self.needed:
            squeezed = np.floor(steps * (SQUEEZED * left / len(steps)))
            return np.asarray(start + squeezed, dtype=np.int64)
        return start + steps * self.step


def eval_starts(n_frames: int, grid: Grid, every: int | None = None) -> list[int]:
    """Where dense clips begin: one after the other, the last one drawn back to end at the end.

    With ``every``, in packed frames: that far apart, and only where a whole clip fits, but one at
    least; what is behind the last is not seen.

    >>> grid = Grid(8, 5, 1)
    >>> eval_starts(100, grid), eval_starts(100, grid, 30), eval_starts(30, grid, 30)
    ([0, 40, 60], [0, 30, 60], [0])
    """
    if every is not None:
        return list(range(0, max(0, n_frames - grid.span) + 1, every))
    count = max(1, -(-n_frames // grid.span))
    last = max(0, n_frames - grid.needed)
    return [min(i * grid.span, last) for i in range(count)]


def _th(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")
