"""One arm in one world with one seed: trained through the task, losses and optimiser of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.ccau.config.config import Config
from baselines.ccau.config.objective_config import AlignmentConfig, CompositionConfig
from baselines.ccau.config.training_config import OptimConfig
from baselines.ccau.instrument.linear_nets import VIEWS, linear_model, linear_nets
from baselines.ccau.instrument.mutants import MUTANTS
from baselines.ccau.instrument.protocol import Protocol
from baselines.ccau.instrument.worlds import Rows, WorldName, make_world, partners
from baselines.ccau.random_streams import numpy_stream
from baselines.ccau.tasks import ClipLabels, Cooperative, Single, Task
from baselines.ccau.training.optimizer import as_floats, clip_gradients, make_optimizer

LAST_STEPS = 20
"""Of training, over which alignment accuracy, chance and placebo are averaged."""


@dataclass(frozen=True)
class Trial:
    """What one file of results is about."""

    world: WorldName
    arm: str
    seed: int


def run_job(job: Trial, protocol: Protocol) -> dict[str, Any]:
    """Train one arm and judge each view alone; plain values as JSON holds them.

    ``accuracy`` is in points (0 to 100), by view; ``alignment`` has accuracy, chance and placebo at
    the end of training, ``blocks`` the share of test blocks whose best match among the blocks of
    their clip is their own, and that is the one before (absent without alignment).
    """
    begin_s = time.process_time()
    world = make_world(job.world, protocol.world, job.seed)
    task = make_task(job.arm, protocol, job.seed)
    last = train(task, world.train, protocol, job)
    return {
        "world": job.world,
        "arm": job.arm,
        "seed": job.seed,
        "protocol": protocol.fingerprint,
        "accuracy": judge(task, world.test),
        **last,
        **({} if job.arm in ("single", "longer") else {"blocks": block_matches(task, world.test)}),
        "cpu_s": round(time.process_time() - begin_s, 2),
    }


def make_task(arm: str, protocol: Protocol, seed: int) -> Task:
    """The task of an arm: ``single``, ``longer``, ``coop``, ``placebo``, or a mutant's name."""
    training, world = protocol.training, protocol.world
    model = linear_model(
        dim=training.dim, blocks=world.blocks,
        gru_dropout=training.gru_dropout, head_dropout=training.head_dropout,
    )  # fmt: skip
    nets = linear_nets(model, world.inputs, world.activities, seed)
    composition = CompositionConfig(targets="activity")
    if arm in ("single", "longer"):
        return Single(nets, composition)
    kind: Callable[..., Cooperative] = MUTANTS.get(arm, Cooperative)
    align: AlignmentConfig = protocol.align
    if arm == "clock":
        align = replace(align, negatives="video")
    return kind(nets, composition, align, seed=seed)


def train(task: Task, rows: Rows, protocol: Protocol, job: Trial) -> dict[str, Any]:
    """Epochs of full batches in an order of (seed, epoch); what the last steps measured."""
    training = protocol.training
    optim = OptimConfig(lr=training.lr, weight_decay=training.weight_decay)
    optimizer = make_optimizer(task, Config(optim=optim))
    n_epochs = round(training.epochs * (training.longer if job.arm == "longer" else 1))
    task.train()
    measured, step = [], 0
    for epoch in range(n_epochs):
        shown = rows
        if job.arm == "placebo":  # a partner of the same class, another one in each epoch
            shown = rows.with_partners(partners(rows.activity, job.seed, "placebo", epoch))
        for chosen in batches(len(rows), training.batch, job.seed, epoch):
            inputs, targets = batch_of(shown, chosen)
            losses = task.losses(inputs, targets, step=step)
            optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()  # type: ignore[no-untyped-call]
            clip_gradients(optimizer, 0.0, step + 1)
            optimizer.step()
            step += 1
            measured.append(losses)
            del measured[:-LAST_STEPS]
    last = [as_floats(losses) for losses in measured]
    means = {name: float(np.mean([each[name] for each in last])) for name in last[0]}
    figures = ("accuracy", "chance", "placebo")
    pair = "-".join(VIEWS)
    aligned = {
        f: means[f"stat/alignment_{f}/{pair}"] for f in figures if f"alignment/{pair}" in means
    }
    return {
        "steps": step,
        "losses": {k: v for k, v in means.items() if not k.startswith("stat/")},
        **({"alignment": aligned} if aligned else {}),
    }


def batches(n_rows: int, size: int, seed: int, epoch: int) -> Iterator[Tensor]:
    """Rows of each full batch of an epoch; the rest of an epoch is left out."""
    order = torch.from_numpy(numpy_stream(seed, "order", epoch).permutation(n_rows))
    for first in range(0, n_rows // size * size, size):
        yield order[first : first + size]


def batch_of(rows: Rows, chosen: Tensor) -> tuple[dict[str, Tensor], ClipLabels]:
    """What a task takes of the chosen rows; there are no atomic labels."""
    n_blocks = rows.views[VIEWS[0]].shape[1]
    targets = ClipLabels(
        activity=rows.activity[chosen],
        atomic_clip=torch.zeros(len(chosen), 1),
        atomic_block=torch.zeros(len(chosen), n_blocks, 1),
        block_valid=torch.ones(len(chosen), n_blocks, dtype=torch.bool),
        atomic_known=torch.zeros(len(chosen), dtype=torch.bool),
        present={view: has[chosen] for view, has in rows.present.items()},
    )
    return {view: x[chosen] for view, x in rows.views.items()}, targets


@torch.no_grad()
def judge(task: Task, rows: Rows) -> dict[str, float]:
    """Each view alone: points of top-1 accuracy over all rows."""
    task.eval()
    found = {}
    for view in VIEWS:
        logits = task.net(view)(rows.views[view]).activity
        found[view] = 100 * (logits.argmax(dim=1) == rows.activity).double().mean().item()
    return found


@torch.no_grad()
def block_matches(task: Task, rows: Rows) -> dict[str, float]:
    """How often ego's block is nearest, by cosine, to third's own block, and to the one before."""
    task.eval()
    a, b = (task.net(view)(rows.views[view]).blocks for view in VIEWS)
    a, b = (torch.nn.functional.normalize(x, dim=-1) for x in (a, b))
    best = (a @ b.transpose(1, 2)).argmax(dim=2)
    own = torch.arange(best.shape[1])
    return {
        "own": (best == own).double().mean().item(),
        "before": (best == own.roll(1)).double().mean().item(),
    }
