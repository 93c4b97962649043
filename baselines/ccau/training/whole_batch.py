"""Micro-batches that act as one large batch: shared negatives, shared means, little memory.

The networks answer twice. First without gradients: the answers of all micro-batches give the losses
of the whole batch, and their derivatives by each answer. Then, one micro-batch after the other, the
same answers again, through which these derivatives flow on ("GradCache", Gao et al., 2021). Dropout
masks are named by batch, so both answers are the same. BatchNorm takes the statistics of each
micro-batch, as in any accumulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from baselines.ccau.losses.ranks import Ranks
from baselines.ccau.models.build_nets import ModalityOutput
from baselines.ccau.tasks import ClipLabels, Inputs, Task

Outputs = Mapping[str, ModalityOutput]


class MicroBatch(NamedTuple):
    """What a task takes, and the number that names its dropout masks."""

    inputs: Inputs
    targets: ClipLabels
    number: int


def backward(
    task: Task,
    batches: Sequence[MicroBatch],
    precision: Callable[[], AbstractContextManager[object]],
    check: Callable[[Mapping[str, Tensor]], object],
) -> dict[str, Tensor]:
    """Add to each parameter the gradient of the losses over all ``batches``; returns the losses.

    ``precision`` is what the networks run under. ``check`` may refuse the losses by raising: then
    nothing is added, and the networks do not answer again.
    """
    ranks = Ranks.current()

    def answer(batch: MicroBatch) -> dict[str, ModalityOutput]:
        with precision():
            return task.outputs(batch.inputs, batch.targets, step=batch.number, rank=ranks.rank)

    with torch.no_grad(), _statistics_kept(task):
        first = [answer(batch) for batch in batches]
    for tensor in _learning(task, first):
        tensor.requires_grad_()
    whole = {m: _joined([outputs[m] for outputs in first]) for m in task.modalities}
    with precision():
        losses = task.compare(whole, _together([batch.targets for batch in batches]), ranks)
    check(losses)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    for batch, outputs in zip(batches, first, strict=True):
        pairs = zip(_learning(task, [answer(batch)]), _learning(task, [outputs]), strict=True)
        flows = [(a, b.grad) for a, b in pairs if a.requires_grad and b.grad is not None]
        if flows:
            torch.autograd.backward([a for a, _ in flows], [gradient for _, gradient in flows])
    return losses


def _learning(task: Task, outputs: Sequence[Outputs]) -> list[Tensor]:
    """The answers through which gradients flow, in order."""
    return [
        value
        for each in outputs
        for modality in task.trained
        for f in fields(each[modality])
        if isinstance(value := getattr(each[modality], f.name), Tensor)
        and value.is_floating_point()
    ]


def _joined(parts: Sequence[ModalityOutput]) -> ModalityOutput:
    """One modality's answers to several batches as one; attention only where all have some."""
    joined: dict[str, Any] = {}
    for f in fields(parts[0]):
        values = [getattr(part, f.name) for part in parts]
        if f.name != "per_block":
            joined[f.name] = None if any(v is None for v in values) else torch.cat(values)
    return replace(parts[0], **joined)


def _together(parts: Sequence[ClipLabels]) -> ClipLabels:
    names = ("activity", "atomic_clip", "atomic_block", "block_valid", "atomic_known")
    columns = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    modalities = parts[0].present
    return ClipLabels(
        **columns, present={m: torch.cat([p.present[m] for p in parts]) for m in modalities}
    )


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Batches go through without a trace in the running statistics."""
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in module.named_buffers():
            buffer.copy_(before[name])
