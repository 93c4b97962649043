"""Alignment of two modalities (paper, Eq. 1): find the in-sync context among others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.ccau.config.objective_config import Negatives
from baselines.ccau.losses.ranks import ALONE, Ranks
from baselines.ccau.precision import exact
from homage_sdk.errors import UsageError


@dataclass(frozen=True)
class Alignment:
    """The loss of one pair and what it was computed from; all but ``loss`` are detached.

    Shares and means are over the anchors of both directions; NaN where there is none.
    """

    loss: Tensor  # scalar
    accuracy: Tensor  # share of anchors whose positive scores highest
    chance: Tensor  # mean of 1 / candidates: the accuracy of guessing
    placebo: Tensor  # accuracy where each clip's partner is that of the next clip; NaN without any
    anchors: Tensor  # how many; of all ranks under "world" and "same_block", else of this one
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
    centre: bool = False,
    ranks: Ranks = ALONE,
) -> Alignment:
    """Symmetric contrastive loss of modality a against modality b.

    For an anchor i, a position where both modalities are valid, with the candidates j of the other
    modality that are valid and allowed by ``negatives``::

        l(a -> b) = - sum_i log( exp(a_i . b_i / tau) / sum_j exp(a_i . b_j / tau) ) / anchors

    and the result is (l(a -> b) + l(b -> a)) / 2; 0 where there is no anchor. Logits are float32
    at least. UsageError where shapes differ, or tau is not positive.

    The placebo pairs each clip with the other modality of the clip before it, which shares no
    content with it, only the block number: an accuracy that the placebo reaches as well rests on
    that number. A batch of one clip has no placebo (NaN).

    Args:
        a: [B, N, D] contexts; N = 1 aligns whole clips.
        b: [B, N, D].
        valid_a: bool [B, N], False where modality a is absent or the block is padding.
        valid_b: bool [B, N].
        normalize: divide the contexts by their length first.
        tau: temperature.
        negatives: candidates are the blocks of the same clip ("video", Eq. 1 read narrowly), of the
            clips of this rank, the same one included ("batch"), of the clips of all ranks
            ("world"), or those of the same block number in the clips of all ranks ("same_block").
        centre: subtract from each context, before its length is taken, the mean of its modality
            at its block number, over the valid clips of this rank ("video", "batch") or of all.
        ranks: the ranks that share the mean (and the clips under "world" and "same_block").

    """
    if a.shape != b.shape or a.ndim != 3 or valid_a.shape != a.shape[:2]:
        raise UsageError(
            "contexts to align must have one shape",
            found=f"{tuple(a.shape)} and {tuple(b.shape)}, valid {tuple(valid_a.shape)}",
            expected="[B, N, D] twice, valid [B, N]",
        )
    if not tau > 0:
        raise UsageError("the temperature must be positive", found=f"tau = {tau}")
    if negatives not in get_args(Negatives):
        raise UsageError(
            "unknown negatives", found=repr(negatives), expected=", ".join(get_args(Negatives))
        )
    with torch.autocast(a.device.type, enabled=False):
        a, b = exact(a), exact(b)
        whole = negatives in ("world", "same_block")
        if whole:
            a, b = ranks.gather(a), ranks.gather(b)
            valid_a, valid_b = ranks.gather(valid_a), ranks.gather(valid_b)
        if centre:
            a, b = _centred(a, valid_a), _centred(b, valid_b)
        if normalize:
            a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
        sides = ((a, valid_a, b, valid_b), (b, valid_b, a, valid_a))
        ways = [_one_way(*side, tau, negatives) for side in sides]
        count = (valid_a & valid_b).sum()
        total = (ways[0].loss + ways[1].loss) / 2

        def share(first: Tensor, second: Tensor) -> Tensor:
            return (first + second) / (2 * count)  # NaN without an anchor

        with torch.no_grad():
            moved = [
                _one_way(x, valid_x, y.roll(1, 0), valid_y.roll(1, 0), tau, negatives)
                for x, valid_x, y, valid_y in (sides if len(a) > 1 else ())
            ]
            # The two directions of the placebo pair other clips, so they differ in anchors.
            hits = torch.stack([way.hits for way in moved] or [torch.zeros_like(count)]).sum()
            tries = torch.stack([way.anchors for way in moved] or [torch.zeros_like(count)]).sum()
        return Alignment(
            loss=ranks.shared(total / count.clamp(min=1)) if whole else ranks.mean(total, count),
            accuracy=share(ways[0].hits, ways[1].hits),
            chance=share(ways[0].guessed, ways[1].guessed),
            placebo=hits / tries,
            anchors=2 * count,
            negatives=share(ways[0].negatives, ways[1].negatives),
        )


def _centred(x: Tensor, valid: Tensor) -> Tensor:
    """``x [B, N, D]`` less the mean over its valid clips at each block number."""
    weight = valid.unsqueeze(-1).to(x.dtype)
    mean = torch.where(valid.unsqueeze(-1), x, 0.0).sum(dim=0) / weight.sum(dim=0).clamp(min=1)
    return x - mean


class _Way(NamedTuple):
    """Sums over the anchors of one direction; ``guessed`` of 1 / candidates."""

    loss: Tensor
    hits: Tensor
    guessed: Tensor
    negatives: Tensor
    anchors: Tensor


def _one_way(
    x: Tensor, valid_x: Tensor, y: Tensor, valid_y: Tensor, tau: float, negatives: Negatives
) -> _Way:
    """Where each anchor of x finds its positive among the candidates of y."""
    if negatives == "same_block":  # what a clip's blocks are to "video", a block's clips are here
        x, y = x.transpose(0, 1), y.transpose(0, 1)
        valid_x, valid_y = valid_x.T, valid_y.T
    groups, members, _ = x.shape
    anchor = (valid_x & valid_y).flatten()
    if negatives in ("video", "same_block"):
        logits = (x @ y.transpose(1, 2)).flatten(0, 1) / tau
        allowed = valid_y.unsqueeze(1).expand(-1, members, -1).flatten(0, 1)
        positive = torch.arange(members, device=x.device).repeat(groups)
    else:
        logits = x.flatten(0, 1) @ y.flatten(0, 1).T / tau
        allowed = valid_y.flatten().unsqueeze(0).expand_as(logits)
        positive = torch.arange(groups * members, device=x.device)
    # A row that is no anchor may have no candidate at all: a row of zeros keeps its gradient 0.
    rows = anchor.unsqueeze(1)
    logits = torch.where(rows, logits.masked_fill(~allowed, -torch.inf), 0.0)
    losses = F.cross_entropy(logits, positive, reduction="none")
    candidates = (allowed & rows).sum(dim=1)
    return _Way(
        loss=(losses * anchor).sum(),
        hits=((logits.detach().argmax(dim=1) == positive) & anchor).sum(),
        guessed=(anchor / candidates.clamp(min=1)).sum(),
        negatives=candidates.sum() - anchor.sum(),
        anchors=anchor.sum(),
    )


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
