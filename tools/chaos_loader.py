"""Kill a training process in mid-epoch, resume it, and compare the batches it saw.

    python tools/chaos_loader.py [SHARDS] --kills 50 [--workers 2] [--batches 40]

A child process iterates over epochs, writes down the hash of each batch and then the state of the
loader, and is sent SIGKILL at random moments. The batches that all its lives saw together must be
those of a child that nobody disturbed. Without shards, those of a small synthetic release are made.
Exit code 0 when they agree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chaos_pack import small_catalog

from homage_sdk import Dataset
from homage_sdk.shards import Batch, ClipLoader, LoaderOptions, PackOptions, ShardSet, pack
from homage_sdk.storage import write_file


def small_shards(folder: Path) -> Path:
    """The shards of a small synthetic release, made below ``folder``."""
    pack(Dataset(small_catalog(folder)), folder / "shards", PackOptions(short_side=96))
    return folder / "shards"


def digest(batch: Batch) -> str:
    """A hash of every tensor and id of a batch."""
    whole = hashlib.sha256(repr(batch.sequence).encode())
    tensors = [batch.frames, batch.activity, batch.atomic_block, *batch.video.values()]
    tensors += [*batch.view.values(), *batch.present.values()]
    for tensor in [*tensors, *([] if batch.logmel is None else [batch.logmel])]:
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()


def child(shards: Path, journal: Path, workers: int, batches: int) -> None:
    """See ``batches`` batches in all; the journal holds the hashes and the loader's state."""
    options = LoaderOptions(batch_size=2, blocks=4, size=64, workers=workers)
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
            if len(seen) == batches:
                break


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shards", type=Path, nargs="?")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.journal:
        child(options.shards, options.journal, options.workers, options.batches)
        return 0
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        shards = options.shards or small_shards(Path(folder))

        def live(journal: Path, kill_after_s: float | None) -> bool:
            arguments = [str(shards), "--journal", str(journal)]
            arguments += ["--workers", str(options.workers), "--batches", str(options.batches)]
            process = subprocess.Popen([sys.executable, __file__, *arguments])
            try:
                if process.wait(kill_after_s) != 0:
                    raise SystemExit("the child failed")
                return True
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return False

        start = time.monotonic()
        whole = Path(folder) / "whole.json"
        live(whole, None)
        undisturbed_s = time.monotonic() - start
        expected = json.loads(whole.read_text())["seen"]
        kills = rounds = 0
        while kills < options.kills:
            journal = Path(folder) / f"{rounds}.json"
            while kills < options.kills:
                if live(journal, draw.uniform(0.3, 1.1) * undisturbed_s):
                    break
                kills += 1
            else:
                live(journal, None)
            rounds += 1
            if json.loads(journal.read_text())["seen"] != expected:
                print(f"round {rounds}: other batches")
                return 1
        print(f"{kills} kills over {rounds} rounds: the same {len(expected)} batches every time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
