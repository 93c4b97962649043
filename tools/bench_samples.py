"""Whole training samples: CPU time against the sum of their parts, and memory over many batches.

Used by bench_media.py, which makes the shards.
"""

from __future__ import annotations

import io
import multiprocessing
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from timing import cpu_s, show

from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.loader.assemble import Assembler
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.media.audio import read_flac
from homage_sdk.media.spectrograms.logmel import LogMel
from homage_sdk.shards import ShardSet

TRAINING = LoaderOptions(mode="train", batch_size=4, require="all")
COUNT = TRAINING.blocks * TRAINING.block_frames
CLIP_S = COUNT / 10


class Parts:
    """The parts of the samples of an epoch, each alone: the loader's own windows, crops and flips.

    Bytes are read beforehand and memory is used again: only decoding, sound and log-mel remain.
    """

    def __init__(self, shards: ShardSet, loader: ClipLoader) -> None:
        self._loader = loader
        self._bytes = {
            (s.key, field): shards.read(s.key, field)
            for s in loader.samples
            for field in shards.members(s.key)
        }
        self._assembler = Assembler(shards.manifest, loader.options, lambda key, field: b"")
        self._out = np.empty((4, COUNT, 128, 128, 3), np.uint8)
        self._model, self._level = LogMel(), torch.empty(1, 128, 401)

    def run(self, epoch: int) -> dict[str, float]:
        """CPU milliseconds a sample of each part."""
        used = {"2 clips": 0.0, "FLAC": 0.0, "log-mel": 0.0}
        rows = [r for step in range(len(self._loader)) for r in self._loader.rows(epoch, step) if r]
        for number, row in enumerate(rows):
            start = cpu_s()
            for kind, view in (("ego", row.sample.ego), ("third", row.third)):
                if view is not None:
                    part, flip = self._assembler.part(view, row, kind, epoch)
                    at = np.minimum(self._loader.grid.positions(row.start), view.n_frames - 1)
                    data = self._bytes[row.sample.key, view.field]
                    decode_clip(data, at, 10.0, part, self._out[number % 4], flip=flip)
            clips = cpu_s()
            begin_s = row.start / 10
            flac = io.BytesIO(self._bytes[row.sample.key, "ego.flac"])
            wave = read_flac(flac, begin_s, begin_s + CLIP_S)
            heard = cpu_s()
            self._model(torch.from_numpy(wave)[None], self._level)
            used["2 clips"] += clips - start
            used["FLAC"] += heard - clips
            used["log-mel"] += cpu_s() - heard
        return {name: 1e3 * seconds / len(rows) for name, seconds in used.items()}


def measure_samples(shards: ShardSet, rounds: int) -> None:
    """Whole samples against the sum of their parts in the same epoch: medians over epochs."""
    loaders = {n: ClipLoader(shards, TRAINING.with_(workers=n)) for n in (0, 2)}
    start_up = {}
    for n, loader in loaders.items():
        before, start = cpu_s(), time.monotonic()
        next(iter(loader))
        start_up[n] = (1e3 * (cpu_s() - before), 1e3 * (time.monotonic() - start))
    parts = Parts(shards, loaders[0])
    bare: list[dict[str, float]] = []
    whole: dict[int, list[float]] = {n: [] for n in loaders}
    for epoch in range(3 + 2 * rounds):
        apart = parts.run(epoch)
        for n, loader in loaders.items():
            loader.set_epoch(epoch)
            before = cpu_s()
            clips = sum(len(batch) for batch in loader)
            ms = 1e3 * (cpu_s() - before) / clips
            if epoch >= 3:  # steady: the workers' memory has been touched
                whole[n].append(ms)
        if epoch >= 3:
            bare.append(apart)
    totals = [sum(each.values()) for each in bare]
    for name in bare[0]:
        show(f"  part: {name}", f"{statistics.median(each[name] for each in bare):.2f} ms")
    show("sum of the parts of a sample", f"{statistics.median(totals):.2f} ms")
    for n, limit in ((0, "<= 1.1x"), (2, "<= 1.3x")):
        ratio = statistics.median(ms / total for ms, total in zip(whole[n], totals, strict=True))
        ms = statistics.median(whole[n])
        show(f"whole sample, {n} workers", f"{ms:.2f} ms", ratio, limit)
    cpu_ms, wall_ms = start_up[2]
    show("  2 workers, once: start to the first batch", f"{wall_ms:.0f} ms")
    show("    CPU of it", f"{cpu_ms:.0f} ms")


def resident_mb(pid: int | str) -> float:
    """Resident memory of a process; pages that it shares with others count in full."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"nothing is said of process {pid}'s memory")


def endure(shards: ShardSet, batches: int, workers: int) -> None:
    """Load so many batches and print resident memory at every tenth of them."""
    loader = ClipLoader(shards, TRAINING.with_(workers=workers))
    print(f"{workers} workers, {batches} batches of {TRAINING.batch_size} clips: resident MB")
    seen = 0
    lines: list[list[float]] = []
    while seen < batches:
        for _ in loader:
            seen += 1
            if seen % max(1, batches // 10) == 0:
                theirs = [c.pid for c in multiprocessing.active_children() if c.pid is not None]
                lines.append([resident_mb(pid) for pid in ("self", *sorted(theirs))])
                print(f"{seen:8}", *(f"{mb:10.1f}" for mb in lines[-1]), flush=True)
            if seen == batches:
                break
    loader.close()
    grown = [last - first for first, last in zip(lines[0], lines[-1], strict=True)]
    print("   grown", *(f"{mb:+10.1f}" for mb in grown), "\n", flush=True)
