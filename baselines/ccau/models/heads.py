"""The two classification heads, and what blocks say about their clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.ccau.precision import exact
from baselines.ccau.random_streams import Dropout, DropoutStream


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


def clip_atomic(blocks: Tensor, valid: Tensor) -> Tensor:
    """Clip logits: the largest over the valid blocks, as an action of any block is the clip's.

    blocks [B, N, C], valid [B, N] -> [B, C]. A clip without a valid block counts all its blocks.
    """
    counted = valid | ~valid.any(dim=1, keepdim=True)
    return blocks.masked_fill(~counted.unsqueeze(-1), -torch.inf).amax(dim=1)
