"""How fast packing is, and what two processes gain: beside bare decoding and encoding.

    python tools/bench_pack.py [CATALOG] [--rounds 3] [--seconds 30] [--sequences 8]

Without a catalog, one of a synthetic release at 1024x768 is made first (some two minutes). The
floor is the same videos through a bare PyAV loop (decode, scale, x264) without any product around
it, in one process and in two: what a second processor gains on this machine at best. Start-up of
the processes is part of every wall, and printed by itself.

Rounds are taken in turns and the shortest counts, because other programs only ever lengthen a wall.
How busy they kept the machine is printed, and so is the wall less the time for which a process that
could have run had to wait for a processor (of several, the mean): what it is on a quiet machine.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import made
from timing import cpu_s, show

from homage_sdk import Dataset
from homage_sdk.shards import PackOptions, pack
from homage_sdk.shards.packing.encode import encode_view, packed_size
from homage_sdk.shards.packing.plan import expected_bytes, make_plan

OPTIONS = PackOptions()


@dataclass(frozen=True)
class Taken:
    """Seconds of one run.

    ``quiet_s`` is the wall without waiting for a processor, ``others`` how many processors other
    programs kept busy meanwhile.
    """

    wall_s: float
    quiet_s: float
    cpu_s: float
    others: float


def machine_s() -> float:
    """CPU seconds of everything on this machine since it started, but for idling and waiting."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    user, nice, system, _idle, _wait, irq, softirq = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class Waits(threading.Thread):
    """Watches for how long this process or its children wait for a processor."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._own = self._read(os.getpid())
        self._last: dict[int, tuple[float, float]] = {}

    def run(self) -> None:
        """Keep what each child last said of itself."""
        me = os.getpid()
        while not self._done.wait(0.02):
            for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split():
                with suppress(OSError, ValueError):
                    self._last[int(pid)] = self._read(int(pid))

    def stop(self) -> float:
        """Seconds waited: of this process, or the mean of the children that worked."""
        self._done.set()
        self.join()
        ran, waited = (
            now - then for now, then in zip(self._read(os.getpid()), self._own, strict=True)
        )
        working = [waits for busy, waits in self._last.values() if busy > max(ran, 0.2)]
        return statistics.mean(working or [waited])

    @staticmethod
    def _read(pid: int) -> tuple[float, float]:
        ran, waited = Path(f"/proc/{pid}/schedstat").read_text().split()[:2]
        return int(ran) / 1e9, int(waited) / 1e9


def timed(work: Callable[[], object]) -> Taken:
    waits = Waits()
    waits.start()
    machine, cpu, wall = machine_s(), cpu_s(), time.monotonic()
    work()
    wall, cpu, machine = time.monotonic() - wall, cpu_s() - cpu, machine_s() - machine
    return Taken(wall, wall - waits.stop(), cpu, max(0.0, machine - cpu) / wall)


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
    import homage_sdk.shards.packing.engines.processes  # noqa: F401

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
        "bare, 1": lambda: floor(paths, 1),
        "bare, 2": lambda: floor(paths, 2),
        "pack, 1": lambda: packed(1),
        "pack, 2": lambda: packed(2),
    }
    taken: dict[str, list[Taken]] = {name: [] for name in work}
    bare(paths[0])
    for _ in range(rounds):
        for name, run in work.items():
            taken[name].append(timed(run))
    print(f"{'best of ' + str(rounds):22} {'wall':>9} {'quiet':>9} {'CPU':>9} {'others busy':>13}")
    for name, runs in taken.items():
        run = min(runs, key=lambda run: run.wall_s)
        quiet_s, used_s = (min(getattr(r, x) for r in runs) for x in ("quiet_s", "cpu_s"))
        print(f"{name:22} {run.wall_s:7.2f} s {quiet_s:7.2f} s {used_s:7.2f} s {run.others:13.2f}")

    def gain(what: str, how: str) -> float:
        one, two = (min(getattr(r, how) for r in taken[f"{what}, {n}"]) for n in (1, 2))
        return float(one / two)

    used_s = min(run.cpu_s for run in taken["pack, 1"])
    ratio = used_s / min(run.cpu_s for run in taken["bare, 1"])
    show("everything packed, CPU, against bare", f"{used_s:.2f} s", ratio)
    for name, how in (("wall", "wall_s"), ("quiet", "quiet_s")):
        show(f"what two bare processes gain, {name}", "", gain("bare", how))
        show(f"packing with 2 workers, {name}", "", gain("pack", how), ">= 1.8x")
    plan = make_plan(dataset, OPTIONS)
    expected = expected_bytes(dataset, plan.shards, plan.options)
    packed_bytes = sum(path.stat().st_size for path in (root / "shards").glob("*.tar"))
    said = f"{expected / 1e6:.1f} of {packed_bytes / 1e6:.1f} MB"
    show("size foretold", said, expected / packed_bytes)
    one_view(dataset, paths, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("catalog", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--sequences", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if options.catalog is None:
            length = (options.seconds, options.seconds + 1)
            count = options.sequences
            made.catalog(root, sequences=count, size=(1024, 768), seconds=length, clean=True)
        measure(Dataset(options.catalog or root / "catalog"), root, options.rounds)


if __name__ == "__main__":
    main()
