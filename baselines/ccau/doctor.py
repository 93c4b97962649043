"""Checks before a long run: the environment, the gather, one batch learnt by heart, throughput."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from baselines.ccau.config import Config
from baselines.ccau.data import open_loader, prepare
from baselines.ccau.distributed import World
from baselines.ccau.losses.alignment import alignment
from baselines.ccau.losses.world import World as LossWorld
from baselines.ccau.optimise import as_floats, autocast, make_optimizer, memory_mb
from baselines.ccau.parts import selection_parts
from baselines.ccau.setup import build_task
from homage_sdk.shards import ShardSet

GATHER_TOLERANCE = 1e-6
OVERFIT_STEPS = 60
OVERFIT_SHARE = 0.5


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    is_ok: bool
    detail: str


def examine(config: Config, shards_folder: Path) -> Iterator[Check]:
    """All checks, cheapest first; each is yielded as soon as it is known."""
    device = "cuda" if torch.cuda.is_available() and config.run.device != "cpu" else "cpu"
    yield environment(device)
    yield gather_check()
    shards = ShardSet.open(shards_folder)
    yield from learning(config, shards, World(device=torch.device(device)))


def environment(device: str) -> Check:
    """What this machine is."""
    where = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    return Check("environment", True, f"torch {torch.__version__}, {device}, {where}")


def gather_check(ranks: int = 2) -> Check:
    """Gradients of the alignment across gloo ranks equal those of the full batch."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = mp.get_context("spawn")
    queue = context.SimpleQueue()
    processes = [
        context.Process(target=_gather_rank, args=(rank, ranks, port, queue))
        for rank in range(ranks)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    dead = [i for i, process in enumerate(processes) if process.exitcode != 0]
    for process in processes:
        if process.is_alive():
            process.kill()
    if dead:
        return Check("gather", False, f"rank {dead[0]} of {ranks} did not answer")
    worst = max(queue.get() for _ in range(ranks))
    detail = f"{ranks} gloo ranks, largest gradient difference to the full batch {worst:.1e}"
    return Check("gather", worst <= GATHER_TOLERANCE, detail)


def _contexts() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(4, 2, 6, generator=generator) for _ in range(2))
    return a.requires_grad_(), b.requires_grad_()


def _gather_rank(rank: int, ranks: int, port: int, queue: mp.SimpleQueue) -> None:  # type: ignore[type-arg]
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=ranks
    )
    a, b = _contexts()
    valid = torch.ones(4, 2, dtype=torch.bool)
    alignment(a, b, valid, valid, negatives="batch").loss.backward()  # type: ignore[no-untyped-call]
    share = slice(rank * 4 // ranks, (rank + 1) * 4 // ranks)
    x, y = (t.detach()[share].clone().requires_grad_() for t in (a, b))
    world = LossWorld(rank, ranks)
    mask = valid[share]
    found = alignment(x, y, mask, mask, negatives="world", world=world)
    found.loss.backward()  # type: ignore[no-untyped-call]
    gaps = [
        float((own.grad / ranks - whole.grad[share]).abs().max())
        for own, whole in ((x, a), (y, b))
        if own.grad is not None and whole.grad is not None
    ]
    queue.put(max(gaps))
    dist.destroy_process_group()


def learning(config: Config, shards: ShardSet, world: World) -> Iterator[Check]:
    """One batch is learnt by heart, and how fast steps and loading are."""
    task = build_task(config, shards, world.device)
    parts = selection_parts(config, shards)
    loader = open_loader(
        shards,
        config,
        modalities=task.modalities,
        world=world,
        training=True,
        sequences=parts.train,
    )
    begin_s = time.perf_counter()
    batches = iter(loader)
    batch = next(batches)
    load_s = time.perf_counter() - begin_s
    on_device = batch.to(world.device)
    inputs, targets = prepare(on_device, config, task.modalities, epoch=0, training=False)
    optimizer = make_optimizer(task, config)
    first = last = float("nan")
    step_s = []
    for step in range(OVERFIT_STEPS):
        begin_s = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with autocast(config, world.device):
            losses = task(inputs, targets, step=step)
        losses["total"].backward()
        optimizer.step()
        last = as_floats(losses)["total"]
        step_s.append(time.perf_counter() - begin_s)
        if step == 0:
            first = last
    fell = last < OVERFIT_SHARE * first
    yield Check(
        "one batch by heart", fell, f"total loss {first:.2f} to {last:.2f} in {OVERFIT_STEPS} steps"
    )
    median_s = sorted(step_s)[len(step_s) // 2]
    yield Check(
        "throughput",
        True,
        f"{len(batch) / median_s:.1f} clips/s a step, loading a batch {load_s:.2f} s with "
        f"{config.data.workers} workers, step {median_s:.2f} s, {memory_mb(world.device):.0f} MB",
    )
