"""One network a modality: encoder, aggregator, attention, heads (paper, section 4.1).

Letters: B clips, N blocks, K frames a block, D features, A activities, C atomic classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from baselines.ccau.attention import AttentionKind, make_attention, pool
from baselines.ccau.audio_net import AudioFeatures, extra_stages
from baselines.ccau.convgru import ConvGRU
from baselines.ccau.encoder import VideoEncoder
from baselines.ccau.heads import ContextNorm, Head, as_in_evaluation, clip_activity, clip_atomic
from baselines.ccau.initialise import (
    Rule,
    embedding,
    initialise,
    kaiming_fan_out,
    orthogonal,
    torch_default,
)
from baselines.ccau.model_config import ModelConfig
from baselines.ccau.scene_graph_net import SceneGraphEncoder
from baselines.ccau.streams import Dropout, DropoutStream, undisturbed
from homage_sdk.errors import UsageError
from homage_sdk.shards.batch import SceneGraphBatch

MODALITIES = ("ego", "third", "audio", "scene_graph")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass
class ModalityOutput:
    """What one network says about B clips; float32, whatever the autocast.

    Where ``per_block`` is False the modality has one vector a clip (audio): its block fields
    repeat the clip's. Rows and blocks that are not ``valid`` hold nothing of use.
    """

    blocks: Tensor  # [B, N, D] context after each block
    clip: Tensor  # [B, D] context of the whole clip
    activity: Tensor  # [B, A] logits
    atomic: Tensor  # [B, C] logits
    activity_block: Tensor  # [B, N, A]
    atomic_block: Tensor  # [B, N, C]
    attention: Tensor | None  # [B, h * w] weights behind ``clip``
    grid: Tensor  # [B, h * w, D] cells behind ``clip``
    valid: Tensor  # bool [B, N] blocks with a context
    per_block: bool = True

    def scattered(self, rows: Tensor, n_clips: int) -> ModalityOutput:
        """The same output laid out over ``n_clips`` rows, zeros where this modality is absent."""

        def scatter(value: Tensor) -> Tensor:
            whole = value.new_zeros(n_clips, *value.shape[1:])
            return whole.index_copy(0, rows, value)

        tensors = {
            f.name: scatter(value)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **cast(dict[str, Any], tensors))


class ModalityNet(nn.Module):
    """Shared by all modalities: normalisation, heads, named dropout. Subclasses give contexts."""

    def __init__(
        self, config: ModelConfig, modality: str, n_activities: int, n_atomic: int, seed: int
    ) -> None:
        super().__init__()
        self.config = config
        self.modality = modality
        self.source = DropoutStream(seed, modality)
        dim, drop = config.features, config.head_dropout
        self.final_fc_video = Head(dim, n_activities, drop, self.source, "final_fc_video")
        self.final_fc_atomic = Head(dim, n_atomic, drop, self.source, "final_fc_atomic")
        if config.spare_head:
            self.final_fc = Head(dim, n_activities, drop, self.source, "final_fc")
        self.final_bn: nn.Module | None = None
        self.n_cells = 1
        self.n_classes = (n_activities, n_atomic)

    def at(self, step: int, rank: int = 0) -> None:
        """Go to the dropout stream of a step; ``step`` counts batches, not optimizer steps."""
        self.source.at(step, rank)

    def absent(
        self, n_clips: int, n_blocks: int, device: torch.device | str = "cpu"
    ) -> ModalityOutput:
        """The output for clips of which none has this modality: zeros, nothing valid."""
        dim = self.config.features
        n_activities, n_atomic = self.n_classes

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(n_clips, *shape, device=device)

        return ModalityOutput(
            blocks=zeros(n_blocks, dim),
            clip=zeros(dim),
            activity=zeros(n_activities),
            atomic=zeros(n_atomic),
            activity_block=zeros(n_blocks, n_activities),
            atomic_block=zeros(n_blocks, n_atomic),
            attention=None,
            grid=zeros(self.n_cells, dim),
            valid=torch.zeros(n_clips, n_blocks, dtype=torch.bool, device=device),
            per_block=self.has_blocks,
        )

    @property
    def has_blocks(self) -> bool:
        """Whether there is a context a block."""
        return True

    def contexts(self, x: Any, valid: Tensor | None) -> dict[str, Any]:
        """The fields ``blocks, clip, attention, grid, valid, per_block`` of the output."""
        raise UsageError("a ModalityNet is built by build_nets", found=type(self).__name__)

    def forward(self, x: Tensor | SceneGraphBatch, valid: Tensor | None = None) -> ModalityOutput:
        """One modality of B clips.

        Args:
            x: ego and third: [B, N, 3, K, H, W], float normalised, or uint8 (normalised here);
                audio: [B, 1 or 3, n_mels, T]; scene_graph: a :class:`SceneGraphBatch`.
            valid: bool [B, N], False where a short sequence was padded; None means all.

        Raises:
            UsageError: the shape is not that of the modality.

        """
        found = self.contexts(x, valid)
        with torch.autocast(found["clip"].device.type, enabled=False):
            logits: dict[str, Any] = self._logits(**found)
            return ModalityOutput(**found, **logits)

    def _logits(
        self, *, blocks: Tensor, clip: Tensor, valid: Tensor, per_block: bool, **_: object
    ) -> dict[str, Tensor]:
        if per_block and self.config.classify == "block":
            contexts = self._normed_blocks(blocks, valid)
            activity, atomic = self.final_fc_video(contexts), self.final_fc_atomic(contexts)
            return {
                "activity_block": activity,
                "atomic_block": atomic,
                "activity": clip_activity(activity, valid),
                "atomic": clip_atomic(atomic, valid),
            }
        normed = clip if self.final_bn is None else self.final_bn(clip)
        activity, atomic = self.final_fc_video(normed), self.final_fc_atomic(normed)
        if per_block:
            # Not trained on: shown as evaluation would see them, with no part in any statistic.
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.training):
                flat = blocks.flatten(0, 1)
                if self.final_bn is not None:
                    flat = as_in_evaluation(cast(nn.BatchNorm1d, self.final_bn), flat)
                shown = flat.reshape(blocks.shape)
                per = [
                    h.without_dropout(shown) for h in (self.final_fc_video, self.final_fc_atomic)
                ]
        else:
            n = blocks.shape[1]
            per = [t.unsqueeze(1).expand(-1, n, -1) for t in (activity, atomic)]
        return {
            "activity": activity,
            "atomic": atomic,
            "activity_block": per[0],
            "atomic_block": per[1],
        }

    def _normed_blocks(self, blocks: Tensor, valid: Tensor) -> Tensor:
        """Normalise the valid blocks by their own statistics; padding has no part in them."""
        if self.final_bn is None:
            return blocks
        if bool(valid.all()):
            normed: Tensor = self.final_bn(blocks.flatten(0, 1))
            return normed.reshape(blocks.shape)
        index = valid.flatten().nonzero().squeeze(1)
        flat = blocks.flatten(0, 1)
        rows = self.final_bn(flat.index_select(0, index))
        return torch.zeros_like(flat).index_copy(0, index, rows).reshape(blocks.shape)


class AggregatedNet(ModalityNet):
    """Modalities with features a block: g over the blocks, then attention over the cells."""

    def aggregate(self, channels: int, n_cells: int, attention: AttentionKind) -> None:
        """Build g, the attention and the normalisation."""
        config, dim = self.config, self.config.features
        self.n_cells = n_cells
        self.agg = ConvGRU(channels, dim, config.gru_dropout, self.source)
        self.attention_fn = make_attention(attention, dim, n_cells, config.attention_tau)
        if config.context_norm:
            self.final_bn = ContextNorm(dim)

    def contexts_of(self, z: Tensor, seen: Tensor | None, valid: Tensor) -> dict[str, Any]:
        """Contexts from features [B, N, cells, C]; ``seen`` marks the blocks g steps on."""
        states = self.agg(z, seen)
        with torch.autocast(states.device.type, enabled=False):
            blocks, weights = pool(states, self.attention_fn)
        return {
            "blocks": blocks,
            "clip": blocks[:, -1],
            "attention": None if weights is None else weights[:, -1],
            "grid": states[:, -1],
            "valid": valid,
            "per_block": True,
        }


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

    def __init__(self, config: ModelConfig, modality: str, *sizes: int) -> None:
        super().__init__(config, modality, *sizes)
        dim = config.features
        self.backbone = SceneGraphEncoder(dim, config.n_objects, config.n_predicates)
        self.aggregate(dim, 1, "none")

    def contexts(self, x: SceneGraphBatch, valid: Tensor | None) -> dict[str, Any]:
        """See :meth:`ModalityNet.contexts`; blocks before the first annotated one are not valid."""
        seen = x.present if valid is None else x.present & valid
        begun = seen.cumsum(dim=1) > 0
        return self.contexts_of(self.backbone(x), seen, begun if valid is None else begun & valid)


class AudioNet(ModalityNet):
    """audio: one vector a clip, or one a block with ``audio_blocks``."""

    def __init__(self, config: ModelConfig, modality: str, *sizes: int) -> None:
        super().__init__(config, modality, *sizes)
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

    @property
    def has_blocks(self) -> bool:
        """Only with ``audio_blocks``."""
        return self.config.audio_blocks

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
            "per_block": self.config.audio_blocks,
        }

    def _vectors(self, x: Tensor) -> Tensor:
        maps = self.features(x.contiguous(memory_format=torch.channels_last))
        if self.config.audio_pool == "flatten":
            flat = maps.flatten(1)
            if flat.shape[1] != maps.shape[1] * self.cells:
                raise UsageError(
                    'audio_pool = "flatten" is bound to the size of its spectrogram',
                    found=f"{x.shape[-2]} x {x.shape[-1]}",
                    expected=f"{self.config.n_mels} x {self.config.audio_columns}",
                    hint='set n_mels and audio_columns to the loader\'s, or audio_pool = "mean"',
                )
        else:
            flat = maps.mean(dim=(2, 3))
        vectors: Tensor = self.flatten(flat).float()
        return vectors


__all__ = ["MODALITIES", "ModalityNet", "ModalityOutput", "ModelConfig", "build_nets"]

KINDS: dict[str, type[ModalityNet]] = {
    "ego": VideoNet,
    "third": VideoNet,
    "audio": AudioNet,
    "scene_graph": SceneGraphNet,
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
        for name, part in net.named_modules():
            if isinstance(part, Dropout) and part.source is not net.source:
                raise UsageError(f"{name} draws from another network's stream")
        nets[modality] = net
    return nets
