"""Faults that cooperation could have: tasks with one fault in what they align.

Those of ``LOSING`` must lose accuracy; the others are caught by a check of ``checks.py``, which
trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from baselines.ccau.config.objective_config import Negatives
from baselines.ccau.tasks import Cooperative

Sides = tuple[Tensor, Tensor, Tensor, Tensor, Negatives]


def faulty(name: str, fault: Callable[..., Sides]) -> type[Cooperative]:
    """A Cooperative with a fault in its sides: a, b, valid_a, valid_b, negatives."""

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

LOSING = ("partner shuffled", "clock")
"""Those of them that their loss of accuracy must give away."""
