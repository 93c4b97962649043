"""Labels at HOMAGE's size: how long ingest and opening take beside reading and parsing the files.

    python tools/bench_labels.py [RELEASE] [--repeat 5] [--videos]

Without RELEASE the full-scale label files are written to a temporary folder first (not timed). All
figures come from one run of this process, best of ``--repeat``, the parts taken in turn so that a
busy machine slows all of them alike. Wall time is judged; CPU time stands beside it, for machines
with other work. The floor is: read every JSON label file, ``orjson.loads`` it.

With ``--videos`` every video name of the written release is a link to a film as long as its labels
and 16 pixels wide, so that tables and the log of known videos have their real size and the first
ingest probes 5,700 files. Then one label file is touched before each ingest: what that costs beside
an ingest without media, and how many videos it probes (none may be).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson

INGEST_LIMIT = 4.0
TOUCHED_LIMIT = 2.0
OPEN_LIMIT_MS = 150.0
OPEN_LIMIT_MB = 150.0
VALIDATE_LIMIT = 10.0

_OPEN = """
import json, os, sys, time
began = time.perf_counter()
from homage_sdk import Dataset
imported = time.perf_counter()
dataset = Dataset(sys.argv[1])
opened = time.perf_counter()
pages = int(open("/proc/self/statm").read().split()[1])
figures = {"import_ms": 1e3 * (imported - began), "open_ms": 1e3 * (opened - imported)}
figures["resident_mb"] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
print(json.dumps(figures | {"sequences": len(dataset)}))
"""


class Cost(NamedTuple):
    """Seconds on the wall and of all processors together."""

    wall: float
    cpu: float


def floor(release: Path) -> None:
    """Read and parse every label file."""
    for path in sorted(release.rglob("*.json")):
        orjson.loads(path.read_bytes())


def timed(work: Callable[[], object]) -> Cost:
    """What one call costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def measure(release: Path, catalog: Path, repeat: int) -> dict[str, Cost]:
    """The best of each part, the parts taken in turn."""
    from homage_sdk.ingest import ingest
    from homage_sdk.release import read_release
    from homage_sdk.validation import validate

    parts: dict[str, Callable[[], object]] = {
        "floor": lambda: floor(release),
        "read_release": lambda: read_release(release),
        "validate": lambda: validate(read_release(release)),
        "ingest": lambda: ingest(release, catalog, media=False, force=True),
        "ingest_unchanged": lambda: ingest(release, catalog, media=False),
    }
    floor(release)  # the files into the page cache
    best = dict.fromkeys(parts, Cost(float("inf"), float("inf")))
    for _ in range(repeat):
        for name, work in parts.items():
            best[name] = Cost(*map(min, best[name], timed(work)))
    return best


def write_film(path: Path, n_frames: int) -> None:
    """A film 16 pixels wide."""
    import av
    import numpy as np

    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width = stream.height = 16
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
        for _ in range(n_frames):
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def link_videos(release: Path, labels: Path) -> int:
    """Make every empty video a link to a film as long as its labels; how many there are."""
    from homage_sdk import Dataset

    lengths = {str(sequence.id): sequence.n_frames for sequence in Dataset(labels)}
    names = list(release.rglob("*.mkv"))
    for name in names:
        sequence = "_".join(part for part in name.stem.split("_") if part[0] != "v")
        n_frames = -(-lengths[sequence] // 150) * 150 or 150
        film = release.parent / f"{n_frames}.film"
        if not film.exists():
            write_film(film, n_frames)
        name.unlink()
        name.hardlink_to(film)
    return len(names)


def measure_touched(release: Path, catalog: Path, repeat: int) -> int:
    """Print what one touched label costs where all videos are known; 1 when a limit is missed."""
    from homage_sdk.catalog import Catalog
    from homage_sdk.ingest import ingest
    from homage_sdk.media import probe

    labels_only = catalog.parent / "labels only"
    ingest(release, labels_only, media=False)
    n_videos, probed, real = link_videos(release, labels_only), 0, probe.probe_video

    def counted(path: Path) -> probe.VideoProbe:
        nonlocal probed
        probed += 1
        return real(path)

    probe.probe_video = counted
    label = next(release.rglob("*_aa.json"))
    first = timed(lambda: ingest(release, catalog))
    n_frames = Catalog(catalog).info.counts["pts"]
    print(
        f"  first ingest of {n_videos} videos, {n_frames} frames: {first.wall:.1f} s wall,", end=""
    )
    print(f" {first.cpu:.1f} s cpu, probed {probed}")
    probed = 0
    parts: dict[str, Callable[[], object]] = {
        "touched, videos": lambda: (label.touch(), ingest(release, catalog)),
        "fresh, no media": lambda: ingest(release, labels_only, media=False, force=True),
        "untouched": lambda: ingest(release, catalog),
    }
    best = dict.fromkeys(parts, Cost(float("inf"), float("inf")))
    for _ in range(repeat):
        for name, work in parts.items():
            best[name] = Cost(*map(min, best[name], timed(work)))
    base = best["fresh, no media"]
    for name, cost in best.items():
        ratio = cost.wall / base.wall
        print(f"  {name:<18} {cost.wall:7.3f} s wall {ratio:6.2f}x   {cost.cpu:7.3f} s cpu")
    ratio = best["touched, videos"].wall / base.wall
    print(f"  limit {TOUCHED_LIMIT:g}x: {verdict(ratio, TOUCHED_LIMIT)}; probed again: {probed}")
    return 1 if ratio > TOUCHED_LIMIT or probed else 0


def open_dataset(catalog: Path, repeat: int) -> dict[str, float]:
    """A fresh process each time: import, open, peak memory; the best of each."""
    runs = []
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, "-c", _OPEN, str(catalog)], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("release", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--videos", action="store_true", help="One touched label of a whole one.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="homage-labels-") as folder:
        release = arguments.release
        if release is None:
            from homage_sdk.testing import write_labels

            release = Path(folder) / "release"
            write_labels(release)
            if arguments.videos:
                return measure_touched(release, Path(folder) / "catalog", arguments.repeat)
        best = measure(release, Path(folder) / "catalog", arguments.repeat)
        opened = open_dataset(Path(folder) / "catalog", arguments.repeat)
    return report(best, opened)


def report(best: dict[str, Cost], opened: dict[str, float]) -> int:
    """Print every figure and ratio; 1 when a limit is missed."""
    base = best["floor"]
    print(f"{os.cpu_count()} cores; the floor is to read and orjson.loads every label file")
    limits = {"ingest": INGEST_LIMIT, "validate": VALIDATE_LIMIT}
    missed = 0
    for name, cost in best.items():
        ratio = cost.wall / base.wall
        text = f"  {name:<18} {cost.wall:7.3f} s wall {ratio:6.2f}x floor"
        text += f"   {cost.cpu:7.3f} s cpu {cost.cpu / base.cpu:6.2f}x"
        if name in limits:
            missed += ratio > limits[name]
            text += f"   limit {limits[name]:g}x: {verdict(ratio, limits[name])}"
        print(text)
    for name, limit in (("open_ms", OPEN_LIMIT_MS), ("resident_mb", OPEN_LIMIT_MB)):
        missed += opened[name] > limit
        print(f"  {name:<18} {opened[name]:7.1f}   limit {limit:g}: {verdict(opened[name], limit)}")
    print(f"  {'import_ms':<18} {opened['import_ms']:7.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak of this process, ingest included: {peak:.0f} MB")
    return 1 if missed else 0


def verdict(found: float, limit: float) -> str:
    """In a word."""
    return "met" if found <= limit else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
