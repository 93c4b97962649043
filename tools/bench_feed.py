r"""How fast clips are fed: by loading processes against bare decoders, and CPU by part.

    python tools/bench_feed.py [--shards SHARDS] [--rounds 9] [--workers 0 1 2] [--want 190 400]

Loaders and bare decoders take turns on the same clips of the same packed videos, so that what else
the machine does disturbs both. A bare decoder is PyAV's loop over the bytes in memory: it opens,
seeks and decodes up to the last frame wanted, and keeps nothing; "n bare" are n processes that
share an epoch's clips. "parts" are processes that do what the loader does with a sample (decode,
crop, colour, sound, log-mel) without the loader.

CPU time by part is measured in the same turns: "convert" is `decode_clip` less the bare decoder,
"collate" a batch of the same rows without their media. "augment" happens on the training device;
here it is the CPU's. Figures past their limit are marked MISSED. Without --shards it packs a
synthetic release.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing as mp
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import made
import numpy as np
import torch
from timing import cpu_s, show

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import prepare
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.loader.pictures.shown import Part
from homage_sdk.loader.sampling import ClipChoice
from homage_sdk.media.audio import read_flac
from homage_sdk.media.spectrograms.logmel import LogMel
from homage_sdk.shards import ShardSet

OPTIONS = LoaderOptions(mode="train", batch_size=4, require="all")
_NO_MEDIA = {"views": (), "sound": None}
Clip = tuple[bytes, np.ndarray, Part, bool]
"""Bytes of a packed view, positions of its wanted frames, what is cut out, whether mirrored."""


class Bench:
    """The rows of an epoch and everything needed to do one part of their work alone."""

    def __init__(self, shards: ShardSet) -> None:
        self.loader = ClipLoader(shards, OPTIONS)
        self.shards, self.fps = shards, shards.manifest.packed.fps
        self.bytes = {
            (s.key, field): shards.read(s.key, field)
            for s in self.loader.samples
            for field in shards.members(s.key)
        }
        self.assembler = Assembler(shards.manifest, OPTIONS, lambda key, f: self.bytes[key, f])
        small = OPTIONS.with_(size=8, n_mels=1)  # absent pictures are zeroed, which is no part here
        self.collator = Assembler(shards.manifest, small, lambda key, f: self.bytes[key, f])
        self.out = np.empty((OPTIONS.blocks * OPTIONS.block_frames, 128, 128, 3), np.uint8)
        self.model = LogMel()
        self.level = torch.empty(1, 128, 404)

    def batches(self, epoch: int) -> list[list[ClipChoice]]:
        """The rows of an epoch, a list a batch."""
        return [
            [row for row in self.loader.rows(epoch, step) if row is not None]
            for step in range(len(self.loader))
        ]

    def clips(self, rows: list[ClipChoice], epoch: int) -> list[Clip]:
        """The two views of each row."""
        found = []
        for row in rows:
            for kind, view in (("ego", row.sample.ego), ("third", row.third)):
                if view is not None:
                    part, flip = self.assembler.part(view, row, kind, epoch)
                    at = np.minimum(self.loader.grid.positions(row.start), view.n_frames - 1)
                    found.append((self.bytes[row.sample.key, view.field], at, part, flip))
        return found

    def read(self, row: ClipChoice) -> None:
        """The bytes of a row, from the shards."""
        for view in (row.sample.ego, row.third):
            if view is not None:
                self.shards.read(row.sample.key, view.field)
        if row.sample.sound is not None:
            self.shards.read(row.sample.key, row.sample.sound.field)

    def bare(self, clip: Clip) -> None:
        """Decode up to the last frame wanted; keep nothing."""
        data, at, _, _ = clip
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            step = 1 / (self.fps * float(stream.time_base))
            if at[0]:
                container.seek(round(int(at[0]) * step), stream=stream)
            for frame in container.decode(stream):
                if round(frame.pts / step) >= at[-1]:
                    break

    def decode(self, clip: Clip) -> None:
        """What the loader does with a clip: decode, cut, mirror, convert."""
        data, at, part, flip = clip
        decode_clip(data, at, self.fps, part, self.out, flip=flip)

    def sound(self, row: ClipChoice) -> torch.Tensor | None:
        """The sound of a row."""
        if row.sample.sound is None:
            return None
        begin_s = row.start / self.fps
        flac = io.BytesIO(self.bytes[row.sample.key, row.sample.sound.field])
        seconds = self.assembler.layout.sounds.n_samples / self.assembler.layout.sounds.rate
        return torch.from_numpy(read_flac(flac, begin_s, begin_s + seconds))

    def heard(self, row: ClipChoice) -> None:
        """The log-mel of a row."""
        wave = self.sound(row)
        if wave is not None:
            self.model(wave[None])

    def sample(self, row: ClipChoice, epoch: int) -> None:
        """All of a row, without the loader."""
        for clip in self.clips([row], epoch):
            self.decode(clip)
        self.heard(row)


def _allocate(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype)


def timed(work: Callable[[], object]) -> float:
    before = cpu_s()
    work()
    return cpu_s() - before


def by_part(bench: Bench, epoch: int) -> dict[str, float]:
    """CPU milliseconds a clip of every part, in one epoch."""
    used: dict[str, float] = {}
    batches = bench.batches(epoch)

    def add(name: str, work: Callable[[], object]) -> None:
        used[name] = used.get(name, 0.0) + timed(work)

    count = sum(map(len, batches))
    for rows in batches:
        clips = bench.clips(rows, epoch)
        add("read", lambda rows=rows: [bench.read(row) for row in rows])
        add("decode", lambda clips=clips: [bench.bare(clip) for clip in clips])
        add("decode and convert", lambda clips=clips: [bench.decode(clip) for clip in clips])
        add("sound", lambda rows=rows: [bench.sound(row) for row in rows])
        waves = [wave for row in rows if (wave := bench.sound(row)) is not None]
        add("log-mel", lambda waves=waves: [bench.model(wave[None]) for wave in waves])
        empty = [
            replace(row, sample=row.sample.model_copy(update=_NO_MEDIA), third=None) for row in rows
        ]
        add("collate", partial(bench.collator.batch, empty, epoch, _allocate))
    used["convert"] = used.pop("decode and convert") - used["decode"]
    order = ("read", "decode", "convert", "sound", "log-mel", "collate")
    return {name: 1e3 * used[name] / count for name in order}


def serve(bench: Bench, kind: str, share: slice, pipe: Connection) -> None:
    """A process that does one kind of work on its share of each epoch that it is told of."""
    torch.set_num_threads(1)
    while (epoch := pipe.recv()) is not None:
        work(bench, kind, epoch, share)
        pipe.send(epoch)


def work(bench: Bench, kind: str, epoch: int, share: slice) -> None:
    for row in [row for rows in bench.batches(epoch) for row in rows][share]:
        if kind == "parts":
            bench.sample(row, epoch)
        else:
            for clip in bench.clips([row], epoch):
                bench.bare(clip)


class Team:
    """Processes that share an epoch's clips; without any, this one does them."""

    def __init__(self, bench: Bench, kind: str, n: int) -> None:
        self.bench, self.kind = bench, kind
        self.pipes: list[Connection] = []
        context = mp.get_context("fork")
        for i in range(n):
            here, there = context.Pipe()
            target = (bench, kind, slice(i, None, n), there)
            context.Process(target=serve, args=target, daemon=True).start()
            self.pipes.append(here)

    def run(self, epoch: int) -> None:
        """Do an epoch, and wait for all."""
        if not self.pipes:
            work(self.bench, self.kind, epoch, slice(None))
        for pipe in self.pipes:
            pipe.send(epoch)
        for pipe in self.pipes:
            pipe.recv()

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.send(None)


