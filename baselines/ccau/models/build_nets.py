"""One network a modality: encoder, aggregator, attention, heads (paper, section 4.1).

Letters: B clips, N blocks, K frames a block, D features, A activities, C atomic classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.models.audio_net import AudioFeatures, extra_stages
from baselines.ccau.models.augment import IMAGENET_MEAN, IMAGENET_STD
from baselines.ccau.models.encoder import VideoEncoder
from baselines.ccau.models.initialise import (
    Rule,
    embedding,
    initialise,
    kaiming_fan_out,
    orthogonal,
    torch_default,
)
from baselines.ccau.models.modality_net import AggregatedNet, ModalityNet, ModalityOutput
from baselines.ccau.models.scene_graph_net import SceneGraphEncoder, nearest
from baselines.ccau.models.sensor_net import SensorEncoder
from baselines.ccau.precision import exact
from baselines.ccau.random_streams import undisturbed
from homage_sdk.errors import UsageError
from homage_sdk.loader.batch import SceneGraphBatch

MODALITIES = ("ego", "third", "audio", "scene_graph", "sensors")


class VideoNet(AggregatedNet):
    """ego or third."""

    def __init__(self, config: ModelConfig, modality: str, *sizes: int) -> None:
        super().__init__(config, modality, *sizes)
        self.backbone = VideoEncoder(config.width, config.depth, folded=config.folded)
        side = -(-config.size // 32)
        self.aggregate(self.backbone.channels, side * side, config.attention)

    def contexts(self, x: Tensor, valid: Tensor | None) -> dict[str, Any]:
        """See :meth:`ModalityNet.contexts`."""
        if x.dtype == torch.uint8:
            mean, std = (
                x.new_tensor(v, dtype=torch.float32) for v in (IMAGENET_MEAN, IMAGENET_STD)
            )
            x = (x.float() / 255 - mean[:, None, None, None]) / std[:, None, None, None]
        z = self.backbone(x)
        if valid is None:
            valid = torch.ones(z.shape[:2], dtype=torch.bool, device=z.device)
        return self.contexts_of(z, valid, valid)


class SceneGraphNet(AggregatedNet):
    """scene_graph."""

    atomic_join = "mean"

    def __init__(self, config: ModelConfig, modality: str, *sizes: int) -> None:
        super().__init__(config, modality, *sizes)
        dim = config.features
        self.backbone = SceneGraphEncoder(dim, config.n_objects, config.n_predicates)
        self.aggregate(dim, 1, "none")

    def contexts(self, x: SceneGraphBatch, valid: Tensor | None) -> dict[str, Any]:
        """See :meth:`ModalityNet.contexts`; each block has the graph nearest to it in the clip.

        Annotators chose frames within atomic actions, so that *where* a clip is annotated tells of
        its labels. g steps on every valid block: how many graphs there are, and where, changes no
        answer; only what is in them does. A clip without any is not valid.
        """
        seen = x.present if valid is None else x.present & valid
        z = self.backbone(x)
        filled = z.gather(1, nearest(seen)[:, :, None, None].expand_as(z))
        there = seen.any(dim=1, keepdim=True)
        counted = there.expand_as(seen) if valid is None else there & valid
        return self.contexts_of(filled, counted, counted)


class SensorNet(AggregatedNet):
    """sensors."""

    def __init__(self, config: ModelConfig, modality: str, *sizes: int) -> None:
        super().__init__(config, modality, *sizes)
        self.backbone = SensorEncoder(config.sensor_channels, config.features)
        self.aggregate(config.features, 1, "none")

    def contexts(self, x: Tensor, valid: Tensor | None) -> dict[str, Any]:
        """See :meth:`ModalityNet.contexts`."""
        z = self.backbone(x)
        if valid is None:
            valid = torch.ones(z.shape[:2], dtype=torch.bool, device=z.device)
        return self.contexts_of(z, valid, valid)


class AudioNet(ModalityNet):
    """audio: one vector a clip, or one a block with ``audio_blocks``."""

    def __init__(self, config: ModelConfig, modality: str, *sizes: int) -> None:
        super().__init__(config, modality, *sizes)
        self.has_blocks = config.audio_blocks
        columns = config.audio_columns
        if config.audio_blocks:
            columns //= config.blocks
        stages = extra_stages(config.n_mels, columns)
        width = config.audio_width or config.width
        self.features = AudioFeatures(config.audio_channels, width, stages)
        self.cells = 1
        if config.audio_pool == "flatten":
            shrink = 2 ** (5 + stages)
            self.cells = (config.n_mels // shrink) * (columns // shrink)
        inputs = self.features.out_channels * self.cells
        self.flatten = nn.Sequential(nn.Linear(inputs, config.features))

    def contexts(self, x: Tensor, valid: Tensor | None) -> dict[str, Any]:
        """See :meth:`ModalityNet.contexts`."""
        n_clips = x.shape[0]
        n_blocks = self.config.blocks if valid is None else valid.shape[1]
        if valid is None:
            valid = torch.ones(n_clips, n_blocks, dtype=torch.bool, device=x.device)
        if not self.config.audio_blocks:
            clip = self._vectors(x)
            blocks = clip.unsqueeze(1).expand(-1, n_blocks, -1)
        else:
            piece = x.shape[-1] // n_blocks
            pieces = torch.stack(x[..., : piece * n_blocks].chunk(n_blocks, dim=-1), dim=1)
            blocks = self._vectors(pieces.flatten(0, 1)).reshape(n_clips, n_blocks, -1)
            counted = (valid | ~valid.any(dim=1, keepdim=True)).float().unsqueeze(-1)
            clip = (blocks * counted).sum(dim=1) / counted.sum(dim=1)
        return {
            "blocks": blocks,
            "clip": clip,
            "attention": None,
            "grid": clip.unsqueeze(1),
            "valid": valid,
            "per_block": self.has_blocks,
        }

    def _vectors(self, x: Tensor) -> Tensor:
        if self.config.audio_axes == "time_mel":
            x = x.transpose(-2, -1)
        maps = self.features(x)
        if self.config.audio_pool == "flatten":
            flat = maps.flatten(1)
            if flat.shape[1] != maps.shape[1] * self.cells:
                raise UsageError(
                    'audio_pool = "flatten" is bound to the size of its spectrogram',
                    found=" x ".join(map(str, sorted(x.shape[-2:]))),
                    expected=f"{self.config.n_mels} x {self.config.audio_columns}",
                    hint='set n_mels and audio_columns to the loader\'s, or audio_pool = "mean"',
                )
        else:
            flat = maps.mean(dim=(2, 3))
        return exact(self.flatten(flat))


__all__ = ["MODALITIES", "ModalityNet", "ModalityOutput", "ModelConfig", "build_nets"]

KINDS: dict[str, type[ModalityNet]] = {
    "ego": VideoNet,
    "third": VideoNet,
    "audio": AudioNet,
    "scene_graph": SceneGraphNet,
    "sensors": SensorNet,
}


def build_nets(
    config: ModelConfig, modalities: Sequence[str], n_activities: int, n_atomic: int, seed: int
) -> dict[str, ModalityNet]:
    """A network a modality, each initialised from its own stream (seed, "init", modality, ...).

    Raises UsageError for an unknown or repeated modality.
    """
    unknown = [m for m in modalities if m not in KINDS]
    if unknown or not modalities or len(set(modalities)) != len(modalities):
        raise UsageError(
            "cannot build these modalities",
            found=", ".join(modalities) or "none",
            expected="different ones of " + ", ".join(MODALITIES),
        )
    audio: Rule = kaiming_fan_out if config.audio_init == "kaiming" else torch_default
    rules: dict[str, Rule] = {
        "": torch_default,
        "backbone.": kaiming_fan_out,
        "agg.": orthogonal,
        "features.": audio,
        "final_fc": orthogonal,
    }
    graph_rules = rules | {
        "backbone.": torch_default,
        "backbone.category": embedding,
        "backbone.predicate": embedding,
    }
    nets: dict[str, ModalityNet] = {}
    for modality in modalities:
        with undisturbed():
            net = KINDS[modality](config, modality, n_activities, n_atomic, seed)
        initialise(
            net,
            graph_rules if modality == "scene_graph" else rules,
            seed=seed,
            modality=modality,
            default_bias=("features.", "flatten.", "final_fc", "attention_fn.", "backbone."),
        )
        nets[modality] = net
    return nets
