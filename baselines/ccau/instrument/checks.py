"""Checks that notice a fault exactly, without training: each is named and has its mutant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.instrument.linear_nets import VIEWS
from baselines.ccau.instrument.protocol import Protocol
from baselines.ccau.instrument.trials import batch_of, make_task
from baselines.ccau.instrument.worlds import make_world
from baselines.ccau.losses.alignment import alignment
from baselines.ccau.losses.ranks import Ranks
from baselines.ccau.models.build_nets import ModalityOutput
from baselines.ccau.random_streams import stream
from baselines.ccau.tasks import ClipLabels, Cooperative

ROWS = 32
"""Of a world, that the checks are made on."""


@dataclass(frozen=True)
class FaultCheck:
    """What a check measured on the intact alignment and on a mutant."""

    name: str
    mutant: str
    intact: float
    broken: float
    passes: bool
    """The intact one does."""
    caught: bool
    """The mutant does not."""


def exact_checks(protocol: Protocol, seed: int) -> list[FaultCheck]:
    """Each mutant that needs no training, and whether its check notices it."""
    found = []
    sizes = replace(protocol.world, train=ROWS, test=ROWS)
    batches = {
        name: batch_of(make_world(name, sizes, seed).train, torch.arange(ROWS))
        for name in ("plus", "absence")
    }

    def task(arm: str) -> Cooperative:
        return cast(Cooperative, make_task(arm, protocol, seed).eval())

    def check(name: str, mutant: str, intact: float, broken: float, *, least: float) -> None:
        found.append(FaultCheck(name, mutant, intact, broken, intact >= least, broken < least))

    name = "gradient of two ranks equals the full batch's (1 - gap)"
    gaps = [1 - gap_on_two_ranks(protocol.align, kind) for kind in (TwoRanks, WithoutFactor)]
    check(name, "gather without its factor", *gaps, least=1 - 1e-9)
    name = "the alignment has a gradient into each modality (smallest norm)"
    intact = min(gradient_into_each(task("coop"), *batches["plus"]).values())
    for mutant in ("one side detached", "both sides detached"):
        broken = min(gradient_into_each(task(mutant), *batches["plus"]).values())
        check(name, mutant, intact, broken, least=1e-6)
    name = "views of equal contexts find their own block (accuracy)"
    intact = own_pairs_found(task("coop"), *batches["plus"])
    for mutant in ("shifted by a block", "partner shuffled"):
        check(name, mutant, intact, own_pairs_found(task(mutant), *batches["plus"]), least=0.99)
    name = "what is absent has no influence (1 - change of the loss)"
    kept = [
        1 - moved_by_absent_rows(task(arm), *batches["absence"])
        for arm in ("coop", "masks ignored")
    ]
    check(name, "masks ignored", *kept, least=1 - 1e-9)
    return found


def own_pairs_found(task: Cooperative, inputs: Any, targets: ClipLabels) -> float:
    """Alignment accuracy where both views have the same contexts, drawn anew for each block."""
    with torch.no_grad():
        outputs = task.outputs(inputs, targets, step=0)
        blocks = torch.randn(outputs[VIEWS[0]].blocks.shape, generator=stream(0, "own pairs"))
        same = {view: replace(outputs[view], blocks=blocks) for view in VIEWS}
        losses = task.compare(same, targets, Ranks())
    return float(losses[f"stat/alignment_accuracy/{'-'.join(VIEWS)}"])


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
    """Largest difference of the mean gradient of two ranks to the full batch's, relative.

    Where the protocol's negatives are each rank's own, of ``world``, which are gathered.
    """
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(8, 3, 5, generator=generator, dtype=torch.float64) for _ in "ab")
    valid_a, valid_b = (torch.rand(8, 3, generator=generator) < 0.8 for _ in "ab")
    how: dict[str, Any] = {
        "negatives": align.negatives if align.negatives == "same_block" else "world",
        "normalize": align.normalize,
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
