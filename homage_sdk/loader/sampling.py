"""Which clips an epoch holds and in what order: a pure function of (seed, epoch).

Positions and lengths count packed frames. Random numbers come from named streams, so that one
draw never shifts another, whatever is loaded, by whom and in what order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import UsageError
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pictures.shown import require_lines
from homage_sdk.shards.format.manifest import Manifest, SampleInfo
from homage_sdk.shards.format.sample_meta import PackedView


def stream(*names: object) -> np.random.Generator:
    """The random stream of this name: the same numbers for the same name, always.

    >>> bool(stream(0, "crop").integers(1000) == stream(0, "crop").integers(1000))
    True
    """
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))


@dataclass(frozen=True, slots=True)
class Grid:
    """How a clip lies on the packed frames: N blocks of K frames, ``step`` packed frames apart."""

    blocks: int
    block_frames: int
    step: int

    @classmethod
    def of(cls, options: LoaderOptions, packed_stride: int) -> Grid:
        """The grid of these options; UsageError when the stride is no multiple of the packed."""
        stride = options.stride or packed_stride
        if stride % packed_stride:
            raise UsageError(
                "a stride that the shards cannot give",
                found=f"every {stride} frames",
                expected=f"a multiple of {packed_stride}, as they were packed",
                hint="pack again with --stride, or choose another",
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

    def positions(self, start: int) -> npt.NDArray[np.int64]:
        """Int64 [N * K]: packed frames of a clip that begins at ``start``."""
        return start + np.arange(self.blocks * self.block_frames, dtype=np.int64) * self.step


@dataclass(frozen=True, slots=True)
class ClipChoice:
    """One row of a batch before it is read: which part of which sample, seen by whom."""

    sample: SampleInfo
    clip: int  # of the sequence, 0-based
    n_clips: int
    start: int  # packed frame
    third: PackedView | None
    main: bool  # False for further third-person views of a clip that another row holds in full


def usable(samples: Sequence[SampleInfo], options: LoaderOptions) -> list[SampleInfo]:
    """The samples that these options select, in order of key; UsageError when there are none."""
    wanted = None if options.sequences is None else set(options.sequences)
    if wanted is not None and (missing := sorted(wanted - {s.sequence for s in samples})):
        raise UsageError(
            "sequences that these shards do not hold",
            found=", ".join(missing[:3]) + (" ..." if len(missing) > 3 else ""),
        )
    quantify = all if options.require == "all" else any
    chosen = [
        sample
        for sample in samples
        if (options.split is None or sample.split == options.split)
        and (wanted is None or sample.sequence in wanted)
        and sample.n_frames > 0
        and quantify(has(sample, modality) for modality in options.modalities)
    ]
    if not chosen:
        splits = sorted({sample.split or "none" for sample in samples})
        raise UsageError(
            "no sequence fits the loader's options",
            found=f"{len(samples)} samples of splits {', '.join(splits)}",
            expected=f"split {options.split}, {options.require} of {', '.join(options.modalities)}",
        )
    return chosen


def has(sample: SampleInfo, modality: str) -> bool:
    """Whether a sample holds a modality at all."""
    return {
        "ego": sample.ego is not None,
        "third": bool(sample.third),
        "audio": sample.has_audio,
        "scene_graph": sample.n_scene_graphs > 0,
        "sensors": sample.sensors is not None and sample.sensors.n_sensors > 0,
    }[modality]


def train_clip(sample: SampleInfo, grid: Grid, options: LoaderOptions, epoch: int) -> ClipChoice:
    """The random clip of a sample in an epoch; padded only where all of it is too short."""
    lengths = [view.n_frames for view in sample.views if view.kind in options.modalities]
    enough = [n for n in lengths if n >= grid.needed]
    length = min(enough) if enough else sample.n_frames
    room = max(0, length - grid.needed)
    start = int(stream(options.seed, "start", epoch, sample.key).integers(room + 1))
    third: PackedView | None = None
    if sample.third:
        pick = stream(options.seed, "third", epoch, sample.key).integers(len(sample.third))
        third = sample.third[0 if options.third == "first" else int(pick)]
    return ClipChoice(sample, 0, 1, start, third, True)


def eval_starts(n_frames: int, grid: Grid) -> list[int]:
    """Where dense clips begin: one after the other, the last one drawn back to end at the end."""
    count = max(1, -(-n_frames // grid.span))
    last = max(0, n_frames - grid.needed)
    return [min(i * grid.span, last) for i in range(count)]


def eval_clips(
    samples: Sequence[SampleInfo], grid: Grid, options: LoaderOptions
) -> list[ClipChoice]:
    """Every (sequence, clip, third-person view) once, in order."""
    starts = {sample.key: eval_starts(sample.n_frames, grid) for sample in samples}
    totals: Counter[str] = Counter()
    for sample in samples:
        totals[sample.sequence] += len(starts[sample.key])
    seen: Counter[str] = Counter()
    clips = []
    for sample in samples:
        for start in starts[sample.key]:
            number, total = seen[sample.sequence], totals[sample.sequence]
            clips += [
                ClipChoice(sample, number, total, start, third, position == 0)
                for position, third in enumerate(_eval_thirds(sample, start, options))
            ]
            seen[sample.sequence] += 1
    return clips


def _eval_thirds(
    sample: SampleInfo, start: int, options: LoaderOptions
) -> Sequence[PackedView | None]:
    """The third-person views of a clip, each for a row of its own; None where there is none."""
    if not sample.third:
        return (None,)
    if options.third == "random":
        draw = stream(options.seed, "third", "eval", sample.key, start)
        return (sample.third[int(draw.integers(len(sample.third)))],)
    several = options.third == "all" and "third" in options.modalities
    return sample.third if several else sample.third[:1]


class EpochRows:
    """What every batch of every epoch holds, before it is read.

    Attributes:
        samples: those that the options select, in order of key.
        grid: how a clip lies on the packed frames.
        n_rows: rows of an epoch over all ranks; in training one of each sample.

    Raises:
        UsageError: no sample fits, or a stride or pictures that the shards cannot give.

    """

    def __init__(self, manifest: Manifest, options: LoaderOptions) -> None:
        require_lines(manifest, options.fit, options.modalities)
        self.options = options
        self.grid = Grid.of(options, manifest.packed.stride)
        self.samples = usable(manifest.samples, options)
        self._order: tuple[int, list[SampleInfo]] | None = None  # of the last epoch asked for
        self._eval: list[ClipChoice] = []
        if options.mode == "eval":
            clips = eval_clips(self.samples, self.grid, options)
            # Rows of one view alone come last: the batches before them hold every modality.
            self._eval = sorted(clips, key=lambda clip: not clip.main)
        self.n_rows = len(self._eval or self.samples)

    def clips(self, epoch: int) -> list[ClipChoice]:
        """Every row of an epoch over all ranks, by the key of its sample."""
        if self.options.mode == "eval":
            return self._eval
        return [train_clip(sample, self.grid, self.options, epoch) for sample in self.samples]

    def __call__(self, epoch: int, step: int) -> list[ClipChoice | None]:
        """The rows of this rank's batch at ``step``; None pads the last ones in evaluation."""
        options = self.options
        begin = (step * options.world_size + options.rank) * options.batch_size
        end = begin + options.batch_size
        if options.mode == "eval":
            chosen = self._eval[begin:end]
            return [*chosen, *[None] * (options.batch_size - len(chosen))]
        if self._order is None or self._order[0] != epoch:
            order = stream(options.seed, "order", epoch).permutation(len(self.samples))
            self._order = epoch, [self.samples[i] for i in order]
        return [train_clip(s, self.grid, options, epoch) for s in self._order[1][begin:end]]
