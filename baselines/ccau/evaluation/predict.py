"""What one network says about sequences: every clip of every view exactly once.

The training mode of the network and every random stream are left as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.data.partition import having
from baselines.ccau.distributed import World, gather, stop_together
from baselines.ccau.evaluation.predictions import ClipScores, Predictions, merge
from baselines.ccau.models.build_nets import ModalityNet
from homage_sdk.loader.sampling import eval_clips
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


def predict(
    net: ModalityNet,
    modality: str,
    shards: ShardSet,
    config: Config,
    sequences: tuple[str, ...],
    *,
    world: World,
) -> Predictions | None:
    """Predictions of ``modality`` alone for those of ``sequences`` that have it, on every rank.

    None where none of them has it. Raises TrainingError, on every rank, when a clip of a view is
    missing or comes twice, or when the network's answer to one is not finite.
    """
    sequences = having(shards, sequences, modality)
    if not sequences:
        return None
    loader = open_loader(
        shards, config, modalities=(modality,), world=world, training=False, sequences=sequences
    )
    own: list[ClipScores] = []
    fault: str | None = None
    with evaluation_mode(net):
        for batch in loader:
            on_device = batch.to(world.device)
            inputs, _ = prepare(on_device, config, (modality,), epoch=0, training=False)
            output = net(inputs[modality], on_device.block_valid)
            activity = torch.softmax(output.activity.float(), dim=1).cpu().numpy()
            atomic = torch.sigmoid(output.atomic.float()).cpu().numpy()
            context = output.clip.float().cpu().numpy()
            present = batch.present[modality].tolist()
            views = batch.view[modality].tolist() if modality in batch.view else [0] * len(batch)
            for row in range(len(batch)):
                if not batch.sequence[row]:
                    continue  # it only fills the last batch
                own.append(
                    ClipScores(
                        sequence=batch.sequence[row],
                        view=int(views[row]),
                        clip=int(batch.clip[row]),
                        present=bool(present[row]),
                        activity=activity[row],
                        atomic=atomic[row],
                        atomic_label=batch.atomic_clip[row].numpy(),
                        activity_label=int(batch.activity[row]),
                        embedding=context[row],
                    )
                )
            fault = name_not_finite(modality, own[-len(batch) :])
            if fault is not None:
                break
    stop_together(world, fault)
    clips = [clip for part in gather(world, own) for clip in part]
    rows = eval_clips(loader.samples, loader.grid, loader.options)
    planned = Counter((row.sample.sequence, row.clip) for row in rows)
    return merge(clips, planned)


def name_not_finite(modality: str, clips: Iterable[ClipScores]) -> str | None:
    """A line about the first clip that a network answered with something not finite, or None.

    Nothing that a present clip says may be NaN or infinite; what the rows of others say is unused.
    """
    for clip in clips:
        said = {"activity": clip.activity, "atomic": clip.atomic, "context": clip.embedding}
        for name, values in said.items():
            if clip.present and not np.isfinite(values).all():
                return (
                    f"the {modality} network's {name} is not finite for {clip.sequence} "
                    f"clip {clip.clip} view {clip.view}"
                )
    return None
