"""Faults that cooperation could have, each with the check that must notice it.

A mutant is a task with one fault in what it aligns. Those of ``TRAINED`` must lose accuracy; the
others are caught by an exact check of ``FOUND_BY``, without training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from baselines.ccau.config.objective_config import AlignmentConfig, Negatives
from baselines.ccau.losses.alignment import alignment
from baselines.ccau.losses.ranks import Ranks
from baselines.ccau.models.build_nets import ModalityOutput
from baselines.ccau.tasks import ClipLabels, Cooperative

Sides = tuple[Tensor, Tensor, Tensor, Tensor, Negatives]


def faulty(name: str, fault: Callable[..., Sides]) -> type[Cooperative]:
    """A Cooperative whose aligned sides (a, b, valid_a, valid_b, negatives) went through a fault."""

    def sides(self: Cooperative, *arguments: Any) -> Sides:
        return fault(*Cooperative._sides(self, *arguments))

    return type(name, (Cooperative,), {"_sides": sides})


def _one_detached(a: Tensor, b: Tensor, *rest: Any) -> Any:
    return a.detach(), b, *rest


def _both_detached(a: Tensor, b: Tensor, *rest: Any) -> Any:
    return a.detach(), b.detach(), *rest


def _next_clip(a: Tensor, b: Tensor, valid_a: Tensor, valid_b: Tensor, kind: Negatives) -> Sides:
    return a, b.roll(1, 0), valid_a, valid_b.roll(1, 0), kind


def _next_block(a: Tensor, b: Tensor, valid_a: Tensor, valid_b: Tensor, kind: Negatives) -> Sides:
    return a, b.roll(1, 1), valid_a, valid_b.roll(1, 1), kind


def _unmasked(a: Tensor, b: Tensor, valid_a: Tensor, valid_b: Tensor, kind: Negatives) -> Sides:
    return a, b, torch.ones_like(valid_a), torch.ones_like(valid_b), kind


MUTANTS: Mapping[str, type[Cooperative]] = {
    "one side detached": faulty("OneSideDetached", _one_detached),
    "both sides detached": faulty("BothSidesDetached", _both_detached),
    "partner shuffled": faulty("PartnerShuffled", _next_clip),
    "shifted by a block": faulty("ShiftedByABlock", _next_block),
    "masks ignored": faulty("MasksIgnored", _unmasked),
}

TRAINED = {
    "partner shuffled": "plus",
    "clock": "plus",
    "shifted by a block": "plus",
    "masks ignored": "absence",
}
"""Mutants that are trained, and in which world. ``clock``: negatives of the same clip alone."""


def gradient_into_each(task: Cooperative, inputs: Any, targets: ClipLabels) -> dict[str, float]:
    """Norm of the gradient of the alignment by each modality's parameters."""
    losses = task.losses(inputs, targets, step=0)
    aligned = losses["alignment/total"]
    found = {}
    for modality in task.modalities:
        parameters = list(task.net(modality).parameters())
        if not aligned.requires_grad:
            found[modality] = 0.0
            continue
        gradients = torch.autograd.grad(aligned, parameters, retain_graph=True, allow_unused=True)
        found[modality] = sum(float(g.norm()) for g in gradients if g is not None)
    return found


def moved_by_absent_rows(task: Cooperative, inputs: Any, targets: ClipLabels) -> float:
    """By how much the alignment changes when what is absent is filled with something."""
    with torch.no_grad():
        outputs = task.outputs(inputs, targets, step=0)
        spoiled = {m: _filled(out, targets.has(m).view(-1, 1, 1)) for m, out in outputs.items()}
        plain, other = (
            task.compare(each, targets, Ranks())["alignment/total"] for each in (outputs, spoiled)
        )
    return abs(float(plain - other))


def _filled(out: ModalityOutput, has: Tensor) -> ModalityOutput:
    return replace(out, blocks=torch.where(has, out.blocks, 3.0 + out.blocks))


@dataclass(frozen=True)
class TwoRanks(Ranks):
    """One of two ranks, with what the other would send known beforehand."""

    whole: tuple[tuple[Tensor, Tensor], ...] = ()
    """(this rank's rows, the rows of both) of each tensor that is gathered."""

    def gather(self, x: Tensor) -> Tensor:
        """See :meth:`Ranks.gather`."""
        full = next(both for own, both in self.whole if own is x)
        half = len(full) // 2
        parts = [full[:half], full[half:]]
        parts[self.rank] = x
        return torch.cat(parts)


class WithoutFactor(TwoRanks):
    """The mutant: what every rank computed whole is not multiplied by the number of ranks."""

    def shared(self, loss: Tensor) -> Tensor:
        """See :meth:`Ranks.shared`."""
        return loss


def gap_on_two_ranks(align: AlignmentConfig, kind: type[TwoRanks] = TwoRanks) -> float:
    """Largest difference between the mean gradient of two ranks and that of the full batch,
    over the largest value of the latter."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(8, 3, 5, generator=generator, dtype=torch.float64) for _ in "ab")
    valid_a, valid_b = (torch.rand(8, 3, generator=generator) < 0.8 for _ in "ab")
    how: dict[str, Any] = {
        "negatives": align.negatives, "normalize": align.normalize,
        "tau": align.tau, "centre": align.centre,
    }  # fmt: skip

    def gradient(rows: slice, ranks: Ranks | None = None) -> Tensor:
        x, y = a[rows].clone().requires_grad_(), b[rows].clone()
        masks = valid_a[rows].clone(), valid_b[rows].clone()
        if ranks is not None:
            pairs = ((x, a), (y, b), (masks[0], valid_a), (masks[1], valid_b))
            ranks = kind(ranks.rank, 2, pairs)
        loss = alignment(x, y, *masks, ranks=ranks or Ranks(), **how).loss
        (found,) = torch.autograd.grad(loss, x)
        return found

    full = gradient(slice(0, 8))
    halves = [gradient(slice(4 * rank, 4 * rank + 4), Ranks(rank, 2)) / 2 for rank in (0, 1)]
    return float((torch.cat(halves) - full).abs().max() / full.abs().max())
