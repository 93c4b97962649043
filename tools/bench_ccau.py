"""How close a CCAU training step comes to the bare cost of its convolutions and matrix products.

One step of cooperative training (forward, losses, backward, Adam) on ego, third and audio. The
floor is measured in the same process: every convolution and matrix product that the step makes,
forward and backward, is recorded with its shapes, strides and types and run again alone.

    python tools/bench_ccau.py                  # batch 4, 128 px, full width, float32
    python tools/bench_ccau.py --precision bf16
    python tools/bench_ccau.py --folding        # folded against plain 3D convolutions, one view

Step and floor are run in turn; the medians and their ratio are printed, with the peak resident
memory of the steps.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

from baselines.ccau.training.memory import settle_memory

MEMORY = settle_memory()

import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from baselines.ccau.models.network import ModelConfig, build_nets  # noqa: E402
from baselines.ccau.tasks import AlignmentConfig, Cooperative, Targets  # noqa: E402

A, C, N, K = 75, 448, 8, 5
COUNTED = ("convolution", "mm", "addmm", "bmm", "baddbmm")


class Recorder(TorchDispatchMode):
    """Keeps every convolution and matrix product that is run under it: operator and arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.removesuffix("_backward")
        if name in COUNTED:
            self.calls.append((func, tuple(_described(a) for a in args), kwargs or {}))
        return func(*args, **(kwargs or {}))


def _described(value: Any) -> Any:
    if isinstance(value, Tensor):
        return (tuple(value.shape), value.stride(), value.dtype)
    return value


def _built(value: Any) -> Any:
    is_tensor = isinstance(value, tuple) and len(value) == 3 and isinstance(value[2], torch.dtype)
    if not is_tensor:
        return value
    shape, stride, dtype = value
    return torch.empty_strided(shape, stride, dtype=dtype).normal_(std=0.1)


clock = time.perf_counter


def floor_s(calls: list[Any]) -> tuple[float, float]:
    """Seconds of all calls alone, one after another: convolutions, matrix products."""
    spent = [0.0, 0.0]
    for func, args, kwargs in calls:
        ready = [_built(a) for a in args]
        begin_s = clock()
        func(*ready, **kwargs)
        spent["convolution" not in func.overloadpacket.__name__] += clock() - begin_s
    return spent[0], spent[1]


def make_step(args: argparse.Namespace) -> Callable[[], None]:
    """A closure that trains one step on a fixed batch."""
    modalities = tuple(args.modalities.split(","))
    config = ModelConfig(width=args.width, size=args.size, folded=not args.plain)
    align = AlignmentConfig(weight=1.0 if len(modalities) > 1 else 0.0)
    task = Cooperative(build_nets(config, modalities, A, C, seed=0), align=align)
    optimizer = torch.optim.Adam(task.parameter_groups(), lr=1e-4, weight_decay=1e-5, fused=True)
    b = args.batch
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(b, N, K, args.size, args.size, 3, generator=generator)
    video = pixels.permute(0, 1, 5, 2, 3, 4)  # channels last in memory, as the loader's
    sound = torch.randn(b, 1, config.n_mels, config.audio_columns, generator=generator)
    inputs = {m: sound if m == "audio" else video for m in modalities}
    targets = Targets(
        activity=torch.arange(b) % A,
        atomic_clip=torch.rand(b, C, generator=generator).lt(0.02).float(),
        atomic_block=torch.rand(b, N, C, generator=generator).lt(0.02).float(),
        block_valid=torch.ones(b, N, dtype=torch.bool),
    )
    count = iter(range(1 << 30))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            losses = task.losses(inputs, targets, step=next(count))
        losses["total"].backward()
        optimizer.step()

    return step


def timed(step: Callable[[], None]) -> float:
    """Seconds of one call."""
    begin_s = clock()
    step()
    return clock() - begin_s


def peak_gb() -> float:
    """Peak resident memory of this process so far, in GB (1e9 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def bench_step(args: argparse.Namespace) -> None:
    """Print step, floor, ratio and peak memory."""
    step = make_step(args)
    for _ in range(args.warmup):  # the allocator settles: the first steps pay for fresh pages
        step()
    steps, floors = [], []
    recorder = Recorder()
    with recorder:
        step()
    peak = peak_gb()
    for _ in range(args.rounds):
        steps.append(timed(step))
        floors.append(floor_s(recorder.calls))
    step_s, floor = statistics.median(steps), statistics.median(sum(f) for f in floors)
    print(f"step   {step_s:.3f} s   (all: {', '.join(f'{s:.2f}' for s in steps)})")
    conv_s = statistics.median(f[0] for f in floors)
    print(f"floor  {floor:.3f} s   convolutions {conv_s:.3f}, products {floor - conv_s:.3f}")
    print(f"ratio  {step_s / floor:.3f}   clips/s {args.batch / step_s:.2f}")
    print(f"peak resident {peak:.2f} GB")


def bench_folding(args: argparse.Namespace) -> None:
    """Print one view's step with folded and with plain 3D convolutions, in turn."""
    args.modalities = "ego"
    both = {}
    for name, plain in (("folded", False), ("plain 3D", True)):
        args.plain = plain
        both[name] = make_step(args)
        for _ in range(args.warmup):
            both[name]()
    spent: dict[str, list[float]] = {name: [] for name in both}
    for _ in range(args.rounds):
        for name, step in both.items():
            spent[name].append(timed(step))
    medians = {name: statistics.median(s) for name, s in spent.items()}
    for name, seconds in medians.items():
        print(f"{name:9s} {seconds:.3f} s")
    print(f"plain / folded {medians['plain 3D'] / medians['folded']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--modalities", default="ego,third,audio")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="plain 3D convolutions")
    parser.add_argument("--folding", action="store_true", help="compare folded with plain")
    parser.add_argument("--cpu-time", action="store_true", help="for a busy machine: not wall time")
    args = parser.parse_args()
    if args.cpu_time:
        global clock  # noqa: PLW0603
        clock = time.process_time
    torch.set_num_threads(args.threads)
    kind = "CPU time" if args.cpu_time else "wall time"
    setting = f"{args.threads} threads, {args.precision}, nothing recomputed, {MEMORY}, {kind}"
    print(f"torch {torch.__version__}, {setting}")
    (bench_folding if args.folding else bench_step)(args)


if __name__ == "__main__":
    main()
