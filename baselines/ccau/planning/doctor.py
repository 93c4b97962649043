"""Checks before a long run: environment, shards, gather, one batch, throughput, feeding."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from baselines.ccau.config.config import Config
from baselines.ccau.data.partition import TEST_SPLITS, Parts, having, selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.losses.alignment import alignment
from baselines.ccau.losses.ranks import Ranks
from baselines.ccau.models.batch_norms import refuse_synchronised
from baselines.ccau.planning.feeding import FEW_CLIPS, advice
from baselines.ccau.planning.measure import first_batch, stepper, typical_step_s
from baselines.ccau.runs.build_task import build_task
from baselines.ccau.training.optimizer import memory_mb
from homage_sdk.processes import end
from homage_sdk.shards import ShardSet

N_CHECKS = 6
PASSED, FAILED, UNDECIDED = "passed", "FAILED", "undecided"
GATHER_TOLERANCE = 1e-6
GATHER_S = 40.0
"""Ranks that have not answered by then are lost."""
LEARN_STEPS = 60
LEARN_SHARE = 0.5
LEARN_S = 20.0
STEPS_S = 8.0


@dataclass(frozen=True)
class Check:
    """One finding: ``outcome`` is ``passed``, ``FAILED`` or ``undecided``."""

    name: str
    outcome: str
    detail: str


def examine(config: Config, shards_folder: Path) -> Iterator[Check]:
    """All checks, cheapest first; each is yielded as soon as it is known.

    About a minute on a CPU, whatever the size of the networks: what is slow is cut short and called
    undecided. Raises ConfigError and ShardError when there is nothing to check with.
    """
    device = "cuda" if torch.cuda.is_available() and config.run.device != "cpu" else "cpu"
    world = World(device=torch.device(device))
    if config.optim.sync_batchnorm:
        refuse_synchronised(world.device)
    yield environment(device)
    shards = ShardSet.open(shards_folder)
    parts = selection_parts(config, shards)
    yield data(config, shards, parts)
    yield gather_check()
    learnt, clip_s = learning(config, shards, parts, world)
    yield learnt
    yield throughput(config, shards, parts, world, clip_s=clip_s)
    yield Check("feeding", PASSED, advice(config, shards, parts, world))


def environment(device: str) -> Check:
    """What this machine is."""
    where = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    return Check("environment", PASSED, f"torch {torch.__version__}, {device}, {where}")


def data(config: Config, shards: ShardSet, parts: Parts) -> Check:
    """Who trains, who selects, who judges; every modality is held by someone."""
    held = {m: len(having(shards, parts.train, m)) for m in config.task.modalities}
    n_test = len({s.sequence for s in shards.samples if s.split in TEST_SPLITS})
    modalities = ", ".join(f"{m} {count:,}" for m, count in held.items())
    return Check(
        "shards",
        PASSED if all(held.values()) else FAILED,
        f"sequences: {len(parts.train):,} train ({modalities}), "
        f"{len(parts.validation):,} validation, {n_test:,} test",
    )


def gather_check(ranks: int = 2) -> Check:
    """Gradients of the alignment across gloo ranks equal those of the full batch."""
    with tempfile.TemporaryDirectory() as folder:
        new_process = mp.get_context("spawn").Process
        ids = range(ranks)
        processes = [new_process(target=_gather_rank, args=(i, ranks, folder)) for i in ids]
        try:
            for process in processes:
                process.start()
            deadline_s = time.monotonic() + GATHER_S
            for process in processes:
                process.join(timeout=max(deadline_s - time.monotonic(), 0))
            dead = [i for i, process in enumerate(processes) if process.exitcode != 0]
        finally:
            end(processes)
        if dead:
            return Check("gather", FAILED, f"rank {dead[0]} of {ranks} did not answer")
        worst = max(float(path.read_text()) for path in Path(folder).glob("gap-*"))
    detail = f"{ranks} gloo ranks, largest gradient difference to the full batch {worst:.1e}"
    return Check("gather", PASSED if worst <= GATHER_TOLERANCE else FAILED, detail)


def _contexts() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(4, 2, 6, generator=generator) for _ in range(2))
    return a.requires_grad_(), b.requires_grad_()


def _gather_rank(rank: int, ranks: int, folder: str) -> None:
    """Write the largest difference that this rank sees into a file of ``folder``."""
    torch.set_num_threads(1)
    where = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=ranks)
    a, b = _contexts()
    valid = torch.ones(4, 2, dtype=torch.bool)
    alignment(a, b, valid, valid, negatives="batch").loss.backward()  # type: ignore[no-untyped-call]
    share = slice(rank * 4 // ranks, (rank + 1) * 4 // ranks)
    x, y = (t.detach()[share].clone().requires_grad_() for t in (a, b))
    mask = valid[share]
    found = alignment(x, y, mask, mask, negatives="world", ranks=Ranks(rank, ranks))
    found.loss.backward()  # type: ignore[no-untyped-call]
    gaps = [
        float((own.grad / ranks - whole.grad[share]).abs().max())
        for own, whole in ((x, a), (y, b))
        if own.grad is not None and whole.grad is not None
    ]
    (Path(folder) / f"gap-{rank}").write_text(str(max(gaps)))
    dist.destroy_process_group()


def learning(
    config: Config, shards: ShardSet, parts: Parts, world: World, *, budget_s: float = LEARN_S
) -> tuple[Check, float]:
    """A few clips are overfitted: the loss halves, or time is up before it is known.

    Also returns the seconds that a step takes for each clip in it.
    """
    few = config.replace([f"data.batch_size={min(config.data.batch_size, FEW_CLIPS)}"])
    task = build_task(few, shards, world.device)
    batch = first_batch(few, shards, parts, world, task)
    step = stepper(few, task, batch, world)
    losses: list[float] = []
    begin_s = time.perf_counter()
    is_learnt = False
    while len(losses) < LEARN_STEPS and not is_learnt:
        losses.append(step(len(losses)))
        is_learnt = losses[-1] < LEARN_SHARE * losses[0]
        if not math.isfinite(losses[-1]) or time.perf_counter() - begin_s > budget_s:
            break
    clip_s = (time.perf_counter() - begin_s) / len(losses) / len(batch)
    detail = (
        f"total loss of {len(batch)} clips {losses[0]:.2f} to {losses[-1]:.2f} "
        f"in {len(losses)} steps"
    )
    outcome = PASSED
    if not is_learnt and (len(losses) == LEARN_STEPS or not math.isfinite(losses[-1])):
        outcome, detail = FAILED, f"{detail}, not below {LEARN_SHARE:.0%}"
    elif not is_learnt:
        outcome, detail = UNDECIDED, f"{detail}, then {budget_s:.0f} s were over"
    return Check("overfits one batch", outcome, detail), clip_s


def throughput(
    config: Config,
    shards: ShardSet,
    parts: Parts,
    world: World,
    *,
    clip_s: float = 0.0,
    budget_s: float = STEPS_S,
) -> Check:
    """How fast loading and steps are, at the batch size of the run to come.

    Where ``clip_s`` seconds a clip make such a step longer than the budget, they stand for it.
    """
    task = build_task(config, shards, world.device)
    begin_s = time.perf_counter()
    batch = first_batch(config, shards, parts, world, task)
    load_s = time.perf_counter() - begin_s
    typical_s, how = clip_s * len(batch), f"estimated from {FEW_CLIPS}"
    if typical_s <= budget_s:
        typical_s = typical_step_s(stepper(config, task, batch, world), budget_s)
        how = "measured"
    return Check(
        "throughput",
        PASSED,
        f"{len(batch) / typical_s:.1f} clips/s, a step of {len(batch)} clips {typical_s:.2f} s "
        f"({how}), loading them {load_s:.2f} s with {config.data.workers} workers, "
        f"{memory_mb(world.device):,.0f} MB",
    )
