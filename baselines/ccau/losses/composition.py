"""Activities and atomic actions together (paper, section 4.3): L_c = L_v + lambda L_a."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.ccau.losses.ranks import ALONE, Ranks
from baselines.ccau.precision import exact


def activity_loss(
    logits: Tensor, activity: Tensor, rows: Tensor, *, ranks: Ranks = ALONE
) -> Tensor:
    """L_v: cross entropy, averaged over the rows that count; 0 where none does.

    ``logits`` [R, A]; ``activity`` int64 [R], where a row of -1 (unknown) never counts; ``rows``
    bool [R], False where the modality is absent. ``ranks`` share the mean.
    """
    counted = rows & (activity >= 0)
    with torch.autocast(logits.device.type, enabled=False):
        scores = torch.where(counted.unsqueeze(1), exact(logits), 0.0)
        losses = F.cross_entropy(scores, activity.clamp(min=0), reduction="none")
        return ranks.mean((losses * counted).sum(), counted.sum())


def atomic_loss(
    logits: Tensor,
    atomic: Tensor,
    rows: Tensor,
    *,
    focal: bool = False,
    gamma: float = 2.0,
    positive_weight: float = 10.0,
    ranks: Ranks = ALONE,
) -> Tensor:
    """L_a: binary cross entropy, or the focal loss of the public code; mean over classes and rows.

    ``logits`` [R, C]; ``atomic`` [R, C], 1 where the action is active; ``rows`` bool [R], False
    where the modality is absent; 0 where no row counts. ``focal`` weighs each term by
    (1 - p_t) ** gamma and each positive by ``positive_weight``. ``ranks`` share the mean.
    """
    with torch.autocast(logits.device.type, enabled=False):
        scores = torch.where(rows.unsqueeze(1), exact(logits), 0.0)
        target = atomic.to(scores.dtype)
        losses = F.binary_cross_entropy_with_logits(scores, target, reduction="none")
        if focal:
            # 1 - p_t, from the logit of the wrong answer: exact also where p_t is nearly 1.
            miss = torch.sigmoid(torch.where(target > 0.5, -scores, scores))
            losses = losses * miss**gamma * torch.where(target > 0.5, positive_weight, 1.0)
        return ranks.mean((losses.mean(dim=1) * rows).sum(), rows.sum())


def weighted_by_uncertainty(losses: Tensor, log_variance: Tensor, *, bound: float = 5.0) -> Tensor:
    """Sum of exp(-s) L + s / 2 (Kendall, Gal and Cipolla 2018, as the public code writes it).

    ``losses`` [L] without any lambda inside; ``log_variance`` [L], the learned s, is clamped to
    [-bound, bound]. One that has passed the bound is still pulled back, and not pushed further.
    """
    with torch.autocast(losses.device.type, enabled=False):
        s: Tensor = _Bounded.apply(log_variance, bound)  # type: ignore[no-untyped-call]
        return (torch.exp(-s) * exact(losses) + s / 2).sum()


class _Bounded(torch.autograd.Function):
    """Clamping whose gradient vanishes only where descent would leave the bounds further behind.

    ``clamp`` has none beyond the bounds at all: a value that one step carries past stays for ever.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(value)
        ctx.bound = bound
        return value.clamp(-bound, bound)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (value,) = ctx.saved_tensors
        outwards = torch.where(gradient > 0, value < -ctx.bound, value > ctx.bound)
        return gradient.masked_fill(outwards, 0.0), None
