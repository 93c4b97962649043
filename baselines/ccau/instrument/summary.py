"""What the instrument found, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from baselines.ccau.instrument.checks import FaultCheck
from baselines.ccau.instrument.claims import (
    PairedTest,
    Results,
    baseline,
    gains,
    must_be_caught,
    paired,
)
from baselines.ccau.instrument.linear_nets import VIEWS
from baselines.ccau.instrument.mutants import TRAINED
from baselines.ccau.instrument.protocol import Protocol
from baselines.ccau.instrument.run_all import ARMS
from baselines.ccau.instrument.trials import Trial


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def claim_rows(findings: Sequence[PairedTest], level: float) -> str:
    """The family of claims."""
    rows = [
        [f.claim, f"{f.side} {f.limit:+g}", f"{f.mean:+.2f} ({f.sd:.2f})", f"{f.bound:+.2f}",
         _p(f.p), _p(f.holm), "**holds**" if f.holds(level) else "**fails**", str(f.n)]
        for f in findings
    ]  # fmt: skip
    return table(
        ["claim", "must be", "mean (sd)", "95 % bound", "p", "Holm p", "verdict", "seeds"], rows
    )


def arm_rows(results: Results, protocol: Protocol) -> str:
    """Accuracy of each arm, and what it gains on single training of the same world and seeds."""
    rows = []
    trained = [*ARMS, *((world, arm) for arm, world in TRAINED.items())]
    for world, arm in trained:
        own = [r for job, r in results.items() if (job.world, job.arm) == (world, arm)]
        if not own:
            continue
        cells = []
        for view in VIEWS:
            accuracy = np.mean([r["accuracy"][view] for r in own])
            gain = paired("", gains(results, view)(world, arm, "single"), "above", 0.0, 0.05)
            shown = "" if arm == "single" else f", {gain.mean:+.2f} ({gain.sd:.2f})"
            cells.append(f"{accuracy:.1f}{shown}")
        aligned = [r["alignment"] for r in own if "alignment" in r]
        means = [
            f"{100 * np.mean([a[figure] for a in aligned]):.1f}" if aligned else "-"
            for figure in ("accuracy", "placebo", "chance")
        ]
        rows.append([world, arm, *cells, *means, str(len(own))])
    head = ["world", "arm", *(f"{v} %, gain on single (sd)" for v in VIEWS),
            "alignment %", "placebo %", "chance %", "seeds"]  # fmt: skip
    return table(head, rows)


def difference_rows(findings: Sequence[PairedTest]) -> str:
    """Differences with two-sided intervals, of findings made at half the level."""
    rows = [
        [f.claim, f"{f.mean:+.2f} ({f.sd:.2f})", f"{f.bound:+.2f} to {2 * f.mean - f.bound:+.2f}",
         str(f.n)]
        for f in findings
    ]  # fmt: skip
    return table(["difference", "mean (sd)", "95 % interval", "seeds"], rows)


def mutant_rows(findings: Sequence[PairedTest], level: float) -> str:
    """What trained mutants lose."""
    rows = []
    for f in findings:
        verdict = "by an exact check (below)"
        if must_be_caught(f):
            verdict = "**caught**" if f.holds(level) else "**not caught**"
        rows.append([f.claim, f"{f.mean:+.2f} ({f.sd:.2f})", f"{f.bound:+.2f}", verdict, str(f.n)])
    return table(["intact minus mutant", "mean (sd)", "lower 95 % bound", "verdict", "seeds"], rows)


def check_rows(checks: Sequence[FaultCheck]) -> str:
    """The exact checks."""
    rows = [
        [c.name, c.mutant, f"{c.intact:.4g}", f"{c.broken:.4g}",
         "**caught**" if c.caught and c.passes else "**not caught**"]
        for c in checks
    ]  # fmt: skip
    return table(["check", "mutant", "intact", "mutant's", "verdict"], rows)


def cpu_minutes(results: Results) -> float:
    """What training and judging of all arms took."""
    return sum(float(r["cpu_s"]) for r in results.values()) / 60


def gains_by_arm(results: Results) -> list[tuple[str, str, dict[str, list[float]]]]:
    """(world, arm, view: gain of each seed on single training) of the arms that are no mutants."""
    found = []
    for world, arm in ARMS:
        if arm != "single":
            by_view = {v: gains(results, v)(world, arm, "single") for v in VIEWS}
            if all(by_view.values()):
                found.append((world, arm, by_view))
    return found


def complete_seeds(results: Results, seeds: Sequence[int]) -> list[int]:
    """Seeds of which every arm that is no mutant has been trained."""
    needed = {(world, arm) for world, arm in ARMS}
    return [
        seed for seed in seeds
        if all(baseline(Trial(world, arm, seed)) in results for world, arm in needed)
    ]  # fmt: skip


def _p(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1e}" if value < 0.001 else f"{value:.3f}"
