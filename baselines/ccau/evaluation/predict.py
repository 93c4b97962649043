"""What one network says about sequences: every clip of every view exactly once.

The training mode of the network and every random stream are left as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.data.partition import having
from baselines.ccau.distributed import World, gather, stop_together
from baselines.ccau.evaluation.predictions import Clips, Predictions, merge
from baselines.ccau.models.build_nets import ModalityNet, ModalityOutput
from homage_sdk.loader.batch import Batch
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
    own: list[Clips] = []
    fault: str | None = None
    with evaluation_mode(net):
        for batch in loader:
            on_device = batch.to(world.device)
            inputs, _ = prepare(on_device, config, (modality,), epoch=0, training=False)
            own.append(_columns(net(inputs[modality], on_device.block_valid), batch, modality))
            fault = name_not_finite(modality, own[-1])
            if fault is not None:
                break
    stop_together(world, fault)
    everybodys = [part for of_rank in gather(world, own) for part in of_rank]
    clips = {name: np.concatenate([part[name] for part in everybodys]) for name in everybodys[0]}
    rows = eval_clips(loader.samples, loader.grid, loader.options)
    planned = Counter((row.sample.sequence, row.clip) for row in rows)
    return merge(clips, planned)


def _columns(output: ModalityOutput, batch: Batch, modality: str) -> Clips:
    """What the network says about a batch, without rows that only fill the last one."""
    real = np.array([bool(sequence) for sequence in batch.sequence])
    views = batch.view.get(modality)
    columns = {
        "sequence": np.array(batch.sequence),
        "view": np.zeros(len(batch), np.int64) if views is None else views.numpy(),
        "clip": batch.clip.numpy(),
        "present": batch.present[modality].numpy(),
        "activity": torch.softmax(output.activity.float(), dim=1).cpu().numpy(),
        "atomic": torch.sigmoid(output.atomic.float()).cpu().numpy(),
        "context": output.clip.float().cpu().numpy(),
        "activity_label": batch.activity.numpy(),
        "atomic_label": batch.atomic_clip.numpy(),
    }
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
