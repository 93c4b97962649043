"""Which objectives a clock solves: alignment of two views that share the block number, or more.

The ConvGRU's state tells the block number. Where that alone picks the positive, the loss falls to
nothing on views of independent contents, and aligning teaches nothing about contents.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.ccau.config.objective_config import AlignmentConfig, CompositionConfig
from baselines.ccau.instrument.linear_nets import VIEWS, linear_model, linear_nets
from baselines.ccau.random_streams import stream
from baselines.ccau.tasks import ClipLabels, Cooperative

INPUTS = 64
MEAN_OVER = 20
"""Fresh batches that one figure is the mean of."""


@dataclass(frozen=True)
class ClockReading:
    """After the last step: means over ``MEAN_OVER`` batches, networks as in training."""

    loss: float
    accuracy: float
    chance: float
    placebo: float


def read_clock(
    align: AlignmentConfig,
    *,
    shared: float = 0.0,
    steps: int = 200,
    dim: int = 256,
    blocks: int = 8,
    clips: int = 16,
    lr: float = 1e-3,
    seed: int = 0,
) -> ClockReading:
    """Alignment alone, trained on new clips at every step; no label is known.

    Each view of a clip is a vector [INPUTS] of unit variance, the same in all blocks, drawn anew
    at every step; ``shared`` is the share of that variance that both views have in common (0: they
    share nothing but the block number).
    """
    nets = linear_nets(linear_model(dim=dim, blocks=blocks), INPUTS, 2, seed)
    task = Cooperative(nets, CompositionConfig(targets="activity"), align, seed=seed).train()
    optimizer = torch.optim.Adam(task.parameters(), lr=lr)
    targets = ClipLabels(
        activity=torch.full((clips,), -1),
        atomic_clip=torch.zeros(clips, 1),
        atomic_block=torch.zeros(clips, blocks, 1),
        block_valid=torch.ones(clips, blocks, dtype=torch.bool),
        atomic_known=torch.ones(clips, dtype=torch.bool),
    )
    generator = stream(seed, "clock")

    def losses_of(step: int) -> dict[str, Tensor]:
        common, *own = torch.randn(3, clips, 1, INPUTS, generator=generator)
        vectors = [shared**0.5 * common + (1 - shared) ** 0.5 * x for x in own]
        views = [x.expand(-1, blocks, -1) for x in vectors]
        return task.losses(dict(zip(VIEWS, views, strict=True)), targets, step=step)

    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        losses_of(step)["total"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    names = ("accuracy", "chance", "placebo")
    keys = ["alignment/ego-third", *(f"stat/alignment_{name}/ego-third" for name in names)]
    with torch.no_grad():
        found = [losses_of(steps + extra) for extra in range(MEAN_OVER)]
    means = [torch.stack([losses[key] for losses in found]).mean().item() for key in keys]
    return ClockReading(*means)
