"""Kill a training process in mid-epoch, resume it, and compare the batches it saw.

    python tools/chaos_loader.py [SHARDS] --kills 50 [--workers 0 2]

A child process iterates over epochs, writes down the hash of each batch together with the state of
the loader, and is sent SIGKILL at a random moment after a random batch. The batches that all its
lives saw together must be those of a child that was not killed and had no workers; and the
workers of a killed child must end by themselves. Kills are dealt to the numbers of workers in
turn. Without shards, those of a small synthetic release are made. Exit code 0 when all
agree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import fields, is_dataclass
from pathlib import Path

import torch
from chaos_pack import small_catalog

from homage_sdk import Dataset
from homage_sdk.loader import Batch, ClipLoader, LoaderOptions
from homage_sdk.shards import PackOptions, ShardSet, pack
from homage_sdk.storage import write_file

MODALITIES = ("ego", "third", "audio", "scene_graph")


def small_shards(folder: Path) -> Path:
    """The shards of a small synthetic release, made below ``folder``."""
    pack(Dataset(small_catalog(folder)), folder / "shards", PackOptions(short_side=96))
    return folder / "shards"


def digest(batch: Batch) -> str:
    """A hash of every tensor and id of a batch."""
    whole = hashlib.sha256()

    def add(name: str, value: object) -> None:
        if is_dataclass(value):
            value = {field.name: getattr(value, field.name) for field in fields(value)}
        if isinstance(value, dict):
            for key in sorted(value):
                add(f"{name}.{key}", value[key])
            return
        whole.update(name.encode())
        if isinstance(value, torch.Tensor):
            whole.update(repr((value.dtype, value.shape)).encode())
            whole.update(value.contiguous().numpy().tobytes())
        else:
            whole.update(repr(value).encode())

    add("batch", batch)
    return whole.hexdigest()


def child(shards: Path, journal: Path, workers: int, batches: int) -> None:
    """See ``batches`` batches in all; the journal holds the hashes and the loader's state."""
    options = LoaderOptions(MODALITIES, batch_size=2, blocks=4, size=64, workers=workers)
    loader = ClipLoader(ShardSet.open(shards), options)
    seen: list[str] = []
    if journal.is_file():
        saved = json.loads(journal.read_text())
        seen = saved["seen"]
        loader.load_state_dict(saved["state"])
    while len(seen) < batches:
        for batch in loader:
            seen.append(digest(batch))
            write_file(journal, json.dumps({"seen": seen, "state": loader.state_dict()}))
            os.write(1, b".")
            if len(seen) == batches:
                break


class Chaos:
    """A loader with one number of workers, and what its lives have seen so far."""

    def __init__(self, shards: Path, folder: Path, workers: int, batches: int) -> None:
        self.name = f"{workers} workers"
        self.kills = self.rounds = 0
        self._groups: list[int] = []
        self.killed_after: list[int] = []
        self._folder = folder / str(workers)
        self._arguments = [str(shards), "--workers", str(workers), "--batches", str(batches)]
        self.batches = batches
        self.batch_s = 0.1

    @property
    def journal(self) -> Path:
        """Of the round that is going on."""
        return self._folder / f"{self.rounds}.json"

    def live(self, moment: random.Random | None) -> bool:
        """One life; True when it came to its end. With ``moment`` it is killed at a random one."""
        left = self.batches - len(self.seen())
        command = [sys.executable, __file__, *self._arguments, "--journal", str(self.journal)]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
            assert process.stdout
            batches = moment.randint(1, left) if moment else left
            process.stdout.read(1)  # it writes a byte a batch
            start = time.monotonic()
            process.stdout.read(batches - 1)
            try:
                if process.wait(moment.uniform(0.0, 2 * self.batch_s) if moment else None):
                    errors.seek(0)
                    raise SystemExit(f"{self.name}: the child failed: {errors.read().decode()}")
                if moment is None:
                    self.batch_s = (time.monotonic() - start) / left
                return True
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)  # it alone: its workers must notice
                process.wait()
                self.kills += 1
                self.killed_after.append(len(self.seen()))
                self._groups.append(process.pid)
                return False
            finally:
                process.stdout.close()

    def check_nothing_left(self) -> None:
        """Wait for the workers of killed children to end; SystemExit when they do not."""
        deadline = time.monotonic() + 30
        for group in self._groups:
            while True:
                try:
                    os.killpg(group, 0)
                except ProcessLookupError:
                    break
                if time.monotonic() > deadline:
                    os.killpg(group, signal.SIGKILL)
                    raise SystemExit(f"{self.name}: a killed process left workers behind")
                time.sleep(0.05)

    def seen(self) -> list[str]:
        """The hashes of this round's batches."""
        if not self.journal.is_file():
            return []
        seen: list[str] = json.loads(self.journal.read_text())["seen"]
        return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shards", type=Path, nargs="?")
    parser.add_argument("--kills", type=int, default=50, help="in all")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.journal:
        child(options.shards, options.journal, options.workers[0], options.batches)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        shards = options.shards or small_shards(Path(folder))
        return run(shards, Path(folder), options)


def run(shards: Path, folder: Path, options: argparse.Namespace) -> int:
    draw = random.Random(options.seed)
    whole = Chaos(shards, folder / "whole", 0, options.batches)
    whole.live(None)
    expected = whole.seen()
    tried: list[Chaos] = []
    for workers in options.workers:
        tried.append(Chaos(shards, folder, workers, options.batches))
        tried[-1].batch_s = whole.batch_s
    start = time.monotonic()
    for number, chaos in enumerate(tried):
        share = options.kills // len(tried) + (number < options.kills % len(tried))
        while chaos.kills < share:
            while len(chaos.seen()) < options.batches:
                chaos.live(draw if chaos.kills < share else None)
            if chaos.seen() != expected:
                print(f"{chaos.name}, round {chaos.rounds + 1}: other batches")
                return 1
            chaos.rounds += 1
        chaos.check_nothing_left()
        print(
            f"{chaos.name}: {chaos.kills} kills over {chaos.rounds} rounds, "
            f"after batches {sorted(chaos.killed_after)}"
        )
    total = sum(chaos.kills for chaos in tried)
    each_s = (time.monotonic() - start) / max(1, total)
    print(f"{total} kills: the same {options.batches} batches every time ({each_s:.1f} s a kill)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
