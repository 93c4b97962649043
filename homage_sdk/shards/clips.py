"""From choices to a ``Batch``: read, decode and label the rows; the same whoever reads them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from homage_sdk.errors import HomageError, ShardError
from homage_sdk.media.audio import read_audio
from homage_sdk.media.logmel import LogMel
from homage_sdk.shards.batch import Batch
from homage_sdk.shards.decode import Crop, decode_clip
from homage_sdk.shards.labels import atomic_targets, block_graphs, collate_graphs
from homage_sdk.shards.manifest import Manifest, PackedView, SampleInfo
from homage_sdk.shards.options import LoaderOptions
from homage_sdk.shards.read import MAX_JSON_BYTES, parse_json
from homage_sdk.shards.sampling import ClipChoice, Grid, stream
from homage_sdk.time import Frame

Fetch = Callable[[SampleInfo, str], bytes]
"""Gives the bytes of a member of a sample: from the index, or from a stream."""


class Assembler:
    """Turns rows of clip choices into batches.

    Holds no state but caches of constants, so that any process makes the same batch of the same
    rows. ``shared`` puts the large tensors into shared memory, to be handed to another process
    without a copy.
    """

    def __init__(
        self, manifest: Manifest, options: LoaderOptions, fetch: Fetch, *, shared: bool = False
    ) -> None:
        self.options = options
        self.stride = int(manifest.options["stride"])
        self.audio_rate = int(manifest.options["audio_rate"])
        self.grid = Grid.of(options, self.stride)
        self._fetch = fetch
        self._shared = shared
        self._atomic = manifest.classes("atomic")
        self._activity = manifest.classes("activity")
        self._logmel = LogMel(options.n_mels, self.audio_rate, options.n_fft, options.hop)

    @property
    def n_samples(self) -> int:
        """S: samples of sound in a clip."""
        return round(self.grid.span * self.stride / 30 * self.audio_rate)

    def batch(self, rows: Sequence[ClipChoice | None], epoch: int) -> Batch:
        """One batch; a row of None is padding: absent, with an empty sequence id.

        Raises HomageError naming the sample that cannot be read.
        """
        grid, options = self.grid, self.options
        B, N, K = len(rows), grid.blocks, grid.block_frames
        kinds: list[str] = [m for m in ("ego", "third") if m in options.modalities]
        video = {kind: self._blank(B, N, K, options.size, options.size, 3) for kind in kinds}
        view = {kind: torch.full((B,), -1, dtype=torch.int64) for kind in kinds}
        present = {m: torch.zeros(B, dtype=torch.bool) for m in options.modalities}
        batch = Batch(
            sequence=tuple(row.sample.sequence if row else "" for row in rows),
            clip=torch.tensor([row.clip if row else 0 for row in rows]),
            n_clips=torch.tensor([row.n_clips if row else 0 for row in rows]),
            frames=torch.ones((B, N, K), dtype=torch.int64),
            block_valid=torch.zeros((B, N), dtype=torch.bool),
            activity=torch.full((B,), -1, dtype=torch.int64),
            atomic_block=torch.zeros((B, N, len(self._atomic))),
            atomic_clip=torch.zeros((B, len(self._atomic))),
            video=video,
            view=view,
            present=present,
        )
        waves = torch.zeros(B, self.n_samples) if "audio" in options.modalities else None
        graphs: list[list[dict[str, Any] | None]] = [[None] * N for _ in rows]
        for b, row in enumerate(rows):
            if row is None:
                continue
            with _naming(row.sample):
                graphs[b] = self._labels(batch, b, row)
                for kind in kinds:
                    self._view(batch, b, row, kind, epoch)
                if waves is not None and row.main and row.sample.sound is not None:
                    self._sound(waves[b], row)
                    present["audio"][b] = True
        for kind in kinds:
            for b in torch.nonzero(~present[kind]).flatten().tolist():
                video[kind][b] = 0
        if waves is not None:
            with _one_thread():
                batch.logmel = self._logmel(waves)
            batch.logmel[~present["audio"]] = 0
        if "scene_graph" in options.modalities:
            batch.scene_graph = collate_graphs(graphs)
            present["scene_graph"] = batch.scene_graph.present.any(dim=1)
        return batch

    def _labels(self, batch: Batch, b: int, row: ClipChoice) -> list[dict[str, Any] | None]:
        sample, grid = row.sample, self.grid
        positions = grid.positions(row.start)
        shown = np.minimum(positions, sample.n_frames - 1)
        frames = (sample.first_frame + shown * self.stride).reshape(grid.blocks, grid.block_frames)
        valid = (positions < sample.n_frames).reshape(frames.shape)[:, 0]
        place = f"{sample.key}.ann.json"
        data = self._fetch(sample, "ann.json")
        if len(data) > MAX_JSON_BYTES:
            raise ShardError("labels of absurd size", place=place)
        annotations = parse_json(data, place)
        try:
            atomic = atomic_targets(annotations, frames, len(self._atomic)) * valid[:, None]
            graphs = block_graphs(annotations, frames, self.grid.step * self.stride)
        except (KeyError, TypeError) as error:
            raise ShardError("labels of another form", place=place, found=repr(error)) from error
        batch.frames[b] = torch.from_numpy(frames)
        batch.block_valid[b] = torch.from_numpy(valid)
        batch.atomic_block[b] = torch.from_numpy(atomic)
        batch.atomic_clip[b] = batch.atomic_block[b].amax(dim=0)
        if sample.activity_id is not None:
            batch.activity[b] = self._activity.index(sample.activity_id)
        return [graph if ok and row.main else None for graph, ok in zip(graphs, valid, strict=True)]

    def _view(self, batch: Batch, b: int, row: ClipChoice, kind: str, epoch: int) -> None:
        view = row.third if kind == "third" else row.sample.ego
        if view is None or view.n_frames <= row.start or (kind == "ego" and not row.main):
            return
        positions = np.minimum(self.grid.positions(row.start), view.n_frames - 1)
        crop, flip = self._crop(view, row, kind, epoch)
        target = batch.video[kind][b].numpy()
        decode_clip(
            self._fetch(row.sample, view.field),
            positions,
            30 / self.stride,
            crop,
            target.reshape(-1, *target.shape[2:]),
            flip=flip,
            place=f"{row.sample.key}.{view.field}",
        )
        batch.view[kind][b] = view.number
        batch.present[kind][b] = True

    def _crop(self, view: PackedView, row: ClipChoice, kind: str, epoch: int) -> tuple[Crop, bool]:
        options = self.options
        side = options.crop or options.size
        if options.mode == "eval":
            return Crop.centre(view.width, view.height, side), False
        draw = stream(options.seed, "crop", kind, epoch, row.sample.key)
        crop = Crop.random(view.width, view.height, side, draw)
        return crop, options.flip and bool(draw.integers(2))

    def _sound(self, wave: Tensor, row: ClipChoice) -> None:
        sound = row.sample.sound
        if sound is None:
            return
        begin_s = Frame.from_index(row.start * self.stride).seconds().value
        end_s = begin_s + self.n_samples / self.audio_rate
        data = self._fetch(row.sample, sound.field)
        heard = read_bytes(data, begin_s, end_s, self.audio_rate)
        wave.copy_(torch.from_numpy(heard)[: len(wave)])

    def _blank(self, *shape: int) -> Tensor:
        """Room for pictures; rows that stay absent are cleared at the end."""
        if not self._shared:
            return torch.empty(shape, dtype=torch.uint8)
        memory: Any = torch.UntypedStorage  # a fresh shared mapping holds zeros already
        flat: Any = torch.empty(0, dtype=torch.uint8)
        made: Tensor = flat.set_(memory._new_shared(math.prod(shape)), 0, shape)
        return made


def read_bytes(
    data: bytes, begin_s: float, end_s: float, sample_rate: int
) -> npt.NDArray[np.float32]:
    """A window of a packed FLAC: float32 [S]."""
    return read_audio(io.BytesIO(data), begin_s, end_s, sample_rate, video_start_s=0.0)


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
