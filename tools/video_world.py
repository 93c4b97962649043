"""Does cooperation help through the whole road, in videos that are made so that it must?

    python tools/video_world.py OUT [--seeds 6] [--page docs/ccau_video_world.md]

Two synthetic releases are written, ingested and packed (`homage synth --world shared` and `apart`),
and arms are trained on their shards (tools/video_world.toml): `single`; `coop`, where both views
show one content; `apart`, the same where the training videos of third show another sequence of the
class. What is done is kept: the same command goes on. Gains are printed only where the alignment
did its work (the manipulation check), and whichever way they fall.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from baselines.ccau.instrument.claims import paired
from baselines.ccau.runs.metrics_log import read_metrics
from homage_sdk.evaluation.metrics import known_mean

CONFIG = Path(__file__).with_name("video_world.toml")
SYNTH = ("--size", "64x64", "--seconds", "4", "4", "--clean", "--seed", "1")
FULL = ("--sequences", "1600", "--activities", "20")
SMALL = ("--sequences", "64", "--activities", "2")
PACK = ("--no-audio", "--no-scene-graphs", "--no-sensors", "--size", "64")
ARMS = {
    "single": ("shared", "single"),
    "coop": ("shared", "cooperative"),
    "apart": ("apart", "cooperative"),
}
VIEWS = ("ego", "third")
LAST_STEPS = 50
POWER = 0.8
REPORTED = 1
"""Exit code of a command that did its work and reports faults in the data."""
LEVEL = 0.05


@dataclass(frozen=True)
class Trained:
    """What one run gave: points of top-1 accuracy by view, and what its last steps measured."""

    accuracy: dict[str, float]
    alignment: dict[str, float]
    loss: dict[str, float]
    """Cross entropy of the activity by view, in training."""


def call(*command: object) -> None:
    """Run a command of this environment on one thread; its output is shown where it fails."""
    words = [str(word) for word in command]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    script = Path(sys.executable).parent / words[0]
    done = subprocess.run(
        [script, *words[1:]], env=one, capture_output=True, text=True, check=False
    )
    if done.returncode and (done.returncode != REPORTED or words[0] == "ccau"):
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def shards_of(out: Path, world: str, size: tuple[str, ...]) -> Path:
    """The shards of one world, made where they are not."""
    release, catalog, shards = (out / world / name for name in ("release", "catalog", "shards"))
    call("homage", "synth", release, "--world", world, *size, *SYNTH)
    call("homage", "ingest", release, catalog)
    call("homage", "pack", catalog, shards, *PACK)
    return shards


def train_one(out: Path, arm: str, seed: int, more: tuple[str, ...]) -> Trained:
    """Train and judge one arm with one seed, unless that is done."""
    world, kind = ARMS[arm]
    shards, run = out / world / "shards", out / "runs" / f"{arm}-{seed}"
    settings = ("--set", f"task.kind={kind}", "--set", f"run.seed={seed}", *more)
    call("ccau", "train", CONFIG, "--shards", shards, "--out", run, *settings)
    if not (run / "results.json").is_file():
        call("ccau", "evaluate", run, "--shards", shards)
    return read_run(run)


def read_run(run: Path) -> Trained:
    """The figures of a run that is trained and judged."""
    results = json.loads((run / "results.json").read_text())
    found = {view: results["modalities"][view]["activity"]["model"] for view in VIEWS}
    rows = [row for row in read_metrics(run / "metrics.jsonl") if row["kind"] == "step"]
    last = rows[-LAST_STEPS:]
    names = {name for name in last[-1]["stats"] if name.startswith("alignment_")}
    return Trained(
        {view: 100 * first(each["pooled"]["top1"]) for view, each in found.items()},
        {n.split("/")[0]: known_mean([row["stats"][n] for row in last]) for n in names},
        {v: known_mean([row["losses"][f"{v}/activity"] for row in last]) for v in VIEWS},
    )


def first(value: Any) -> float:
    """A figure without its interval."""
    return float(value[0] if isinstance(value, list) else value)


def gains(runs: dict[tuple[str, int], Trained], arm: str, other: str, view: str) -> list[float]:
    """Differences in points, of the seeds that have both."""
    return [
        trained.accuracy[view] - runs[other, seed].accuracy[view]
        for (name, seed), trained in runs.items()
        if name == arm and (other, seed) in runs
    ]


def detectable(sd: float, n: int) -> float:
    """The difference that a two-sided paired t test of ``n`` seeds finds with power 0.8, points."""
    return float((stats.t.ppf(1 - LEVEL / 2, n - 1) + stats.t.ppf(POWER, n - 1)) * sd / n**0.5)


def check(runs: dict[tuple[str, int], Trained], arm: str) -> tuple[str, bool]:
    """Whether the alignment of an arm found its partner: a row, and the verdict."""
    seen = [trained.alignment for (name, _), trained in runs.items() if name == arm]
    figures = {
        k: [each[f"alignment_{k}"] for each in seen] for k in ("accuracy", "placebo", "chance")
    }
    found = paired(
        arm, [100 * (a - b) for a, b in zip(figures["accuracy"], figures["placebo"], strict=True)],
        "above", 0.0, LEVEL,
    )  # fmt: skip
    means = " | ".join(f"{100 * float(np.mean(v)):.1f}" for v in figures.values())
    passed = found.holds(LEVEL) and np.mean(figures["accuracy"]) > 2 * np.mean(figures["chance"])
    return f"| {arm} | {means} | {found.p:.2g} | {'passes' if passed else '**fails**'} |", bool(
        passed
    )


HEAD = """# A video world through the whole road: does cooperation help?

