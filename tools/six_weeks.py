"""Six weeks of a download: a release grows, is corrected, moved, broken and repaired.

    python tools/six_weeks.py [--seed 0]

After every step the same two commands run, `homage ingest` into the same catalog and `homage pack`
into the same shards. Catalog and shards must then equal, byte for byte, those of a fresh start on
the same files; only what changed is probed and encoded again; files that are not ours stay. Prints
a row for each step. Exit code 0 when every step held.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import download_breaks
import download_grows
from download import Download, Expected, counted, products
from rich.console import Console

from homage_sdk.shards import verify


def faults_after(at: Download, before: dict[str, bytes], expected: Expected) -> list[str]:
    """What a step broke."""
    found = products(at.catalog, at.shards)
    faults = [
        f"lost or changed: {p}"
        for p, data in at.foreign.items()
        if not p.exists() or p.read_bytes() != data
    ]
    mine = {path.name for path in at.foreign}
    problems = [problem for problem in verify(at.shards) if problem.place.file not in mine]
    faults += [f"verify: {problem.message}" for problem in problems]
    for what, most in (("probed", expected.probed), ("encoded", expected.encoded)):
        if most is not None and at.counts[what] != most:
            faults.append(f"{at.counts[what]} {what}, not {most}")
    if expected.encoded_below is not None and at.counts["encoded"] >= expected.encoded_below:
        faults.append("nothing of what the killed pack had made was kept")
    changed = sum(data != before.get(name) for name, data in found.items() if name.endswith(".tar"))
    if expected.shards is not None and changed != expected.shards:
        faults.append(f"{changed} shards changed, not {expected.shards}")
    if expected.as_fresh:
        fresh = at.fresh()
        names = sorted(n for n in found.keys() | fresh.keys() if found.get(n) != fresh.get(n))
        faults += [f"unlike a fresh start: {', '.join(names)}"] if names else []
    return faults


def six_weeks(work: Path, seed: int = 0, steps: int | None = None) -> Iterator[tuple[str, ...]]:
    """Take the steps; a row for each: its name, the work done, seconds, what is wrong."""
    at = Download(work, seed)
    before: dict[str, bytes] = {}
    for take in (*download_grows.STEPS, *download_breaks.STEPS)[:steps]:
        at.counts.clear()
        begin = time.monotonic()
        with counted(at.counts):
            expected = take(at)
            at.run()
        seconds = time.monotonic() - begin
        faults = faults_after(at, before, expected)
        if not at.foreign:
            at.leave_notes()
        now = products(at.catalog, at.shards)
        tars = [n for n in now if n.endswith(".tar")]
        changed = sum(now[n] != before.get(n) for n in tars)
        before = now
        work_done = (str(at.counts["probed"]), str(at.counts["encoded"]), f"{changed}/{len(tars)}")
        name = (take.__doc__ or take.__name__).rstrip(".")
        yield (name, *work_done, f"{seconds:.1f}", "; ".join(faults))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    console = Console(soft_wrap=True)
    console.print("probed encoded  shards      s  step")
    n_wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for row in six_weeks(Path(folder), options.seed, options.steps):
            name, probed, encoded, shards, seconds, wrong = row
            console.print(f"{probed:>6} {encoded:>7} {shards:>7} {seconds:>6}  {name}")
            if wrong:
                n_wrong += 1
                console.print(f"   WRONG: {wrong}", style="red")
    console.print("every step held" if not n_wrong else f"{n_wrong} steps did not hold")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
