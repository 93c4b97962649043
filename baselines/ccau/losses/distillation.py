"""Knowledge distillation: (1 - w) CE + w T^2 KL(teacher / T || student / T)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.ccau.losses.ranks import ALONE, Ranks
from baselines.ccau.precision import exact
from homage_sdk.errors import UsageError


def activity_divergence(
    student: Tensor,
    teachers: Sequence[Tensor],
    rows: Sequence[Tensor],
    temperature: float,
    *,
    ranks: Ranks = ALONE,
) -> Tensor:
    """KL of softmax(teacher / T) from softmax(student / T), in nats.

    ``student`` logits [R, A]; ``teachers`` one [R, A] each, used without gradient; ``rows`` one
    bool [R] a teacher, True where both are present. Mean over the teachers present in a row, then
    over the rows with a teacher (of all ``ranks``); 0 without any.
    """
    with torch.autocast(student.device.type, enabled=False):
        log_q = torch.log_softmax(exact(student) / _positive(temperature), dim=1)
        divergences = []
        for teacher in teachers:
            log_p = torch.log_softmax(exact(teacher).detach() / temperature, dim=1)
            divergences.append(F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1))
        return _mean(divergences, rows, ranks)


def atomic_divergence(
    student: Tensor,
    teachers: Sequence[Tensor],
    rows: Sequence[Tensor],
    temperature: float,
    *,
    ranks: Ranks = ALONE,
) -> Tensor:
    """The same for independent classes: KL of sigmoid(teacher / T), mean over classes.

    student [R, C], teachers [R, C] each; the other arguments as in :func:`activity_divergence`.
    """
    with torch.autocast(student.device.type, enabled=False):
        s = exact(student) / _positive(temperature)
        divergences = []
        for teacher in teachers:
            t = exact(teacher).detach() / temperature
            p = torch.sigmoid(t)
            on = F.logsigmoid(t) - F.logsigmoid(s)
            off = F.logsigmoid(-t) - F.logsigmoid(-s)
            divergences.append((p * on + (1 - p) * off).mean(dim=1))
        return _mean(divergences, rows, ranks)


def distilled(hard: Tensor, divergence: Tensor, weight: float, temperature: float) -> Tensor:
    """(1 - w) hard + w T^2 divergence; T^2 keeps the gradients' size as T grows (Hinton 2015)."""
    return (1 - weight) * hard + weight * temperature**2 * divergence


def _positive(temperature: float) -> float:
    if not temperature > 0:
        raise UsageError("the temperature must be positive", found=f"T = {temperature}")
    return temperature


def _mean(divergences: Sequence[Tensor], rows: Sequence[Tensor], ranks: Ranks) -> Tensor:
    if not divergences or len(divergences) != len(rows):
        raise UsageError(
            "distillation needs a teacher, and a mask for each",
            found=f"{len(divergences)} teachers, {len(rows)} masks",
        )
    masks = torch.stack(list(rows))
    values = torch.where(masks, torch.stack(list(divergences)), 0.0)
    teachers = masks.sum(dim=0)
    each = values.sum(dim=0) / teachers.clamp(min=1)
    return ranks.mean(each.sum(), (teachers > 0).sum())
