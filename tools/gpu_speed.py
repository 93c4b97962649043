"""How fast an accelerator trains, and what it waits for: the measurements of tools/check_gpu.py."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from gpu_numerics import N_ACTIVITIES, N_ATOMIC, moved, random_batch, synchronise, tf32
from torch.utils.flop_counter import FlopCounterMode

from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.config.objective_config import AlignmentConfig, CompositionConfig
from baselines.ccau.models.build_nets import build_nets
from baselines.ccau.tasks import Cooperative, Task

MODALITIES = ("ego", "third", "audio")


@dataclass(frozen=True)
class Step:
    """One way to train, and what it gave. ``mfu`` is against the measured matrix-product rate."""

    batch: int
    precision: str
    compiled: bool
    benchmark: bool
    clips_per_s: float
    mfu: float
    peak_gb: float
    graphs: int = 0
    """Graphs that were compiled; 0 where nothing was."""


def product_rate(device: torch.device, dtype: torch.dtype, size: int, *, allow_tf32: bool) -> float:
    """FLOP/s of a square matrix product on random data."""
    with tf32(allow_tf32):
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        for _ in range(3):
            a @ b
        synchronise(device)
        begin_s = time.perf_counter()
        for _ in range(10):
            a @ b
        synchronise(device)
    return 10 * 2 * size**3 / (time.perf_counter() - begin_s)


def ccau(config: ModelConfig, device: torch.device) -> Task:
    """The paper's task at this size, with initial weights."""
    nets = build_nets(config, MODALITIES, N_ACTIVITIES, N_ATOMIC, 0)
    align = AlignmentConfig(negatives="batch")
    return Cooperative(nets, CompositionConfig(), align).to(device).train()


def flop_a_clip(config: ModelConfig, frames: int, device: torch.device) -> float:
    """Floating-point operations of one training clip of all modalities, forward and backward."""
    task = ccau(config, device)
    inputs, targets = moved(*random_batch(config, MODALITIES, 2, frames), device, torch.float32)
    with FlopCounterMode(display=False) as counter:
        task(inputs, targets, step=0)["total"].backward()
    return counter.get_total_flops() / 2


def stepper(
    config: ModelConfig,
    frames: int,
    device: torch.device,
    *,
    batch: int,
    precision: str,
    compiled: bool,
) -> Callable[[int], None]:
    """One optimiser step on a batch that lies on the device already."""
    task = ccau(config, device)
    if compiled:
        for net in task.nets.values():
            net.compile(dynamic=False)
    inputs, targets = moved(*random_batch(config, MODALITIES, batch, frames), device, torch.float32)
    fused = device.type in ("cpu", "cuda")
    optimizer = torch.optim.Adam(task.parameters(), lr=1e-3, fused=fused or None)

    def step(number: int) -> None:
        optimizer.zero_grad(set_to_none=True)
        with (
            tf32(precision != "fp32"),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"),
        ):
            losses = task(inputs, targets, step=number)
        losses["total"].backward()
        optimizer.step()

    return step


def measure_step(
    config: ModelConfig,
    frames: int,
    device: torch.device,
    *,
    batch: int,
    precision: str,
    compiled: bool,
    benchmark: bool,
    flop: float,
    peak: float,
    steps: int = 6,
) -> Step | None:
    """Speed and memory of one way to train; None where the memory does not hold it."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = benchmark
    cuda = device.type == "cuda"
    graphs = 0
    try:
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        if compiled:
            torch._dynamo.reset()
            torch._dynamo.utils.counters.clear()
        step = stepper(config, frames, device, batch=batch, precision=precision, compiled=compiled)
        for number in range(3 if cuda else 1):
            step(number)
        synchronise(device)
        taken = []
        for number in range(steps):
            begin_s = time.perf_counter()
            step(3 + number)
            synchronise(device)
            taken.append(time.perf_counter() - begin_s)
        if compiled:
            graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    except torch.OutOfMemoryError:
        return None
    finally:
        torch.backends.cudnn.benchmark = before
    rate = batch / statistics.median(taken)
    used = torch.cuda.max_memory_allocated(device) / 1e9 if cuda else 0.0
    return Step(batch, precision, compiled, benchmark, rate, rate * flop / peak, used, graphs)


def largest_batch(config: ModelConfig, frames: int, device: torch.device, most: int) -> int:
    """The largest power of two of clips that a bf16 step holds, up to ``most``."""
    fits = 0
    batch = 64
    while batch <= most:
        found = measure_step(
            config, frames, device, batch=batch, precision="bf16", compiled=False,
            benchmark=False, flop=0.0, peak=1.0, steps=1,
        )  # fmt: skip
        if found is None:
            break
        fits, batch = batch, 2 * batch
    return fits


def copy_overlap(device: torch.device, megabytes: int = 256) -> tuple[float, float, float]:
    """Milliseconds of a pinned copy to the device alone, of products alone, and of both at once.

    Where the copy engine works beside the multiprocessors, both at once take as long as the longer.
    """
    host = torch.empty(megabytes << 20, dtype=torch.uint8).pin_memory()
    there = torch.empty_like(host, device=device)
    a = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    side = torch.cuda.Stream(device)

    def copy() -> None:
        with torch.cuda.stream(side):
            there.copy_(host, non_blocking=True)

    def work() -> None:
        for _ in range(8):
            a @ a

    def timed(*parts: Callable[[], None]) -> float:
        found = []
        for _ in range(4):
            torch.cuda.synchronize(device)
            begin_s = time.perf_counter()
            for part in parts:
                part()
            torch.cuda.synchronize(device)
            found.append(1e3 * (time.perf_counter() - begin_s))
        return min(found)

    return timed(copy), timed(work), timed(copy, work)
