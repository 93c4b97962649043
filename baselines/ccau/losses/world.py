"""Sums and rows across ranks, with gradients that equal those of the full batch.

Every loss here is a sum over the rows of this rank divided by the count of rows of *all* ranks,
times the number of ranks: DDP then averages the gradients of the ranks, and what comes out is the
gradient of the mean over the full batch, also when the ranks hold different numbers of valid rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class World:
    """Which rank of how many."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> World:
        """The default process group, or one rank alone where there is none."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return ALONE

    def mean(self, total: Tensor, count: Tensor) -> Tensor:
        """What this rank adds to a mean: its sum ``total`` over the ``count`` rows of all ranks.

        0 where no rank has a row. A collective call: every rank must make it.
        """
        whole = count.detach().to(total.dtype)
        if self.size > 1:
            whole = whole.clone()
            dist.all_reduce(whole)
        return total * (self.size / whole.clamp(min=1.0))

    def gather(self, x: Tensor) -> tuple[Tensor, int]:
        """The rows of all ranks in rank order, and where this rank's begin.

        Ranks may hold different numbers of rows. Gradients flow back to every rank.
        """
        if self.size == 1:
            return x, 0
        mine = torch.tensor([x.shape[0]], device=x.device)
        sizes = [torch.zeros_like(mine) for _ in range(self.size)]
        dist.all_gather(sizes, mine)
        counts = [int(s) for s in sizes]
        rows = cast(Tensor, _Gather.apply(x, counts, self.rank))  # type: ignore[no-untyped-call]
        return rows, sum(counts[: self.rank])


ALONE = World()


class _Gather(torch.autograd.Function):
    """all_gather whose backward adds up what every rank wants of a row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, counts: list[int], rank: int) -> Tensor:
        ctx.begin, ctx.rows = sum(counts[:rank]), counts[rank]
        padded = x.new_zeros(max(counts), *x.shape[1:])
        padded[: x.shape[0]] = x
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        return torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        whole = grads[0].contiguous().clone()
        dist.all_reduce(whole)
        return whole[ctx.begin : ctx.begin + ctx.rows], None, None


def exact(x: Tensor) -> Tensor:
    """At least float32: bfloat16 makes 100 + 0.2 equal 100."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
