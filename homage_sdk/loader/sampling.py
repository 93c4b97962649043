"""Which clips an epoch holds and in what order: a pure function of (seed, epoch).

Positions and lengths count packed frames. Random numbers come from named streams, so that one
draw never shifts another, whatever is loaded, by whom and in what order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from homage_sdk.errors import UsageError
from homage_sdk.loader.grid import Grid, eval_starts
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pictures.shown import require_lines
from homage_sdk.shards.format.manifest import Manifest, SampleInfo
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sample_meta import PackedView


def stream(*names: object) -> np.random.Generator:
    """The random stream of this name: the same numbers for the same name, always.

    >>> bool(stream(0, "crop").integers(1000) == stream(0, "crop").integers(1000))
    True
    """
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))


@dataclass(frozen=True, slots=True)
class ClipChoice:
    """One row of a batch before it is read: which part of which sample, seen by whom."""

    sample: SampleInfo
    clip: int  # of the sequence, 0-based
    n_clips: int
    start: int  # packed frame
    third: PackedView | None
    main: bool  # False for further third-person views of a clip that another row holds in full
    action: int | None = None  # which atomic action of the sample it is drawn for


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


def shown_length(sample: SampleInfo, grid: Grid, options: LoaderOptions) -> int:
    """Packed frames that clips of a sample are drawn from: all, where each is too short for one."""
    lengths = [view.n_frames for view in sample.views if view.kind in options.modalities]
    return min([n for n in lengths if n >= grid.needed], default=sample.n_frames)


def train_clip(
    sample: SampleInfo,
    grid: Grid,
    options: LoaderOptions,
    epoch: int,
    action: int | None = None,
) -> ClipChoice:
    """The random clip of a sample in an epoch; padded only where all of it is too short.

    That of an ``action`` begins at 0 until its labels are read: see ``start_in_action``.
    """
    name = (epoch, sample.key) if action is None else (epoch, sample.key, action)
    length = shown_length(sample, grid, options)
    start = 0
    if action is None:
        room = max(0, length - grid.needed)
        start = int(stream(options.seed, "start", *name).integers(room + 1))
    third: PackedView | None = None
    if sample.third:
        pick = stream(options.seed, "third", *name).integers(len(sample.third))
        third = sample.third[0 if options.third == "first" else int(pick)]
    number, total = (0, 1) if action is None else (action, sample.n_atomic_actions)
    return ClipChoice(sample, number, total, start, third, True, action)


def start_in_action(
    row: ClipChoice, first: int, last: int, grid: Grid, options: LoaderOptions, epoch: int
) -> ClipChoice:
    """The clip of an action that lasts from packed frame ``first`` to ``last``: anywhere in it.

    Around its middle where it is shorter than a clip; always within the sample.
    """
    n_starts = last - first + 2 - grid.needed
    if n_starts > 0:
        draw = stream(options.seed, "start", epoch, row.sample.key, row.action)
        start = first + int(draw.integers(n_starts))
    else:
        start = (first + last + 1 - grid.needed) // 2
    room = max(0, shown_length(row.sample, grid, options) - grid.needed)
    return replace(row, start=min(max(0, start), room))


def eval_clips(
    samples: Sequence[SampleInfo], grid: Grid, options: LoaderOptions, every: int | None
) -> list[ClipChoice]:
    """Every (sequence, clip, third-person view) once, in order."""
    starts = {s.key: eval_starts(s.n_frames, grid, every) for s in samples}
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
        n_rows: rows of an epoch over all ranks; in training one of each sample, or of each of their
            atomic actions.

    Raises:
        UsageError: no sample fits, or a stride, starts or pictures that the shards cannot give.

    """

    def __init__(self, manifest: Manifest, options: LoaderOptions) -> None:
        packed = manifest.packed
        require_lines(manifest, options.fit, options.modalities)
        self.options = options
        self.grid = Grid.of(options, packed.stride)
        self.samples = usable(manifest.samples, options)
        self._order: tuple[int, list[_Unit]] | None = None  # of the last epoch asked for
        self._eval: list[ClipChoice] = []
        self._units: list[_Unit] = [(sample, None) for sample in self.samples]
        if options.mode == "eval":
            every = options.eval_every and options.eval_every // packed.stride
            clips = eval_clips(self.samples, self.grid, options, every)
            # Rows of one view alone come last: the batches before them hold every modality.
            self._eval = sorted(clips, key=lambda clip: not clip.main)
        elif options.train_unit == "action":
            self._units = _actions(self.samples, packed)
        self.n_rows = len(self._eval or self._units)

    def clips(self, epoch: int) -> list[ClipChoice]:
        """Every row of an epoch over all ranks, by the key of its sample."""
        if self.options.mode == "eval":
            return self._eval
        return [train_clip(s, self.grid, self.options, epoch, a) for s, a in self._units]

    def __call__(self, epoch: int, step: int) -> list[ClipChoice | None]:
        """The rows of this rank's batch at ``step``; None pads the last ones in evaluation."""
        options = self.options
        begin = (step * options.world_size + options.rank) * options.batch_size
        end = begin + options.batch_size
        if options.mode == "eval":
            chosen = self._eval[begin:end]
            return [*chosen, *[None] * (options.batch_size - len(chosen))]
        if self._order is None or self._order[0] != epoch:
            order = stream(options.seed, "order", epoch).permutation(len(self._units))
            self._order = epoch, [self._units[i] for i in order]
        units = self._order[1][begin:end]
        return [train_clip(s, self.grid, options, epoch, a) for s, a in units]


_Unit = tuple[SampleInfo, int | None]
"""What a training clip is drawn from: a sample, or one of its atomic actions by number."""


def _actions(samples: Sequence[SampleInfo], packed: PackOptions) -> list[_Unit]:
    """Every atomic action; UsageError where there is none, or a sample is no whole sequence."""
    if packed.unit != "sequence":
        raise UsageError(
            "a clip of each atomic action is drawn from whole sequences",
            found=f"shards packed with --unit {packed.unit}",
            hint="`homage pack CATALOG SHARDS --unit sequence`",
        )
    units: list[_Unit] = [(s, number) for s in samples for number in range(s.n_atomic_actions)]
    if not units:
        raise UsageError(
            "no atomic action to draw a clip of", found=f"{len(samples)} sequences without any"
        )
    return units
