"""Alignment of two modalities (paper, Eq. 1): find the in-sync context among others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.ccau.config.objective_config import Negatives
from baselines.ccau.losses.ranks import ALONE, Ranks
from baselines.ccau.precision import exact
from homage_sdk.errors import UsageError


@dataclass(frozen=True)
class Alignment:
    """The loss of one pair and what it was computed from; all but ``loss`` are detached."""

    loss: Tensor  # scalar
    accuracy: Tensor  # share of anchors whose positive scores highest, both directions
    anchors: Tensor  # how many, both directions; of all ranks under "world", else of this one
    negatives: Tensor  # mean negatives an anchor


def alignment(
    a: Tensor,
    b: Tensor,
    valid_a: Tensor,
    valid_b: Tensor,
    *,
    normalize: bool = False,
    tau: float = 1.0,
    negatives: Negatives = "batch",
    ranks: Ranks = ALONE,
) -> Alignment:
    """Symmetric contrastive loss of modality a against modality b.

    For an anchor i, a position where both modalities are valid, with the candidates j of the other
    modality that are valid and allowed by ``negatives``::

        l(a -> b) = - sum_i log( exp(a_i . b_i / tau) / sum_j exp(a_i . b_j / tau) ) / anchors

    and the result is (l(a -> b) + l(b -> a)) / 2; 0 where there is no anchor. Logits are float32
    at least. UsageError where shapes differ, or tau is not positive.

    Args:
        a: [B, N, D] contexts; N = 1 aligns whole clips.
        b: [B, N, D].
        valid_a: bool [B, N], False where modality a is absent or the block is padding.
        valid_b: bool [B, N].
        normalize: divide the contexts by their length first.
        tau: temperature.
        negatives: candidates from the same clip ("video", as Eq. 1 is written), from the batch of
            this rank, or from the batches of all ranks.
        ranks: the ranks that share the mean (and the candidates under "world").

    """
    if a.shape != b.shape or a.ndim != 3 or valid_a.shape != a.shape[:2]:
        raise UsageError(
            "contexts to align must have one shape",
            found=f"{tuple(a.shape)} and {tuple(b.shape)}, valid {tuple(valid_a.shape)}",
            expected="[B, N, D] twice, valid [B, N]",
        )
    if not tau > 0:
        raise UsageError("the temperature must be positive", found=f"tau = {tau}")
    if negatives not in ("video", "batch", "world"):
        raise UsageError(
            "unknown negatives", found=repr(negatives), expected='"video", "batch" or "world"'
        )
    with torch.autocast(a.device.type, enabled=False):
        a, b = exact(a), exact(b)
        if normalize:
            a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
        whole = negatives == "world"
        if whole:
            a, b = ranks.gather(a), ranks.gather(b)
            valid_a, valid_b = ranks.gather(valid_a), ranks.gather(valid_b)
        anchor = valid_a & valid_b
        within = negatives == "video"
        ways = [
            _one_way(x, y, anchor, valid_y, tau, within=within)
            for x, y, valid_y in ((a, b, valid_b), (b, a, valid_a))
        ]
        count = anchor.sum()
        some = count.clamp(min=1)
        total = (ways[0][0] + ways[1][0]) / 2
        return Alignment(
            loss=ranks.shared(total / some) if whole else ranks.mean(total, count),
            accuracy=(ways[0][1] + ways[1][1]) / (2 * some),
            anchors=2 * count,
            negatives=(ways[0][2] + ways[1][2]) / (2 * some),
        )


def _one_way(
    x: Tensor, y: Tensor, anchor: Tensor, valid_y: Tensor, tau: float, *, within: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum over the anchors in x of: loss, hits, negatives."""
    n_clips, n_blocks, _ = x.shape
    if within:
        logits = (x @ y.transpose(1, 2)).flatten(0, 1) / tau
        allowed = valid_y.unsqueeze(1).expand(-1, n_blocks, -1).flatten(0, 1)
        positive = torch.arange(n_blocks, device=x.device).repeat(n_clips)
    else:
        logits = x.flatten(0, 1) @ y.flatten(0, 1).T / tau
        allowed = valid_y.flatten().unsqueeze(0).expand_as(logits)
        positive = torch.arange(n_clips * n_blocks, device=x.device)
    rows = anchor.flatten().unsqueeze(1)
    # A row that is no anchor may have no candidate at all: a row of zeros keeps its gradient 0.
    logits = torch.where(rows, logits.masked_fill(~allowed, -torch.inf), 0.0)
    losses = F.cross_entropy(logits, positive, reduction="none")
    hits = (logits.detach().argmax(dim=1) == positive) & anchor.flatten()
    others = (allowed & rows).sum() - rows.sum()
    return (losses * anchor.flatten()).sum(), hits.sum(), others


def over_pairs(losses: list[Tensor], pairs: Literal["mean", "sum"]) -> Tensor:
    """The losses of all pairs of modalities as one: their sum (paper) or their mean.

    Raises UsageError for no pair at all.
    """
    if not losses:
        raise UsageError(
            "alignment needs two modalities", hint="add one, or set the alignment weight to 0"
        )
    total = torch.stack(losses).sum()
    return total / len(losses) if pairs == "mean" else total
