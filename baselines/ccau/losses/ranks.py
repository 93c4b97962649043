"""Sums and rows across ranks, with gradients that equal those of the full batch.

DDP averages the gradients of the ranks. So that the average is the gradient of the loss over the
full batch, also when the ranks hold different numbers of valid rows,

* a mean over rows is the sum over the rows of this rank, divided by the count of the rows of *all*
  ranks, times the number of ranks (:meth:`Ranks.mean`);
* a loss that compares rows of different ranks is computed whole on every rank, from gathered rows
  of which only its own carry gradients, and its gradient is multiplied by the number of ranks
  (:meth:`Ranks.gather`, :meth:`Ranks.shared`). The derivative by a row of one rank needs no
  derivative by the others, so nothing is communicated in the backward pass, where ranks that lack
  a modality would wait for each other.

Leaving out the factor scales gradients by 1 / W; gathering only the candidates, without gradient,
turns them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """Which rank of how many. Its methods are collective calls: every rank must make them."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> Ranks:
        """The default process group, or one rank alone where there is none."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return ALONE

    def mean(self, total: Tensor, count: Tensor) -> Tensor:
        """What this rank adds to a mean: its sum ``total`` over the ``count`` rows of all ranks.

        0 where no rank has a row.
        """
        whole = count.detach().float()
        if self.size > 1:
            whole = whole.clone()
            dist.all_reduce(whole)
        return total * (self.size / whole.to(total.dtype).clamp(min=1.0))

    def gather(self, x: Tensor) -> Tensor:
        """The rows of all ranks in rank order; gradients flow to this rank's own rows only.

        Ranks may hold different numbers of rows.
        """
        if self.size == 1:
            return x
        mine = torch.tensor([x.shape[0]], device=x.device)
        sizes = [torch.zeros_like(mine) for _ in range(self.size)]
        dist.all_gather(sizes, mine)
        counts = [int(s) for s in sizes]
        sent = x.detach().to(torch.uint8) if x.dtype == torch.bool else x.detach()
        padded = sent.new_zeros(max(counts), *x.shape[1:])
        padded[: x.shape[0]] = sent
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        rows = [part[:n].to(x.dtype) for part, n in zip(parts, counts, strict=True)]
        rows[self.rank] = x
        return torch.cat(rows)

    def shared(self, loss: Tensor) -> Tensor:
        """A loss that every rank computed whole: the same value, gradients times ``size``."""
        if self.size == 1:
            return loss
        return loss.detach() + self.size * (loss - loss.detach())


ALONE = Ranks()
