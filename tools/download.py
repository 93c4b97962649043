"""A download that grows step by step, what is made of it, and how much work that took."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from homage_sdk import Dataset
from homage_sdk.ids import SequenceId, ViewId
from homage_sdk.ingest import ingest
from homage_sdk.media import probe
from homage_sdk.shards import PackOptions, pack
from homage_sdk.shards.packing import sample
from homage_sdk.synth.film.video_file import Track, write_video
from homage_sdk.synth.label_files import write_classes
from homage_sdk.synth.release_paths import LAYOUTS
from homage_sdk.testing import write_labels
from homage_sdk.testing.full_size_names import OBJECTS, RELATIONSHIPS

PATHS = LAYOUTS["hacgen"]
OPTIONS = PackOptions(short_side=32, shard_bytes=150_000)
FLAGS = ("--size", "32", "--shard-mb", "0.15", "--workers", "1")
"""The same as options of the command."""
KILLED = """
import importlib, itertools, os, signal, sys
from homage_sdk.cli import main
module, name, last = sys.argv[1:4]
del sys.argv[1:4]
module, calls = importlib.import_module(module), itertools.count(1)
function = getattr(module, name)
def until_the_last(*arguments, **named):
    if next(calls) == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments, **named)
setattr(module, name, until_the_last)
main()
"""
SIZE, N_FRAMES = (64, 48), 48


@dataclass(frozen=True)
class Expected:
    """What a step may cost, and whether it ends as a fresh start would."""

    probed: int = 0
    encoded: int | None = 0
    """Videos and sounds; None where a killed command made some of them."""
    shards: int | None = 0
    """Files whose bytes change; None where the step changes who is in which shard."""
    as_fresh: bool = True
    """False while class ids are kept that a fresh start would give otherwise."""
    encoded_below: int | None = None
    """Of a command that goes on after a kill."""


class Download:
    """A server that has everything, a disk filled from it, and what is made of the disk."""

    def __init__(self, work: Path, seed: int) -> None:
        self.work = work
        self.server, self.disk = work / "server", work / "disk" / "HOMAGE"
        self.catalog = work / "products" / "catalog"
        self.shards = self.catalog / "shards"
        write_labels(self.server, scale="tiny", seed=seed)
        write_classes(self.server, PATHS, "object", sorted(OBJECTS))
        write_classes(self.server, PATHS, "relationship", sorted(RELATIONSHIPS))
        names = sorted(path.stem for path in self.server.rglob("*.mkv"))
        self.views: dict[SequenceId, list[ViewId]] = {}
        for view in map(ViewId.parse, names):
            self.views.setdefault(view.sequence, []).append(view)
        people: dict[int, list[SequenceId]] = {}
        for sequence in self.views:
            people.setdefault(sequence.participant, []).append(sequence)
        self.people = [mine[:4] for mine in people.values()]
        self.foreign: dict[Path, bytes] = {}
        self.counts: Counter[str] = Counter()

    def leave_notes(self) -> None:
        """Files of the user's own, in and above all that commands write, and in the download."""
        places = (self.catalog.parent, self.catalog, self.catalog / "mine", self.shards, self.disk)
        for folder in places:
            path = folder / "note.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"kept by hand in {folder}", "utf-8")
            self.foreign[path] = path.read_bytes()

    def copy(self, path: PurePosixPath) -> Path:
        """One file from the server, with its time as ``rsync -a`` keeps it."""
        target = self.disk / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.server / path, target)
        return target

    def lists(self, *kinds: str) -> None:
        """The split lists and some class files."""
        for split in PATHS.splits:
            self.copy(PATHS.split_list(split))
        for kind in kinds:
            self.copy(PATHS.class_file(kind))

    def labels(self, sequences: list[SequenceId]) -> None:
        """Atomic actions."""
        for sequence in sequences:
            self.copy(PATHS.actions(sequence))

    def graphs(self, sequences: list[SequenceId]) -> None:
        """Scene graphs, where the sequence has any."""
        for sequence in sequences:
            for view in self.views[sequence]:
                if (self.server / PATHS.graphs(view)).exists():
                    self.copy(PATHS.graphs(view))

    def film(self, view: ViewId, version: int = 0) -> Path:
        """Make a video on the server: the ego view has sound, each its own picture."""
        path = self.server / PATHS.video(view)
        rng = np.random.default_rng([version, *map(ord, str(view))])
        small = rng.integers(0, 255, (N_FRAMES, 3, 4, 3), dtype=np.uint8)
        frames = small.repeat(16, axis=1).repeat(16, axis=2)
        samples = rng.normal(0, 0.1, 48_000 * N_FRAMES // 30).astype(np.float32)
        track = Track(samples, 1.0, rng, 16_000) if view.view == 0 else None
        write_video(path, frames, SIZE, track)
        return path

    def videos(self, sequences: list[SequenceId]) -> Expected:
        """Every view of some sequences; says what that costs."""
        n_videos = n_sounds = 0
        for sequence in sequences:
            for view in self.views[sequence]:
                self.film(view)
                self.copy(PATHS.video(view))
                n_videos, n_sounds = n_videos + 1, n_sounds + (view.view == 0)
        return Expected(n_videos, n_videos + n_sounds, None)

    def edit(self, sequence: SequenceId, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Correct a label file, on the disk and on the server."""
        path = self.disk / PATHS.actions(sequence)
        records = json.loads(path.read_bytes())
        change(records)
        path.write_bytes(json.dumps(records).encode())
        shutil.copy2(path, self.server / PATHS.actions(sequence))

    def run(self) -> None:
        """The two commands, in this process so that their work is counted."""
        ingest(self.disk, self.catalog)
        pack(Dataset(self.catalog), self.shards, OPTIONS, workers=1)

    def fresh(self) -> dict[str, bytes]:
        """What a fresh start makes of the same files."""
        folder = self.work / "fresh"
        shutil.rmtree(folder, ignore_errors=True)
        ingest(self.disk, folder / "catalog")
        pack(Dataset(folder / "catalog"), folder / "shards", OPTIONS, workers=2)
        return products(folder / "catalog", folder / "shards")

    def killed(self, *arguments: str, at: str, call: int = 1) -> None:
        """Run a command that is killed as it begins such a ``call`` of ``at`` (module.function)."""
        module, _, function = at.rpartition(".")
        done = subprocess.run(
            [sys.executable, "-c", KILLED, module, function, str(call), *arguments],
            capture_output=True,
            check=False,
        )
        if done.returncode != -signal.SIGKILL:
            raise SystemExit(f"{arguments[0]} ended by itself: {done.stderr.decode()}")


def products(catalog: Path, shards: Path) -> dict[str, bytes]:
    """The files whose bytes are promised: those that catalog.json and manifest.json name."""
    tables = json.loads((catalog / "catalog.json").read_bytes())["files"]
    names = [*(f"{table}.parquet" for table in tables), "catalog.json"]
    tars = json.loads((shards / "manifest.json").read_bytes())["shards"]
    packed = [*(tar["name"] for tar in tars), "index.parquet", "manifest.json"]
    return {f"catalog/{name}": (catalog / name).read_bytes() for name in names} | {
        f"shards/{name}": (shards / name).read_bytes() for name in packed
    }


@contextmanager
def counted(counts: Counter[str]) -> Iterator[None]:
    """Count videos probed, and videos and sounds encoded."""
    places = [(probe, "probe_video", "probed")]
    places += [(sample, name, "encoded") for name in ("encode_view", "encode_sound")]
    kept = [getattr(module, name) for module, name, _ in places]

    def counting(function: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            counts[what] += 1
            return function(*arguments, **named)

        return call

    for (module, name, what), function in zip(places, kept, strict=True):
        setattr(module, name, counting(function, what))
    try:
        yield
    finally:
        for (module, name, _), function in zip(places, kept, strict=True):
            setattr(module, name, function)


Step = Callable[[Download], Expected]
"""Changes the download; its docstring names it."""
