"""How fast packing is, and what two processes gain: beside bare decoding and encoding.

    python tools/bench_pack.py [CATALOG] [--rounds 3] [--seconds 20] [--sequences 8]

Without a catalog, one of a synthetic release at 1024x768 is made first (a minute or two). The floor
is the same videos through a bare PyAV loop (decode, scale, x264) without any product around it, in
one process and in two: what a second processor gains on this machine at best. Walls are the best of
the rounds, taken in turns, because other programs only ever lengthen them; how busy others kept the
machine is printed. Start-up of the worker processes is part of every wall, and printed by itself.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av

from homage_sdk import Dataset
from homage_sdk.catalog import ingest
from homage_sdk.shards import PackOptions, pack
from homage_sdk.shards.encode import encode_view, packed_size
from homage_sdk.shards.forecast import forecast
from homage_sdk.shards.plan import make_plan
from homage_sdk.synth import write_release

OPTIONS = PackOptions()


@dataclass(frozen=True)
class Taken:
    """Seconds of one run; ``others``: processors that other programs kept busy meanwhile."""

    wall_s: float
    cpu_s: float
    others: float


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def machine_s() -> float:
    """CPU seconds of everything on this machine since it started, but for idling and waiting."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    user, nice, system, _idle, _wait, irq, softirq = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def timed(work: Callable[[], object]) -> Taken:
    machine, cpu, wall = machine_s(), cpu_s(), time.monotonic()
    work()
    wall, cpu, machine = time.monotonic() - wall, cpu_s() - cpu, machine_s() - machine
    return Taken(wall, cpu, max(0.0, machine - cpu) / wall)


def bare(path: str) -> int:
    """Decode, scale and encode one video with nothing around it."""
    buffer = io.BytesIO()
    fps = Fraction(30, OPTIONS.stride)
    with av.open(path) as source, av.open(buffer, "w", format="mp4") as out:
        video = source.streams.video[0]
        video.codec_context.thread_count = 1
        width, height = packed_size(video.width, video.height, OPTIONS.short_side)
        stream = out.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = OPTIONS.gop
        stream.options = {
            "preset": OPTIONS.x264_preset,
            "crf": str(OPTIONS.crf),
            "tune": OPTIONS.tune,
            "x264-params": "mbtree=0:bframes=0",
        }
        for n, frame in enumerate(source.decode(video)):
            if n % OPTIONS.stride == 0:
                small = frame.reformat(width, height, "yuv420p", interpolation="AREA")
                small.pts, small.time_base = n // OPTIONS.stride, 1 / fps
                small.pict_type = 0
                out.mux(stream.encode(small))
        out.mux(stream.encode(None))
    return len(buffer.getvalue())


def ready() -> int:
    """A worker that has everything imported."""
    import homage_sdk.shards.engines.processes  # noqa: F401

    return os.getpid()


def start_up(workers: int) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for waiting in [pool.submit(ready) for _ in range(workers)]:
            waiting.result()


def floor(paths: Sequence[str], workers: int) -> None:
    """All videos through the bare loop, shared out one by one."""
    if workers == 1:
        for path in paths:
            bare(path)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for _ in pool.map(bare, paths):
            pass


def show(name: str, value: str, ratio: float | None = None, limit: str = "") -> None:
    verdict = ""
    if ratio is not None and limit:
        bound = float(limit.strip("<>= x"))
        verdict = "ok" if (ratio <= bound if limit[0] == "<" else ratio >= bound) else "MISSED"
    said = "" if ratio is None else f"{ratio:6.2f}x"
    print(f"{name:50} {value:>24} {said:>8} {limit:>8} {verdict}", flush=True)


def one_view(dataset: Dataset, paths: Sequence[str], rounds: int) -> None:
    """Packing one view against the bare loop, CPU time, in turns."""
    view = next(v for s in dataset for v in s.views if str(v.path) == paths[0])
    every = list(range(0, len(view.index), OPTIONS.stride))
    work = {
        "bare": lambda: bare(paths[0]),
        "ours": lambda: encode_view(view.file(), view.index, every, OPTIONS),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(2 * rounds + 1):
        for name, run in work.items():
            taken[name].append(timed(run).cpu_s)
    middle = {name: statistics.median(values) for name, values in taken.items()}
    ratio = middle["ours"] / middle["bare"]
    show("packing one view, CPU, against bare", f"{middle['ours']:.3f} s", ratio, "<= 1.25x")


def measure(dataset: Dataset, root: Path, rounds: int) -> None:
    videos = [v for s in dataset for v in s.views if v.path is not None]
    paths = [str(v.file()) for v in sorted(videos, key=lambda v: -(v.duration_s or 0))]
    seconds = sum(v.duration_s or 0 for v in videos)
    print(f"{len(dataset)} sequences, {len(paths)} videos, {seconds:.0f} s of video")

    def packed(workers: int) -> None:
        shutil.rmtree(root / "shards", ignore_errors=True)
        pack(dataset, root / "shards", OPTIONS, workers=workers)

    work: dict[str, Callable[[], object]] = {
        "start-up of 2": lambda: start_up(2),
        "bare, 1 process": lambda: floor(paths, 1),
        "bare, 2 processes": lambda: floor(paths, 2),
        "pack, 1 worker": lambda: packed(1),
        "pack, 2 workers": lambda: packed(2),
    }
    taken: dict[str, list[Taken]] = {name: [] for name in work}
    bare(paths[0])
    for _ in range(rounds):
        for name, run in work.items():
            taken[name].append(timed(run))
    best = {name: min(runs, key=lambda run: run.wall_s) for name, runs in taken.items()}
    for name, run in best.items():
        said = f"{run.wall_s:6.2f} s, CPU {run.cpu_s:6.2f} s"
        show(f"{name} (others: {run.others:.2f} processors)", said)
    gains = {
        name: best[f"{name}, 1 {one}"].wall_s / best[f"{name}, 2 {many}"].wall_s
        for name, one, many in (("bare", "process", "processes"), ("pack", "worker", "workers"))
    }
    cpu = {name: min(run.cpu_s for run in runs) for name, runs in taken.items()}
    ratio = cpu["pack, 1 worker"] / cpu["bare, 1 process"]
    show("everything packed, CPU, against bare", f"{cpu['pack, 1 worker']:.2f} s", ratio)
    show("what two bare processes gain, wall", "", gains["bare"])
    show("packing with 2 workers, wall", "", gains["pack"], ">= 1.8x")
    plan = make_plan(dataset, OPTIONS)
    begin = time.monotonic()
    expected = forecast(dataset, plan.shards, plan.options)
    took_s = time.monotonic() - begin
    made = sum(path.stat().st_size for path in (root / "shards").glob("*.tar"))
    said = f"{expected.bytes / 1e6:.1f} of {made / 1e6:.1f} MB"
    show(f"size foretold ({expected.videos} videos, {took_s:.1f} s)", said, expected.bytes / made)
    said = f"{expected.cpu_s:.1f} of {cpu['pack, 1 worker']:.1f} s"
    show("CPU time foretold", said, expected.cpu_s / cpu["pack, 1 worker"])
    one_view(dataset, paths, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("catalog", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--sequences", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if options.catalog is None:
            length = (options.seconds, options.seconds + 1)
            count = options.sequences
            write_release(
                root / "release", sequences=count, size=(1024, 768), seconds=length, clean=True
            )
            ingest(root / "release", root / "catalog")
        measure(Dataset(options.catalog or root / "catalog"), root, options.rounds)


if __name__ == "__main__":
    main()
