"""How many loading processes and torch threads suit a machine: from measured rates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from baselines.ccau.config.config import Config
from baselines.ccau.data.partition import Parts
from baselines.ccau.distributed import World
from baselines.ccau.planning.measure import first_batch, loading_rate, stepper, typical_step_s
from baselines.ccau.runs.build_task import build_task
from homage_sdk.shards import ShardSet

STEPS_S = 4.0
"""For the steps with each number of threads."""
FEW_CLIPS = 4
_ENOUGH = 0.97
"""Fewer processes are better where they reach this share of the best rate."""


@dataclass(frozen=True)
class Split:
    """Cores divided between loading and training, and the clips a second that should come of it."""

    workers: int
    threads: int
    clips_per_s: float


def best_split(cores: int, loading: float, steps: Mapping[int, float]) -> Split:
    """The division of ``cores`` that feeds most clips, with the fewest loading processes.

    Args:
        cores: how many there are for loading and for torch's threads.
        loading: clips a second of one loading process.
        steps: clips a second of training by number of torch threads: one for a card, else the
            fewest and the most that were measured; between them it is taken to be linear.

    >>> best_split(16, loading=50.0, steps={1: 190.0})
    Split(workers=4, threads=1, clips_per_s=190.0)
    >>> best_split(2, loading=100.0, steps={1: 3.0, 2: 5.0})
    Split(workers=0, threads=2, clips_per_s=4.761904761904762)
    >>> best_split(2, loading=100.0, steps={1: 5.0, 2: 3.0})
    Split(workers=1, threads=1, clips_per_s=5.0)

    """
    fewest, most = min(steps), max(steps)

    def rate(threads: int) -> float:
        share = (threads - fewest) / max(most - fewest, 1)
        return steps[fewest] + min(max(share, 0.0), 1.0) * (steps[most] - steps[fewest])

    options = []
    for workers in range(max(cores, 1)):
        for threads in {fewest, min(most, max(cores - workers, 1))}:
            fed = min(workers * loading, rate(threads))
            if workers == 0:
                fed = 1 / (1 / loading + 1 / rate(threads))
            options.append(Split(workers, threads, fed))
    highest = max(split.clips_per_s for split in options)
    good = [split for split in options if split.clips_per_s >= _ENOUGH * highest]
    return min(good, key=lambda split: (split.workers, -split.clips_per_s))


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_amx(facts: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether the processor multiplies matrices in bfloat16 (AMX); None where it cannot be seen."""
    try:
        return "amx_bf16" in facts.read_text()
    except OSError:
        return None


def advice(config: Config, shards: ShardSet, parts: Parts, world: World) -> str:
    """One line: what was measured, and the settings that suit it."""
    cores, on_card = usable_cores(), world.device.type == "cuda"
    loading = loading_rate(config, shards, parts, world)
    steps = step_rates(config, shards, parts, world, {1} if on_card else {1, cores})
    split = best_split(cores, loading, steps)
    rates = ", ".join(f"{n} threads {rate:.1f}" for n, rate in sorted(steps.items()))
    said = [
        f"a loading process {loading:.1f} clips/s, steps {rates} clips/s on {cores} cores with "
        f"load {os.getloadavg()[0]:.1f}: data.workers = {split.workers}, OMP_NUM_THREADS="
        f"{split.threads} should give {split.clips_per_s:.1f} clips/s"
    ]
    if split.clips_per_s < _ENOUGH * max(steps.values()) and split.workers == cores - 1 > 0:
        said.append("loading is the limit: more cores would help")
    if config.optim.precision == "bf16" and not on_card and has_amx() is False:
        said.append("set optim.precision = fp32: without AMX bf16 is slower on this processor")
    return "; ".join(said)


def step_rates(
    config: Config, shards: ShardSet, parts: Parts, world: World, threads: set[int]
) -> dict[int, float]:
    """Clips a second of steps by number of torch threads; on a CPU with a few clips a step."""
    if world.device.type != "cuda":
        config = config.replace([f"data.batch_size={min(config.data.batch_size, FEW_CLIPS)}"])
    task = build_task(config, shards, world.device, with_teachers=False)
    batch = first_batch(config, shards, parts, world, task)
    step = stepper(config, task, batch, world)
    found = {}
    for n in sorted(threads):
        with _threads(n):
            found[n] = len(batch) / typical_step_s(step, STEPS_S)
    return found


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
