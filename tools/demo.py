"""The whole road in one run: a release, its catalog, shards, CCAU, and a page to look at.

Every step is a command that a user would type, printed before it runs. Each knows by itself what is
done already, so a second run does nothing twice, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
CONFIG = Path("baselines/ccau/configs/demo.toml")
FOUND_PROBLEMS = 1  # the exit code of a command that did its work and reports faults in the data


@dataclass(frozen=True)
class Step:
    """One command of the road."""

    title: str
    command: tuple[str, ...] | Callable[[], tuple[str, ...]]
    """Its words; or what gives them once the steps before are done."""
    may_report: bool = False


def road(out: Path, release: Path | None, limit: int) -> list[Step]:
    """The steps for a synthetic release, or for the user's own."""
    steps = []
    if release is None:
        source = out / "release"
        synth = ("homage", "synth", str(source), "--sequences", "144", "--activities", "6")
        shape = ("--size", "320x240", "--seconds", "6", "10", "--seed", "1")
        steps.append(Step("Write a synthetic release: video, sound, labels", (*synth, *shape)))
        few: tuple[str, ...] = ()
    else:
        source = release
        few = ("--limit", str(limit)) if limit else ()
    catalog, shards, run = str(out / "catalog"), str(out / "shards"), str(out / "run")
    return [
        *steps,
        Step(
            "Read and validate it into a catalog", ("homage", "ingest", str(source), catalog), True
        ),
        Step("Statistics beside the paper's", ("homage", "stats", catalog)),
        Step("Pack clips into WebDataset shards", ("homage", "pack", catalog, shards, *few), True),
        Step("Check every shard", ("homage", "verify", shards)),
        Step(
            "Train CCAU: ego, third-person and audio together",
            ("ccau", "train", str(CONFIG), "--shards", shards, "--out", run),
        ),
        Step("Evaluate each modality alone", ("ccau", "evaluate", run, "--shards", shards)),
        Step("Draw the page", ("ccau", "report", catalog, run, str(out / "index.html"))),
        Step("A page in which one sequence plays", lambda: page_that_plays(out), True),
    ]


def page_that_plays(out: Path) -> tuple[str, ...]:
    """What writes the page of a sequence that the run was judged on, one with the most views."""
    import numpy as np

    from homage_sdk import Dataset

    with np.load(out / "run" / "predictions.npz", allow_pickle=False) as file:
        judged = file["sequences"].tolist()
    dataset = Dataset(out / "catalog").select(judged)
    sequence = max(dataset, key=lambda each: (sum(v.is_available for v in each.views), each.id))
    page = ("-o", str(out / "view.html"), "--run", str(out / "run"))
    return ("homage", "view", str(out / "catalog"), str(sequence.id), *page)


def walk(steps: list[Step]) -> int:
    """Run the steps in order; stop at the first that could not do its work."""
    begin = time.monotonic()
    for number, step in enumerate(steps, 1):
        print(f"\n[{number}/{len(steps)}] {step.title}", flush=True)
        program, *words = step.command if isinstance(step.command, tuple) else step.command()
        print("      $ " + " ".join([program, *words]), flush=True)
        started = time.monotonic()
        code = subprocess.run([str(BIN / program), *words], check=False).returncode
        if code and not (step.may_report and code == FOUND_PROBLEMS):
            print(f"\nstopped at step {number} (exit code {code}); `make demo` goes on from here")
            return code
        print(f"      {time.monotonic() - started:.1f} s", flush=True)
    print(f"\ndone in {time.monotonic() - begin:.0f} s", flush=True)
    return 0


def main() -> int:
    """Parse the command line and walk the road."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"))
    parser.add_argument("--release", type=Path, help="your own HOMAGE download")
    parser.add_argument("--limit", type=int, default=48, help="sequences of it to use; 0 = all")
    options = parser.parse_args()
    try:
        code = walk(road(options.out, options.release, options.limit))
    except KeyboardInterrupt:
        print("\nInterrupted. Finished work is kept; run `make demo` again to resume.")
        return 130
    if code == 0:
        for page in ("index.html", "view.html"):
            print(f"open {(options.out / page).resolve().as_uri()}")
    return code


if __name__ == "__main__":
    sys.exit(main())
