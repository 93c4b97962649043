"""The losses and gradients of one step over its micro-batches, on one process or many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from baselines.ccau.config.config import Config
from baselines.ccau.distributed import World, average_gradients, share_buffers, stop_together
from baselines.ccau.precision import autocast
from baselines.ccau.tasks import Task
from baselines.ccau.training.not_finite import name_fault
from baselines.ccau.training.optimizer import as_floats, require_compiler
from baselines.ccau.training.whole_batch import MicroBatch, backward
from homage_sdk.evaluation.metrics import known_mean
from homage_sdk.loader.batch import Batch

Read = tuple[MicroBatch, Batch]
"""A micro-batch as the task takes it, and as it was read."""


class Learner:
    """A task with what surrounds its forward and backward pass: compiler, precision, ranks."""

    def __init__(self, task: Task, config: Config, world: World) -> None:
        self.task, self.config, self.world = task, config, world
        self.module: nn.Module = task
        if config.optim.compile:
            require_compiler(world.device)
            for net in task.nets.values():
                # Clips without a modality change the shapes; symbolic ones fail in the compiler.
                net.compile(dynamic=False)
        if world.size > 1:
            self.module = DistributedDataParallel(
                task, find_unused_parameters=True, gradient_as_bucket_view=True
            )

    def learn(self, read: Iterable[Read], count: int, *, place: str) -> dict[str, float]:
        """Add the gradients of ``count`` micro-batches; returns the means of their losses.

        A figure that a micro-batch has not got (NaN) is left out of its mean.

        Raises TrainingError, naming ``place``, on every rank where a loss of any is not finite.
        """
        if self.config.optim.whole_batch and count > 1:
            return self._as_one(list(read), place)
        found: dict[str, list[float]] = {}
        for position, each in enumerate(read):
            is_last = position == count - 1
            for name, value in self._alone(each, count, place, is_last=is_last).items():
                found.setdefault(name, []).append(value)
        return {name: known_mean(values) for name, values in found.items()}

    def _alone(self, each: Read, count: int, place: str, *, is_last: bool) -> dict[str, float]:
        inputs, targets, number = each[0]
        quiet = (
            self.module.no_sync()
            if isinstance(self.module, DistributedDataParallel) and not is_last
            else nullcontext()
        )
        with quiet:
            with autocast(self.config.optim.precision, self.world.device):
                losses = self.module(inputs, targets, step=number)
            values = self._require_finite(losses, [each], place)
            (losses["total"] / count).backward()
        return values

    def _as_one(self, read: Sequence[Read], place: str) -> dict[str, float]:
        share_buffers(self.world, self.task)  # as DistributedDataParallel does before each step
        precision = partial(autocast, self.config.optim.precision, self.world.device)
        check = partial(self._require_finite, read=read, place=place)
        losses = backward(self.task, [micro_batch for micro_batch, _ in read], precision, check)
        average_gradients(self.world, self.task)
        return as_floats(losses)

    def _require_finite(
        self, losses: Mapping[str, Tensor], read: Sequence[Read], place: str
    ) -> dict[str, float]:
        """The losses as numbers; ahead of the backward pass, in which ranks wait for each other."""
        fault, values = None, as_floats(losses)
        if not math.isfinite(values["total"]):
            place = f"rank {self.world.rank} at {place}"
            inputs = [(micro_batch.inputs, batch) for micro_batch, batch in read]
            fault = name_fault(self.task, values, inputs, place=place)
        stop_together(self.world, fault)
        return values
