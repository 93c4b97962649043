"""From choices to a ``Batch``: read, decode and label the rows; the same in every process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from homage_sdk.errors import HomageError
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.batch_layout import Allocate, BatchLayout
from homage_sdk.loader.clip_sound import RECORDED
from homage_sdk.loader.clip_targets import SampleLabels, collate_graphs
from homage_sdk.loader.options import LoaderOptions
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.loader.pictures.i420 import black
from homage_sdk.loader.pictures.shown import Part, part_shown
from homage_sdk.loader.sampling import ClipChoice, start_in_action, stream
from homage_sdk.release.sensors import SensorValues
from homage_sdk.shards.format.annotations import ANNOTATIONS, Annotations, PackedGraph
from homage_sdk.shards.format.manifest import Manifest, SampleInfo
from homage_sdk.shards.format.sample_meta import META, PackedView, SampleMeta
from homage_sdk.shards.format.sensor_array import on_clock, split
from homage_sdk.shards.format.strict_json import parse_json
from homage_sdk.time import Frame

_KNOWN = 8192  # samples whose labels are kept, less than a kilobyte each
_KNOWN_WITH_GRAPHS = 64

Readings = dict[tuple[str, str], SensorValues]

Fetch = Callable[[str, str], bytes]
"""Gives the bytes of a member by the key of its sample and its field."""


class Assembler:
    """Turns rows of clip choices into batches.

    Any process makes the same batch of the same rows: what is kept from batch to batch are labels
    that cannot change, and working memory.
    """

    def __init__(self, manifest: Manifest, options: LoaderOptions, fetch: Fetch) -> None:
        self.options = options
        packed = manifest.packed
        self.stride, self._fps = packed.stride, packed.fps
        self.layout = BatchLayout(manifest, options)
        self.grid = self.layout.grid
        self._fetch = fetch
        self._n_classes = manifest.n_classes
        self._activity = manifest.classes("activity")
        self._known: dict[str, SampleLabels] = {}
        self._readings: tuple[str, Readings] = "", {}  # of the sample last asked for
        self._sounds = self.layout.sounds

    def batch(self, rows: Sequence[ClipChoice | None], epoch: int, allocate: Allocate) -> Batch:
        """One batch; a row of None is padding: absent, with an empty sequence id.

        ``allocate`` gives the tensors to fill. Raises HomageError naming the sample that cannot be
        read.
        """
        batch = self.layout.blank(len(rows), allocate)
        batch.sequence = tuple(row.sample.sequence if row else "" for row in rows)
        batch.clip.copy_(torch.tensor([row.clip if row else 0 for row in rows]))
        batch.n_clips.copy_(torch.tensor([row.n_clips if row else 0 for row in rows]))
        batch.frames.fill_(1)
        batch.activity.fill_(-1)
        for view in batch.view.values():
            view.fill_(-1)
        zeros = (batch.block_valid, batch.atomic_block, batch.atomic_clip, batch.atomic_known)
        for tensor in zeros:
            tensor.zero_()
        for flags in batch.present.values():
            flags.zero_()
        if batch.sensors is not None:
            batch.sensors.fill_(torch.nan)
        graphs: list[list[PackedGraph | None]] = [[None] * self.grid.blocks for _ in rows]
        with _one_thread():
            for b, planned in enumerate(rows):
                if planned is None:
                    continue
                with _naming(planned.sample):
                    row = self._placed(planned, epoch)
                    views, is_good = self._views(row)
                    graphs[b] = self._labels(batch, b, row, is_good)
                    for kind, shown in views.items():
                        self._view(batch, b, row, kind, shown, epoch)
                    self._sound(batch, b, row)
                    self._sensors(batch, b, row)
        for modality, content in (*batch.video.items(), ("audio", batch.logmel)):
            if content is not None and not batch.present[modality].all():
                is_i420 = content.dtype == torch.uint8 and content.ndim == 4
                content[~batch.present[modality]] = black(content.shape[-1]) if is_i420 else 0
        if "scene_graph" in batch.present:
            batch.scene_graph = collate_graphs(graphs)
            batch.present["scene_graph"].copy_(batch.scene_graph.present.any(dim=1))
        return batch

    def _placed(self, row: ClipChoice, epoch: int) -> ClipChoice:
        """The row with its start, where that hangs on its labels."""
        if row.action is None:
            return row
        first, last = self._labels_of(row.sample).span(row.action)
        first, last = (max(0, n - row.sample.first_frame) // self.stride for n in (first, last))
        return start_in_action(row, first, last, self.grid, self.options, epoch)

    def positions(self, row: ClipChoice) -> npt.NDArray[np.int64]:
        """Int64 [N * K]: the packed frames that a row shows; padding is beyond the end."""
        is_squeezed = self.options.short == "squeeze"
        left = row.sample.n_frames - row.start if is_squeezed else None
        return self.grid.positions(row.start, left)

    def frames(self, row: ClipChoice) -> npt.NDArray[np.int64]:
        """Int64 [N, K]: the annotation frames that a row shows, the last one again past the end."""
        shown = np.minimum(self.positions(row), row.sample.n_frames - 1)
        frames = row.sample.first_frame + shown * self.stride
        return frames.reshape(self.grid.blocks, self.grid.block_frames)

    def _views(self, row: ClipChoice) -> tuple[dict[str, PackedView], npt.NDArray[np.bool_]]:
        """The views that a row shows, by modality, and which blocks are good in all: bool [N].

        A view of which most blocks lack good pictures is not shown, as one that is not there.
        """
        positions = self.positions(row).reshape(self.grid.blocks, -1)
        within = positions[:, 0] < row.sample.n_frames
        is_good: npt.NDArray[np.bool_] = np.ones(len(positions), np.bool_)
        shown: dict[str, PackedView] = {}
        for kind in self.layout.videos:
            view = row.third if kind == "third" else row.sample.ego
            if view is None or view.n_frames <= row.start or (kind == "ego" and not row.main):
                continue
            good: npt.NDArray[np.bool_] = ~np.asarray(view.missing(positions).any(axis=1))
            if good[within].mean() >= RECORDED:
                shown[kind] = view
                is_good = is_good & good
        return shown, is_good

    def _labels(
        self, batch: Batch, b: int, row: ClipChoice, is_good: npt.NDArray[np.bool_]
    ) -> list[PackedGraph | None]:
        sample, grid = row.sample, self.grid
        frames = self.frames(row)
        valid = (self.positions(row)[:: grid.block_frames] < sample.n_frames) & is_good
        labels = self._labels_of(sample)
        graphs = labels.block_graphs(frames, grid.step * self.stride)
        n_classes, is_inside = self._n_classes["atomic"], self.options.action_ends == "inside"
        atomic = labels.atomic(frames, n_classes, inside=is_inside) * valid[:, None]
        batch.frames[b] = torch.from_numpy(frames)
        batch.block_valid[b] = torch.from_numpy(valid)
        batch.atomic_block[b] = torch.from_numpy(atomic)
        batch.atomic_clip[b] = batch.atomic_block[b].amax(dim=0)
        if is_inside and valid.any():  # from the clip's first to its last frame
            clip = labels.atomic(frames[valid].reshape(1, -1), n_classes, inside=True)
            batch.atomic_clip[b] = torch.from_numpy(clip[0])
        batch.atomic_known[b] = sample.n_atomic_actions > 0
        if sample.activity_id is not None:
            batch.activity[b] = self._activity.index(sample.activity_id)
        return [graph if ok and row.main else None for graph, ok in zip(graphs, valid, strict=True)]

    def _labels_of(self, sample: SampleInfo) -> SampleLabels:
        """The labels of a sample; those of the samples last asked for are kept."""
        known = self._known.get(sample.key)
        if known is not None:
            return known
        data = self._fetch(sample.key, ANNOTATIONS)
        annotations = Annotations.parse(data, f"{sample.key}.{ANNOTATIONS}", self._n_classes)
        with_graphs = "scene_graph" in self.options.modalities
        labels = SampleLabels.of(annotations, with_graphs=with_graphs)
        while len(self._known) >= (_KNOWN_WITH_GRAPHS if with_graphs else _KNOWN):
            self._known.pop(next(iter(self._known)))
        self._known[sample.key] = labels
        return labels

    def _view(
        self, batch: Batch, b: int, row: ClipChoice, kind: str, view: PackedView, epoch: int
    ) -> None:
        positions = np.minimum(self.positions(row), view.n_frames - 1)
        part, flip = self.part(view, row, kind, epoch)
        target = batch.video[kind][b].numpy()
        decode_clip(
            self._fetch(row.sample.key, view.field),
            positions,
            self._fps,
            part,
            target.reshape(-1, *target.shape[2:]),
            flip=flip,
            place=f"{row.sample.key}.{view.field}",
        )
        batch.view[kind][b] = view.number
        batch.present[kind][b] = True

    def part(self, view: PackedView, row: ClipChoice, kind: str, epoch: int) -> tuple[Part, bool]:
        """What a row shows of a view, and whether mirrored."""
        options = self.options
        draw = None
        if options.mode == "train":
            unit = () if row.action is None else (row.action,)
            draw = stream(options.seed, "crop", kind, epoch, row.sample.key, *unit)
        return part_shown(view.width, view.height, options, draw)

    def _sound(self, batch: Batch, b: int, row: ClipChoice) -> None:
        sound = row.sample.sound
        if batch.logmel is None or sound is None or not row.main:
            return
        data, place = self._fetch(row.sample.key, sound.field), f"{row.sample.key}.{sound.field}"
        last = min(int(self.positions(row)[-1]), row.sample.n_frames - 1)
        is_heard = self._sounds.read(data, sound, row.start, last, batch.logmel[b], place)
        batch.present["audio"][b] = is_heard

    def _sensors(self, batch: Batch, b: int, row: ClipChoice) -> None:
        sample = row.sample
        if batch.sensors is None or sample.sensors is None or not row.main:
            return
        if self._readings[0] != sample.key:
            data, member = self._fetch(sample.key, META), f"{sample.key}.{META}"
            tables = parse_json(SampleMeta, data, member, what=META).sensors
            field = sample.sensors.field
            found = split(self._fetch(sample.key, field), tables, f"{sample.key}.{field}")
            self._readings = sample.key, found
        values = on_clock(self._readings[1], self.options.sensors, self._clock(row))
        batch.sensors[b] = torch.from_numpy(values).view_as(batch.sensors[b])
        recorded = (~np.isnan(values)).mean(axis=0)
        batch.present["sensors"][b] = bool((recorded >= RECORDED).any())

    def _clock(self, row: ClipChoice) -> npt.NDArray[np.float64]:
        """Float64 [N * J]: seconds of the sequence, J a block, evenly up to the next block."""
        shown = self.positions(row)
        n = len(shown)
        step = (shown[-1] - shown[0]) / (n - 1) if n > 1 else self.grid.step
        n_times = self.grid.blocks * self.options.sensor_samples
        at = np.interp(
            np.arange(n_times) * (n / n_times), np.arange(n + 1), [*shown, shown[-1] + step]
        )
        frames = row.sample.first_frame - 1 + at * self.stride  # counted from 0
        return np.asarray(frames * Frame.from_index(1).seconds().value)


@contextmanager
def _naming(sample: SampleInfo) -> Iterator[None]:
    """Every error of a row says which sample it is about."""
    try:
        yield
    except HomageError as error:
        if sample.key not in str(error):
            error.message = f"{sample.key}: {error.message}"
        raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """The same sums in the same order in the main process as in a worker."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
