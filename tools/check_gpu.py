"""Whether training is right and fast on this machine's accelerator: one table, one JSON.

    python tools/check_gpu.py --out FOLDER             # at most seven minutes on one card
    python tools/check_gpu.py --out FOLDER --small     # the same in miniature: it runs on a CPU too

It needs torch, numpy, PyAV, OpenCV, pyarrow, orjson, pydantic, safetensors, rich and typer, works
from a bare checkout, and packs its own shards. A check that the time does not reach is listed as
left out, not as passed. Exit code 1: something is wrong (not: something is slow).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import gpu_numerics as numerics  # noqa: E402
import gpu_speed as speed  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from gpu_runs import loading, real_runs, resumed, shards_of  # noqa: E402

from baselines.ccau.config.model_config import ModelConfig  # noqa: E402

BUDGET_S = 400.0


@dataclass
class Report:
    """What was measured, in order."""

    device: torch.device
    small: bool
    begin_s: float = field(default_factory=time.monotonic)
    budget_s: float = BUDGET_S
    rows: list[dict[str, Any]] = field(default_factory=list)
    section: str = ""

    def add(self, name: str, value: str, good: bool | None = None, **numbers: Any) -> None:
        """One row: what, the figure, whether it is right (None: a figure, not a judgement)."""
        row = {"section": self.section, "name": name, "value": value, "good": good, **numbers}
        self.rows.append(row)
        verdict = {True: "ok", False: "WRONG", None: ""}[good]
        print(f"{self.section:14} {name:52} {value:>40} {verdict}", flush=True)

    @property
    def left_s(self) -> float:
        """Seconds that are left of the budget."""
        return self.budget_s - (time.monotonic() - self.begin_s)

    def run(self, section: str, needs_s: float, check: Callable[[], None]) -> None:
        """One section; a failure is a row, and the others go on."""
        self.section = section
        if self.left_s < needs_s:
            self.add("left out", f"{self.left_s:.0f} s left, {needs_s:.0f} s needed")
            return
        begin_s = time.monotonic()
        try:
            check()
        except Exception as error:
            traceback.print_exc()
            self.add("failed", f"{type(error).__name__}: {error}"[:200], False)
        self.add("time", f"{time.monotonic() - begin_s:.1f} s")


def environment(report: Report) -> None:
    device = report.device
    card = platform.processor() or platform.machine()
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        card = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    report.add("device", card)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"
    report.add("software", f"Python {platform.python_version()}, {versions}", cores=cores)
    report.add("processor cores", str(cores))


def gradients(report: Report, config: ModelConfig) -> None:
    modalities = ("ego", "third", "audio")
    n_clips, frames = (3, 2) if report.small else (4, 5)
    deadline_s = time.monotonic() + (60 if report.small else 70)
    rows = numerics.compare_tasks(
        config, modalities, report.device, n_clips=n_clips, frames=frames, deadline_s=deadline_s
    )
    for task, precision, loss, gradient, limit in rows:
        report.add(
            f"{task}, {precision}",
            f"loss {loss:.1e}, gradient {gradient:.1e} (limit {limit:.0e})",
            gradient <= limit and loss <= limit,
            loss=loss,
            gradient=gradient,
        )


def convolutions(report: Report) -> None:
    only = 1 if report.small else None
    for name, precision, weight, x, took_ms in numerics.compare_convolutions(
        report.device, 1 if report.small else 8, only=only
    ):
        limit = 1e-5 if precision == "fp32" else 2e-2
        report.add(
            f"{name}, {precision}",
            f"weight {weight:.1e}, input {x:.1e}, {took_ms:.2f} ms",
            max(weight, x) <= limit,
            weight=weight,
            input=x,
            ms=took_ms,
        )


def shortcut(report: Report, config: ModelConfig) -> None:
    steps = 4 if report.small else 300
    marks = (2, 4) if report.small else (25, 50, 100, 200, 300)
    n_clips, frames = (2, 2) if report.small else (8, 5)
    chance = {"video": 1 / config.blocks, "batch": 1 / (config.blocks * n_clips)}
    for negatives in ("video", "batch"):
        found = numerics.shortcut(
            config, report.device, negatives, n_clips=n_clips, frames=frames, steps=steps,
            report=marks, precision="fp32" if report.small else "bf16",
        )  # fmt: skip
        for step, (loss, accuracy) in found.items():
            report.add(
                f"views of unshared contents, negatives {negatives}, step {step}",
                f"loss {loss:.3f}, accuracy {accuracy:.1%} (chance {chance[negatives]:.1%})",
                loss=loss,
                accuracy=accuracy,
                negatives=negatives,
                step=step,
            )


def one_rank(report: Report, config: ModelConfig, folder: Path) -> None:
    """A process group of one: gather, SyncBN and DDP change nothing."""
    device = report.device
    backend = "nccl" if device.type == "cuda" else "gloo"
    inputs, targets = numerics.random_batch(config, ("ego", "third"), 2, 2)
    task = numerics.tasks(config, ("ego", "third"))["cooperative, batch"]
    _, reference = numerics.loss_and_gradient(task, inputs, targets, device, "fp32")
    store = folder / "store"
    dist.init_process_group(backend, init_method=f"file://{store}", rank=0, world_size=1)
    try:
        x = torch.randn(4, 3, device=device)
        parts = [torch.empty_like(x)]
        dist.all_gather(parts, x)
        report.add(f"{backend}: gather", "equal", bool(torch.equal(parts[0], x)))
        own = numerics.without_dropout(task).to(device)
        wrapped = torch.nn.parallel.DistributedDataParallel(own, find_unused_parameters=True)
        a, b = numerics.moved(inputs, targets, device, torch.float32)
        with numerics.tf32(False):
            losses = wrapped(a, b, step=0)
            losses["total"].backward()
        found = torch.cat(
            [
                (torch.zeros_like(p) if p.grad is None else p.grad).double().flatten().cpu()
                for p in own.parameters()
            ]
        )
        gap = numerics.relative(found, reference)
        report.add(f"{backend}: DDP gradient", f"{gap:.1e} from none", gap < 1e-4, gap=gap)
        if device.type == "cuda":
            norm = torch.nn.BatchNorm2d(8).to(device)
            synced = torch.nn.SyncBatchNorm.convert_sync_batchnorm(torch.nn.BatchNorm2d(8)).to(
                device
            )
            z = torch.randn(4, 8, 5, 5, device=device)
            gap = numerics.relative(synced(z), norm(z))
            report.add("nccl: SyncBN output", f"{gap:.1e} from BatchNorm", gap < 1e-5, gap=gap)
    finally:
        dist.destroy_process_group()


def steps(report: Report, config: ModelConfig) -> None:
    device, small = report.device, report.small
    frames = 2 if small else 5
    size = 256 if small else 8192
    rates = {"fp32": speed.product_rate(device, torch.float32, size, allow_tf32=False)}
    if device.type == "cuda":
        rates["tf32"] = speed.product_rate(device, torch.float32, size, allow_tf32=True)
        rates["bf16"] = speed.product_rate(device, torch.bfloat16, size, allow_tf32=False)
    for precision, rate in rates.items():
        report.add(f"matrix product, {precision}", f"{rate / 1e12:.1f} TFLOP/s", rate=rate)
    flop = speed.flop_a_clip(config, frames, device)
    report.add("a training clip, three modalities", f"{flop / 1e9:.0f} GFLOP", flop=flop)
    grid: list[tuple[int, str, bool, bool]] = [(2, "fp32", False, False)]
    if not small:
        grid = [
            (16, "fp32", False, False),
            (16, "tf32", False, False),
            (16, "tf32", False, True),
            *((batch, "bf16", False, True) for batch in (8, 16, 32, 64)),
            (16, "bf16", False, False),
            (16, "bf16", True, True),
            (64, "bf16", True, True),
        ]
    for batch, precision, compiled, benchmark in grid:
        if report.left_s < 40 and not small:
            report.add("rest of the grid left out", f"{report.left_s:.0f} s left")
            break
        found = speed.measure_step(
            config, frames, device, batch=batch, precision=precision, compiled=compiled,
            benchmark=benchmark, flop=flop, peak=rates[precision], steps=1 if small else 6,
        )  # fmt: skip
        name = f"batch {batch}, {precision}" + ", compiled" * compiled + ", benchmark" * benchmark
        if found is None:
            report.add(name, "out of memory")
            continue
        report.add(
            name,
            f"{found.clips_per_s:.1f} clips/s, MFU {found.mfu:.0%}, {found.peak_gb:.1f} GB"
            + (f", {found.graphs} graphs" if compiled else ""),
            **asdict(found),
        )
    if device.type == "cuda":
        report.add("largest batch, bf16", str(speed.largest_batch(config, frames, device, 256)))
        copy_ms, work_ms, both_ms = speed.copy_overlap(device)
        overlapped = both_ms < max(copy_ms, work_ms) + 0.5 * min(copy_ms, work_ms)
        report.add(
            "copy beside products",
            f"copy {copy_ms:.1f} ms, products {work_ms:.1f} ms, both {both_ms:.1f} ms",
            overlapped=overlapped,
        )


def main() -> int:
    """Run every check; 1 when one of them found something wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for shards, runs, the JSON")
    parser.add_argument("--device", default="auto", help="cuda, cpu; default: what is there")
    parser.add_argument("--small", action="store_true", help="narrow networks, few steps")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds")
    parser.add_argument("--shards", type=Path, help="use these shards; default: pack some")
    parser.add_argument("--only", action="append", help="run only this section (repeatable)")
    options = parser.parse_args()
    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    report = Report(torch.device(name), options.small, budget_s=options.budget)
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    config = ModelConfig()
    if options.small:
        config = ModelConfig(width=8, audio_width=4, size=32, blocks=2, n_mels=32, audio_columns=40)
    shards: list[Path] = []

    def pack() -> None:
        shards.append(options.shards or shards_of(out, small=options.small))
        report.add("shards", str(shards[0].name))

    sections: dict[str, tuple[float, Callable[[], None]]] = {
        "environment": (0, lambda: environment(report)),
        "shards": (0, pack),
        "gradients": (60, lambda: gradients(report, config)),
        "convolutions": (20, lambda: convolutions(report)),
        "one rank": (20, lambda: one_rank(report, config, out)),
        "shortcut": (50, lambda: shortcut(report, config)),
        "resume": (40, lambda: resumed(report, shards[0], out)),
        "loading": (30, lambda: loading(report, shards[0])),
        "training": (40, lambda: real_runs(report, shards[0], out)),
        "steps": (60, lambda: steps(report, config)),
    }
    for section, (needs_s, check) in sections.items():
        if not options.only or section in (*options.only, "environment", "shards"):
            report.run(section, 0 if options.small else needs_s, check)
    wrong = [row for row in report.rows if row["good"] is False]
    took_s = time.monotonic() - report.begin_s
    summary = {
        "rows": report.rows,
        "wrong": len(wrong),
        "seconds": round(took_s, 1),
        # What `ccau train --dry-run --gpu` must know of the steps:
        "model": asdict(config),
        "frames": 2 if options.small else 5,
        "modalities": speed.MODALITIES,
    }
    (out / "check_gpu.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(f"{len(report.rows)} rows, {len(wrong)} wrong, {took_s:.0f} s; {out / 'check_gpu.json'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
