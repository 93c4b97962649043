"""How fast this machine loads and steps."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import torch

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.data.partition import Parts
from baselines.ccau.distributed import World
from baselines.ccau.precision import autocast
from baselines.ccau.tasks import Task
from baselines.ccau.training.optimizer import as_floats, make_optimizer
from homage_sdk.loader.batch import Batch
from homage_sdk.shards import ShardSet

TIMED_STEPS = 4
LOADING_S = 3.0


def typical_step_s(step: Callable[[int], float], budget_s: float) -> float:
    """The median of a few steps, without the first one where there are more."""
    step_s: list[float] = []
    begin_s = time.perf_counter()
    while len(step_s) < TIMED_STEPS and time.perf_counter() - begin_s < budget_s:
        step_begin_s = time.perf_counter()
        step(len(step_s))
        step_s.append(time.perf_counter() - step_begin_s)
    return statistics.median(step_s[1:] or step_s)


def first_batch(config: Config, shards: ShardSet, parts: Parts, world: World, task: Task) -> Batch:
    """The first batch of training as a network takes it: on the device, pictures in RGB."""
    loader = open_loader(shards, config, task.modalities, parts.train, world, training=True)
    return next(iter(loader)).to(world.device).rgb()


def stepper(config: Config, task: Task, batch: Batch, world: World) -> Callable[[int], float]:
    """One optimiser step on ``batch`` each time it is called; gives the total loss before it."""
    inputs, targets = prepare(batch, config, task.modalities, epoch=0, training=False)
    optimizer = make_optimizer(task, config)

    def step(number: int) -> float:
        optimizer.zero_grad(set_to_none=True)
        with autocast(config.optim.precision, world.device):
            losses = task(inputs, targets, step=number)
        losses["total"].backward()
        clip = config.optim.clip_norm or math.inf
        for group in optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], clip)
        optimizer.step()
        return as_floats(losses)["total"]

    return step


def loading_rate(
    config: Config, shards: ShardSet, parts: Parts, world: World, *, budget_s: float = LOADING_S
) -> float:
    """Clips a second that one process loads, on one core: as long as ``budget_s``, or an epoch.

    Pictures are what the device of ``world`` takes of a loader: I420 on a card, else RGB.
    """
    alone = config.replace(["data.workers=0"])
    modalities = alone.task.modalities
    loader = open_loader(shards, alone, modalities, parts.train, world, training=True)
    counts, taken_s = [], []
    begin_s = last_s = time.perf_counter()
    for batch in loader:
        counts.append(len(batch))
        now_s = time.perf_counter()
        taken_s.append(now_s - last_s)
        last_s = now_s
        if now_s - begin_s > budget_s and len(counts) > 1:
            break
    later = slice(1 if len(counts) > 1 else 0, None)  # the first one opens files, parses labels
    return sum(counts[later]) / sum(taken_s[later])