Written by `python tools/video_world.py`, settings in `tools/video_world.toml`. Nothing here says
anything of HOMAGE. The pictures are gratings whose contrasts carry what a view shows
(`homage_sdk/synth/film/pattern_view.py`): a content that depends on the activity, and a nuisance of
each view's own. `coop` is trained where both views of a sequence show one content; `apart` where
third shows, in training, that of another sequence of the activity. What `coop` has beyond `apart`
comes from what the views share.

Releases: `homage synth --world shared` and `apart` with `{synth}`. {n_seeds} seeds of training on
one pair of releases: intervals are over seeds, not over worlds. Top-1 accuracy of each view alone,
on both test splits, pooled.

## Manipulation check

Alignment accuracy of the last {last} steps (training batches), its placebo and chance, %. `apart`
need not pass: nothing but the activity is shared there.

| arm | accuracy | placebo | chance | p, above placebo | check |
|---|---|---|---|---|---|
{checks}

## Accuracy of each view alone

| arm | ego % (sd) | third % (sd) | loss in training, ego and third | seeds |
|---|---|---|---|---|
{arms}

The loss is the cross entropy of the activity in the last {last} steps; chance is {chance:.2f}.
Where it is still near that, networks have hardly begun to fit what they are trained on, and a
gain that comes with more training is not seen.

## Gains, paired by seed

{gains}
"""


def arm_row(runs: dict[tuple[str, int], Trained], arm: str) -> str:
    """A row of the table of accuracies."""
    mine = [trained for (name, _), trained in runs.items() if name == arm]
    by_view = [[each.accuracy[view] for each in mine] for view in VIEWS]
    cells = [f"{np.mean(values):.1f} ({np.std(values, ddof=1):.1f})" for values in by_view]
    losses = ", ".join(f"{np.mean([each.loss[view] for each in mine]):.2f}" for view in VIEWS)
    return f"| {arm} | {' | '.join(cells)} | {losses} | {len(mine)} |"


def gain_rows(runs: dict[tuple[str, int], Trained]) -> Iterator[str]:
    """The table of gains, line by line."""
    yield f"| difference, points | mean (sd) | 95 % interval | p | detectable, power {POWER:g} |"
    yield "|---|---|---|---|---|"
    for arm, other in (("coop", "single"), ("apart", "single"), ("coop", "apart")):
        for view in VIEWS:
            values = np.array(gains(runs, arm, other, view))
            n, mean, sd = len(values), float(values.mean()), float(values.std(ddof=1))
            half = float(stats.t.ppf(1 - LEVEL / 2, n - 1)) * sd / n**0.5
            p = float(stats.ttest_1samp(values, 0.0).pvalue)
            low, high = mean - half, mean + half
            yield (
                f"| {arm} - {other}, {view} | {mean:+.2f} ({sd:.2f}) | {low:+.2f} to {high:+.2f} "
                f"| {p:.2g} | {detectable(sd, n):.2f} |"
            )


def page(runs: dict[tuple[str, int], Trained], n_seeds: int, synth: str, *, activities: int) -> str:
    """The page; no gains where the alignment of ``coop`` did not find its partner."""
    checks = [check(runs, arm) for arm in ("coop", "apart")]
    refused = ["Not reported: `coop` fails its manipulation check, so nothing was put to the test."]
    return HEAD.format(
        synth=synth,
        n_seeds=n_seeds,
        last=LAST_STEPS,
        chance=float(np.log(activities)),
        checks="\n".join(row for row, _ in checks),
        arms="\n".join(arm_row(runs, arm) for arm in ARMS),
        gains="\n".join(gain_rows(runs) if checks[0][1] else refused),
    )


def main() -> None:
    """Make what is missing, two trainings at a time, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="whether it runs, in a minute")
    chosen = parser.parse_args()
    if chosen.seeds < 2:
        parser.error("--seeds: at least 2")
    size = SMALL if chosen.small else FULL
    more = ("--set", "optim.epochs=1") if chosen.small else ()
    begin = time.monotonic()
    for world in ("shared", "apart"):
        shards_of(chosen.out, world, size)
        print(f"{world}: shards are there, {time.monotonic() - begin:.0f} s", flush=True)
    todo = [(arm, seed) for seed in range(chosen.seeds) for arm in ARMS]
    runs: dict[tuple[str, int], Trained] = {}
    with ThreadPoolExecutor(chosen.processes) as pool:
        trained = pool.map(lambda job: train_one(chosen.out, job[0], job[1], more), todo)
        for job, found in zip(todo, trained, strict=True):
            runs[job] = found
            print(*job, found.accuracy, f"{time.monotonic() - begin:.0f} s", flush=True)
    text = page(runs, chosen.seeds, " ".join((*size, *SYNTH)), activities=int(size[-1]))
    target = chosen.page or chosen.out / "ccau_video_world.md"
    target.write_text(text)
    print(text, target, sep="\n")


if __name__ == "__main__":
    main()
