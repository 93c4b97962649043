"""What networks say about sequences: every clip of every view exactly once.

The training mode of the networks and every random stream are left as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.data.partition import having
from baselines.ccau.distributed import World, gather, stop_together
from baselines.ccau.evaluation.predictions import Clips, Predictions, merge
from baselines.ccau.models.build_nets import ModalityNet, ModalityOutput
from baselines.ccau.precision import autocast
from homage_sdk.loader import ClipLoader
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.device_feed import feed
from homage_sdk.loader.sampling import ClipChoice
from homage_sdk.progress import Meter, Progress
from homage_sdk.shards import ShardSet


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every part gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes.items():
            part.training = training


class Judge:
    """Reads the clips of some sequences, once for all modalities, as often as it is asked.

    Its loader and the loader's processes are kept from one call to the next; ``close`` ends them.
    """

    def __init__(
        self,
        shards: ShardSet,
        config: Config,
        modalities: Iterable[str],
        sequences: Iterable[str],
        *,
        world: World,
    ) -> None:
        self.config, self.world = config, world
        found = {
            modality: frozenset(having(shards, sequences, modality)) for modality in modalities
        }
        self.having = {modality: names for modality, names in found.items() if names}
        """The sequences that have each modality; those that none has are left out."""
        self.planned: dict[str, Counter[tuple[str, int]]] = {}
        """Of each modality: how many views each (sequence, clip) has to come with."""
        self.loader: ClipLoader | None = None
        if self.having:
            together = tuple(sorted(frozenset().union(*self.having.values())))
            self.loader = open_loader(
                shards, config, tuple(self.having), together, world, training=False
            )
            for modality in self.having:
                asked = (row for row in self.loader.rows.clips(0) if self._asks(modality, row))
                self.planned[modality] = Counter((row.sample.sequence, row.clip) for row in asked)
        self.n_answers = sum(views.total() for views in self.planned.values())
        """How many answers of networks a call takes, over all modalities and ranks."""

    def close(self) -> None:
        """End the loader's processes."""
        if self.loader is not None:
            self.loader.close()

    def __call__(
        self, nets: Mapping[str, ModalityNet], progress: Progress | None = None
    ) -> dict[str, Predictions]:
        """Predictions of each modality alone for the sequences that have it, on every rank.

        ``progress`` hears batches.

        Raises TrainingError, on every rank, when a clip of a view is missing or comes twice, or
        when a network's answer to one is not finite.
        """
        own: dict[str, list[Clips]] = {modality: [] for modality in self.having}
        fault: str | None = None
        with ExitStack() as modes:
            for modality in self.having:
                modes.enter_context(evaluation_mode(nets[modality]))
            answers = modes.enter_context(closing(self._answers(nets, progress)))
            for modality, clips in answers:
                own[modality].append(clips)
                fault = name_not_finite(modality, clips)
                if fault is not None:
                    break
        stop_together(self.world, fault)
        found = {}
        for modality, parts in own.items():
            everywhere = list(chain.from_iterable(gather(self.world, parts)))
            columns = {k: np.concatenate([part[k] for part in everywhere]) for k in everywhere[0]}
            merged = merge(columns, self.planned[modality], nets[modality].atomic_join)
            if merged is not None:
                found[modality] = merged
        return found

    def _answers(
        self, nets: Mapping[str, ModalityNet], progress: Progress | None
    ) -> Generator[tuple[str, Clips]]:
        """What each network says about each batch of this rank."""
        if self.loader is None:
            return
        meter = Meter(progress, len(self.loader))
        with closing(feed(self.loader, self.world.device)) as batches:
            for step, batch in enumerate(batches):
                rows = self.loader.rows(0, step)
                inputs, _ = prepare(batch, self.config, tuple(self.having), epoch=0, training=False)
                for modality in self.having:
                    asked = [row is not None and self._asks(modality, row) for row in rows]
                    if not any(asked):
                        continue
                    with autocast(self.config.optim.precision, self.world.device):
                        output = nets[modality](inputs[modality], batch.block_valid)
                    yield modality, _columns(output, batch, modality, np.array(asked))
                meter.advance()

    def _asks(self, modality: str, row: ClipChoice) -> bool:
        """Whether this row of a batch is one for the modality's network."""
        is_its_own = row.main or modality == "third"
        return is_its_own and row.sample.sequence in self.having[modality]


def _columns(
    output: ModalityOutput, batch: Batch, modality: str, asked: NDArray[np.bool_]
) -> Clips:
    """What the network says about the rows it was asked about."""
    real = asked & np.array([bool(sequence) for sequence in batch.sequence])
    views = batch.view.get(modality)
    columns = {
        "sequence": np.array(batch.sequence),
        "view": np.zeros(len(batch), np.int64) if views is None else views.cpu().numpy(),
        "clip": batch.clip.cpu().numpy(),
        "present": batch.present[modality].cpu().numpy(),
        "activity": torch.softmax(output.activity.float(), dim=1).cpu().numpy(),
        "atomic": torch.sigmoid(output.atomic.float()).cpu().numpy(),
        "context": output.clip.float().cpu().numpy(),
        "activity_label": batch.activity.cpu().numpy(),
        "atomic_label": batch.atomic_clip.cpu().numpy(),
        "atomic_known": batch.atomic_known.cpu().numpy(),
    }
    if output.attention is not None:
        columns["attention"] = output.attention.half().cpu().numpy()
    return {name: column[real] for name, column in columns.items()}


def name_not_finite(modality: str, clips: Clips) -> str | None:
    """A line about the first clip that a network answered with something not finite, or None.

    Nothing that a present clip says may be NaN or infinite; what the rows of others say is unused.
    """
    for name in ("activity", "atomic", "context"):
        bad = clips["present"] & ~np.isfinite(clips[name]).all(axis=1)
        if bad.any():
            sequence, clip, view = (clips[key][bad][0] for key in ("sequence", "clip", "view"))
            return (
                f"the {modality} network's {name} is not finite for {sequence} clip {clip} "
                f"view {view}"
            )
    return None
