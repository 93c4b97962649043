"""What all networks share: contexts in, logits a block and a clip out, by two heads.

Letters: B clips, N blocks, K frames a block, D features, A activities, C atomic classes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.ccau.config.model_config import AtomicJoin, AttentionKind, ModelConfig
from baselines.ccau.models.attention import make_attention, pool
from baselines.ccau.models.batch_norms import BatchNorm, as_in_evaluation
from baselines.ccau.models.convgru import ConvGRU
from baselines.ccau.precision import exact
from baselines.ccau.random_streams import Dropout, DropoutStream
from homage_sdk.errors import UsageError
from homage_sdk.loader.batch import SceneGraphBatch


class Head(nn.Sequential):
    """Linear D-D, ReLU, dropout, Linear to the classes (paper, section 5.1). Keys 0.* and 3.*."""

    def __init__(
        self, dim: int, n_classes: int, dropout: float, source: DropoutStream, layer: str
    ) -> None:
        super().__init__(
            nn.Linear(dim, dim),
            nn.ReLU(),
            Dropout(dropout, source, layer),
            nn.Linear(dim, n_classes),
        )

    def without_dropout(self, x: Tensor) -> Tensor:
        """Logits as in evaluation, whatever the mode: [..., D] -> [..., classes]."""
        logits: Tensor = self[3](self[1](self[0](x)))
        return logits


def clip_activity(blocks: Tensor, valid: Tensor) -> Tensor:
    """Clip logits whose softmax is the mean of the valid blocks' softmax.

    blocks [B, N, A], valid [B, N] -> [B, A]. A clip without a valid block counts all its blocks.
    """
    counted = valid | ~valid.any(dim=1, keepdim=True)
    log_p = torch.log_softmax(exact(blocks), dim=-1)
    log_p = log_p.masked_fill(~counted.unsqueeze(-1), -torch.inf)
    return torch.logsumexp(log_p, dim=1) - counted.sum(dim=1, keepdim=True).log()


def clip_atomic(blocks: Tensor, valid: Tensor, how: AtomicJoin = "max") -> Tensor:
    """Clip logits: the largest over the valid blocks, as an action of any block is the clip's.

    ``mean``: those whose sigmoid is the mean of the valid blocks' sigmoid.

    blocks [B, N, C], valid [B, N] -> [B, C]. A clip without a valid block counts all its blocks.
    """
    counted = valid | ~valid.any(dim=1, keepdim=True)
    if how == "mean":
        both = F.logsigmoid(torch.stack([exact(blocks), -exact(blocks)]))
        sums = both.masked_fill(~counted.unsqueeze(-1), -torch.inf).logsumexp(dim=2)
        return sums[0] - sums[1]
    return blocks.masked_fill(~counted.unsqueeze(-1), -torch.inf).amax(dim=1)


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
    attention: Tensor | None  # [B, N, h * w] weights behind ``blocks``
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

    atomic_join: ClassVar[AtomicJoin] = "max"
    """How blocks join to a clip's atomic actions, and clips to a sequence's. Where annotators chose
    what is there, ``mean``: the largest of more scores is larger, whatever they are of."""

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
        self.has_blocks = True  # a context a block, not one a clip
        self.n_classes = (n_activities, n_atomic)

    def absent(
        self, n_clips: int, n_blocks: int, device: torch.device | str = "cpu"
    ) -> ModalityOutput:
        """The output for clips of which none has this modality: zeros, nothing valid."""
        dim = self.config.features
        n_activities, n_atomic = self.n_classes
        dtype = exact(next(self.final_fc_video.parameters())).dtype

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(n_clips, *shape, device=device, dtype=dtype)

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

    def contexts(self, x: Any, valid: Tensor | None) -> dict[str, Any]:
        """The fields ``blocks, clip, attention, grid, valid, per_block`` of the output."""
        raise UsageError("a ModalityNet is built by build_nets", found=type(self).__name__)

    def forward(self, x: Tensor | SceneGraphBatch, valid: Tensor | None = None) -> ModalityOutput:
        """One modality of B clips; UsageError where the shape is not that of the modality.

        ``x`` of ego and third: [B, N, 3, K, H, W], float normalised, or uint8 (normalised here);
        of audio [B, 1 or 3, n_mels, T]; of scene_graph a :class:`SceneGraphBatch`; of sensors
        [B, N, 2, J, S] (sensor_net.py). ``valid``: bool [B, N], False where a short sequence was
        padded; None means all.
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
                "atomic": clip_atomic(atomic, valid, self.atomic_join),
            }
        normed = clip if self.final_bn is None else self.final_bn(clip)
        activity, atomic = self.final_fc_video(normed), self.final_fc_atomic(normed)
        if per_block:
            # Not trained on: shown as evaluation would see them, with no part in any statistic.
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.training):
                flat = blocks.flatten(0, 1)
                if self.final_bn is not None:
                    flat = as_in_evaluation(cast(BatchNorm, self.final_bn), flat)
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
        if config.context_norm:  # not in the paper; the public code has it, and without it vision
            self.final_bn = BatchNorm(dim)  # arms stayed at chance in a pilot (CCAU.md)

    def contexts_of(self, z: Tensor, seen: Tensor | None, valid: Tensor) -> dict[str, Any]:
        """Contexts from features [B, N, cells, C]; ``seen`` marks the blocks g steps on."""
        states = self.agg(z, seen)
        with torch.autocast(states.device.type, enabled=False):
            blocks, weights = pool(states, self.attention_fn, self.config.pool)
        return {
            "blocks": blocks,
            "clip": blocks[:, -1],
            "attention": weights,
            "grid": states[:, -1],
            "valid": valid,
            "per_block": True,
        }
