"""Real ``ccau train`` runs, from shards: how long steps wait for data, and what a second rank adds.

    python tools/bench_ccau_train.py                       # makes a small release and packs it
    python tools/bench_ccau_train.py --shards SHARDS --only ranks --rounds 3

(a) Data wait: the share of its steps that a run spent waiting for a batch, two loading processes,
at the full size (batch 4, 128 px, full width, fp32) and at the demo's. Limit 5 %.
(b) Ranks: clips/s of two gloo ranks over one rank's, one thread each, so two cores against one.
Limit 1.6. On a machine with fewer than two free cores this says nothing.

Every figure is read from the run's own ``metrics.jsonl``; the first steps of a run are left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import made

from baselines.ccau.runs.metrics_log import read_metrics

WAIT_LIMIT = 0.05
RANKS_LIMIT = 1.6
WARM_UP = 2
COMMON = (
    "run.selection=last", "run.validate_every=0", "run.device=cpu", "optim.epochs=100000",
    "optim.schedule=constant",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """One size of the networks and how many steps say something about it."""

    name: str
    words: tuple[str, ...]
    steps: int


SIZES = (
    Size("demo", ("demo",), 20),
    Size(
        "full",
        ("ccau", "--size", "paper", "--set", "data.batch_size=4", "--set", "optim.precision=fp32"),
        8,
    ),
)


def make_shards(folder: Path) -> Path:
    """A synthetic release of 32 sequences, packed."""
    catalog = made.catalog(
        folder, sequences=32, activities=4, size=(320, 240), seconds=(6.0, 8.0), clean=True
    )
    return made.shards(folder, catalog)


def steps_of(
    size: Size, shards: Path, *, ranks: int, threads: int, workers: int, steps: int
) -> list[dict[str, Any]]:
    """The rows of the steps of one run, without the first ones."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        settings = (*COMMON, f"data.workers={workers}", f"optim.max_steps={steps + WARM_UP}")
        words = [
            "train", *size.words, "--shards", str(shards), "--out", str(run),
            *(word for setting in settings for word in ("--set", setting)),
        ]  # fmt: skip
        launcher: list[str] = []
        if ranks > 1:
            launcher = ["torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}", "-m"]
        command = [sys.executable, "-m", *launcher, "baselines.ccau", *words]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        rows = [row for row in read_metrics(run / "metrics.jsonl") if row["kind"] == "step"]
    return rows[WARM_UP:]


def data_wait(size: Size, shards: Path, threads: int, rounds: int) -> bool:
    """Print the waiting share of a real run, best of ``rounds``; whether it is within its limit."""
    found = []
    for _ in range(rounds):
        rows = steps_of(size, shards, ranks=1, threads=threads, workers=2, steps=size.steps)
        waited_s = sum(row["data_wait_share"] * row["step_s"] for row in rows)
        took_s = sum(row["step_s"] for row in rows)
        found.append((waited_s / took_s, statistics.median(row["step_s"] for row in rows)))
    share, step_s = min(found)
    is_within = bool(share <= WAIT_LIMIT)
    print(
        f"data wait, {size.name}: {share:.1%} of its steps (limit {WAIT_LIMIT:.0%}), "
        f"median step {step_s:.3f} s, {threads} threads, 2 workers, {size.steps} steps"
        f"{'' if is_within else '   MISSED'}",
        flush=True,
    )
    return is_within


def ranks_gain(size: Size, shards: Path, rounds: int) -> bool:
    """Print two ranks' clips/s over one's, run in turn; whether the limit is reached."""
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for ranks, found in speeds.items():
            rows = steps_of(size, shards, ranks=ranks, threads=1, workers=0, steps=size.steps)
            found.append(statistics.median(row["clips_per_s"] for row in rows))
    one, two = max(speeds[1]), max(speeds[2])
    is_reached = bool(two / one >= RANKS_LIMIT)
    print(
        f"two gloo ranks, {size.name}: {two:.2f} clips/s against {one:.2f} of one, "
        f"{two / one:.2f}x (limit {RANKS_LIMIT}), one thread each"
        f"{'' if is_reached else '   MISSED'}",
        flush=True,
    )
    return is_reached


def main() -> int:
    """Run what was asked for; 1 when a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, help="what `homage pack` wrote; else it is made")
    parser.add_argument("--only", choices=("wait", "ranks"))
    parser.add_argument("--size", choices=[size.name for size in SIZES])
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f} before; best of {options.rounds}")
    within = []
    with tempfile.TemporaryDirectory() as folder:
        shards = options.shards or make_shards(Path(folder))
        for size in SIZES:
            if options.size not in (None, size.name):
                continue
            if options.only != "ranks":
                within.append(data_wait(size, shards, min(cores, 2), options.rounds))
            if options.only != "wait":
                within.append(ranks_gain(size, shards, options.rounds))
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
