"""What each of several gloo processes does in test_ranks.py."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import torch
import torch.distributed as dist

from baselines.ccau.config.config import Config
from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.config.training_config import OptimConfig
from baselines.ccau.distributed import World, average_gradients
from baselines.ccau.losses.alignment import alignment
from baselines.ccau.losses.ranks import Ranks
from baselines.ccau.tasks import Cooperative, CooperativeKD
from baselines.ccau.training.learner import Learner
from baselines.ccau.training.whole_batch import MicroBatch, backward
from tests.unit.ccau.models.batches import batch, nets, rows_of

DTYPE = torch.float64
VARIANTS = {
    "blocks": AlignmentConfig(negatives="world", tau=0.5),
    "clips": AlignmentConfig(
        granularity="clip", negatives="world", normalize=True, tau=0.2, projection="pair"
    ),
    "video": AlignmentConfig(negatives="video", tau=0.5),
    "same block": AlignmentConfig(negatives="same_block", tau=0.5),
    "centred": AlignmentConfig(negatives="same_block", normalize=True, tau=0.5, centre=True),
}


def whole_batch():
    """Six clips; ego is missing for two, audio for the last three (a whole rank of three)."""
    return batch(6, seed=5, absent={"ego": (1, 4), "audio": (3, 4, 5)}, dtype=DTYPE)


def make_task(name):
    if name == "kd":
        task = CooperativeKD(nets())
    else:
        task = Cooperative(nets(), align=VARIANTS[name], seed=3)
    return task.to(DTYPE).eval()  # the running statistics: plain BatchNorm is per rank by design


def split(n, size):
    """Unequal shares of n rows: the first rank holds one more than its part."""
    cuts = [0] + [min(n, n * (r + 1) // size + 1) for r in range(size - 1)] + [n]
    return [list(range(a, b)) for a, b in pairwise(cuts)]


def work(rank: int, size: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store{size}", size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    found: dict[str, dict[str, torch.Tensor]] = {}
    inputs, targets = rows_of(*whole_batch(), split(6, size)[rank])
    for name in (*VARIANTS, "kd"):
        task = make_task(name)
        model = torch.nn.parallel.DistributedDataParallel(task, find_unused_parameters=True)
        losses = model(inputs, targets, step=0)
        losses["total"].backward()
        total = losses["total"].detach().clone()
        dist.all_reduce(total)
        found[name] = {k: p.grad for k, p in task.named_parameters() if p.grad is not None}
        found[name]["total"] = total / size
        # The same by micro-batches of one clip each, all ranks and micro-batches as one batch.
        task, rows = make_task(name), range(len(targets.activity))
        cut = [MicroBatch(*rows_of(inputs, targets, [row]), 0) for row in rows]
        backward(task, cut, nullcontext, lambda _: None)
        average_gradients(World(rank, size), task)
        found[f"{name} whole"] = {
            k: p.grad for k, p in task.named_parameters() if p.grad is not None
        }
    # A step of a run, after one in which each rank's statistics went their own way.
    task = make_task("blocks")
    for buffer in task.buffers():
        buffer.fill_(1 + rank)
    learner = Learner(task, Config(optim=OptimConfig(whole_batch=True)), World(rank, size))
    learner.learn([(cut[0], None)] * 2, 2, place="")
    found["buffers"] = dict(task.named_buffers())
    g = torch.Generator().manual_seed(rank)
    x = torch.randn(2, 3, 4, generator=g, dtype=DTYPE, requires_grad=True)
    valid = torch.ones(2, 3, dtype=torch.bool)
    loss = alignment(x, x.detach() * 2, valid, valid, negatives="world", ranks=Ranks.current())
    found["own"] = {"x": torch.autograd.grad(loss.loss, x)[0], "negatives": loss.negatives}
    # Alone, without a word to the other ranks: only rank 0 calls, and must not hang.
    if rank == 0:
        task = make_task("blocks")
        found["alone"] = {"total": task.losses(inputs, targets, step=0, collective=False)["total"]}
    torch.save(found, Path(folder) / f"{size}-{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