def augmenting(batch: Batch) -> float:
    """CPU milliseconds a clip of what the device does with a batch."""
    config = Config()
    work = partial(prepare, batch, config, OPTIONS.modalities, epoch=0, training=True)
    work()
    return 1e3 * min(timed(work) for _ in range(5)) / len(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, help="use these; default: pack a synthetic release")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--want", type=float, nargs="+", default=[190.0, 400.0], help="clips/s")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        where = options.shards
        if where is None:
            catalog = made.catalog(
                root, sequences=options.sequences, size=(512, 384), seconds=(10, 12), clean=True
            )
            where = made.shards(root, catalog)
        measure(Bench(ShardSet.open(where)), options)


def measure(bench: Bench, options: argparse.Namespace) -> None:
    workers: list[int] = options.workers
    teams = {(kind, n): Team(bench, kind, n) for kind in ("bare", "parts") for n in workers}
    loaders = {n: ClipLoader(bench.shards, OPTIONS.with_(workers=n)) for n in workers}

    def load(n: int, epoch: int) -> None:
        loaders[n].set_epoch(epoch)
        for _ in loaders[n]:
            pass

    count = sum(map(len, bench.batches(0)))
    rates: dict[tuple[str, int], list[float]] = {}
    cpu: dict[int, list[float]] = {n: [] for n in workers}
    parts: list[dict[str, float]] = []
    for epoch in range(2 + options.rounds):
        counted = epoch >= 2  # before that, memory is touched and files are opened
        for n in workers:
            jobs = {kind: partial(teams[kind, n].run, epoch) for kind in ("bare", "parts")}
            for kind, job in {**jobs, "loader": partial(load, n, epoch)}.items():
                begin_s, used_s = time.perf_counter(), cpu_s()
                job()
                if counted:
                    rate = count / (time.perf_counter() - begin_s)
                    rates.setdefault((kind, n), []).append(rate)
                    if kind == "loader":
                        cpu[n].append(1e3 * (cpu_s() - used_s) / count)
        if counted:
            parts.append(by_part(bench, epoch))
    batch = next(iter(loaders[workers[0]]))
    for team in teams.values():
        team.close()
    for loader in loaders.values():
        loader.close()
    print(f"{count} clips an epoch, {options.rounds} epochs each in turns; two views, sound")
    print(f"load average {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores\n")
    for name in parts[0]:
        show(f"CPU a clip: {name}", f"{statistics.median(p[name] for p in parts):.2f} ms")
    sums = [sum(each.values()) for each in parts]
    show("  sum of the parts", f"{statistics.median(sums):.2f} ms")
    for n in workers:
        ratio = statistics.median(ms / total for ms, total in zip(cpu[n], sums, strict=True))
        ms = statistics.median(cpu[n])
        show(f"  whole sample, {n} workers", f"{ms:.2f} ms", ratio, "<= 1.05x" if n == 0 else "")
    show("CPU a clip: augment, where the CPU is the device", f"{augmenting(batch):.2f} ms")
    print()

    def against(kind: str, n: int) -> float:
        return statistics.median(
            a / b for a, b in zip(rates["loader", n], rates[kind, n], strict=True)
        )

    for n in workers:
        said = {k: statistics.median(rates[k, n]) for k in ("loader", "bare", "parts")}
        show(f"loader, {n} workers", f"{said['loader']:.1f} clips/s")
        show(f"  {max(n, 1)} bare decoders", f"{said['bare']:.1f} clips/s", against("bare", n))
        limit = ">= 0.92x" if n == 2 else ""
        ratio = against("parts", n)
        show(f"  {max(n, 1)} doing the parts", f"{said['parts']:.1f} clips/s", ratio, limit)
    if {1, 2} <= {*workers}:
        scaled = {
            kind: statistics.median(
                b / a for a, b in zip(rates[kind, 1], rates[kind, 2], strict=True)
            )
            for kind in ("loader", "bare")
        }
        ratio = scaled["loader"] / scaled["bare"]
        show("two workers against one", f"{scaled['loader']:.2f}x")
        show("  two bare decoders against one", f"{scaled['bare']:.2f}x", ratio, ">= 0.92x")
    print()
    each_ms = statistics.median(cpu[max(workers)])
    for wanted in options.want:
        cores = each_ms * wanted / 1e3
        print(f"{wanted:.0f} clips/s x {each_ms:.2f} ms of CPU a clip = {cores:.1f} cores")


if __name__ == "__main__":
    main()
