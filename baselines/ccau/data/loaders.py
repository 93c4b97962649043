"""From shards to what a task takes: batches of tensors on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from baselines.ccau.config.config import Config
from baselines.ccau.data.sensor_channels import sensor_channels
from baselines.ccau.distributed import World
from baselines.ccau.models.augment import prepare_video
from baselines.ccau.random_streams import numpy_stream
from baselines.ccau.tasks import ClipLabels
from homage_sdk.errors import ConfigError
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.loader.batch import Batch
from homage_sdk.shards import ShardSet


def open_loader(
    shards: ShardSet,
    config: Config,
    modalities: Sequence[str],
    sequences: tuple[str, ...],
    world: World,
    *,
    training: bool,
) -> ClipLoader:
    """The loader of one pass; evaluation reads dense clips in fixed order without augmentation."""
    data = config.data
    options = LoaderOptions(
        modalities=tuple(modalities),
        sequences=sequences,
        batch_size=data.batch_size if training else data.eval_batch_size,
        blocks=data.blocks,
        block_frames=data.block_frames,
        stride=data.stride,
        size=data.size,
        fit=data.fit,
        crop=data.crop or None,
        flip=data.flip,
        starts=data.starts,
        train_unit=data.train_unit,
        eval_every=data.eval_every or None,
        short=data.short,
        action_ends=data.action_ends,
        n_mels=data.n_mels,
        n_fft=data.n_fft,
        hop=data.hop,
        sensors=sensor_channels(config, shards) if "sensors" in modalities else (),
        sensor_samples=data.sensor_samples,
        mode="train" if training else "eval",
        third_views="random" if training else data.eval_third_views,
        seed=config.run.seed,
        pixels="i420" if world.device.type == "cuda" else "rgb",
        workers=data.workers,
        rank=world.rank,
        world_size=world.size,
    )
    return ClipLoader(shards, options)


def prepare(
    batch: Batch, config: Config, modalities: Sequence[str], *, epoch: int, training: bool
) -> tuple[dict[str, Any], ClipLabels]:
    """A batch (already on the device) as the networks and losses take it."""
    held: dict[str, Any] = {
        **batch.video, "audio": batch.logmel, "scene_graph": batch.scene_graph,
        "sensors": batch.sensors,
    }  # fmt: skip
    inputs: dict[str, Any] = {}
    for modality in modalities:
        value = held.get(modality)
        if value is None:
            raise ConfigError(
                f"these shards hold no {modality}",
                hint="pack them with it, or leave it out of task.modalities",
            )
        if modality == "audio":
            # Decibels below the reference, about -80 to 0, to about -1 to 1: [B, 1, n_mels, T].
            # A picture of them stays in 0..1: [B, 3, n_mels, T].
            value = ((value + 40.0) / 40.0).unsqueeze(1) if value.ndim == 3 else value
        elif modality == "sensors":
            # Values, and 1 where recorded; [B, N, 2, J, S].
            value = torch.stack([value.nan_to_num(), (~value.isnan()).float()], dim=2)
        elif modality != "scene_graph":
            streams = [
                numpy_stream(config.run.seed, "augment", modality, epoch, sequence, int(clip))
                for sequence, clip in zip(batch.sequence, batch.clip.tolist(), strict=True)
            ]
            augment = config.augment if training else None
            value = prepare_video(value, config=augment, streams=streams)
        inputs[modality] = value
    return inputs, ClipLabels.of(batch, modalities)
