"""What the instrument claims, tested over seeds: paired one-sided bounds, Holm over the family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from baselines.ccau.instrument.arms import Job
from baselines.ccau.instrument.linear_nets import VIEWS
from baselines.ccau.instrument.mutants import TRAINED
from baselines.ccau.instrument.protocol import Protocol

Results = Mapping[Job, Mapping[str, Any]]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """A mean over seeds, and its bound on the side of the claim at the protocol's level."""

    claim: str
    side: str
    """``above`` or ``below`` the limit."""
    limit: float
    mean: float
    sd: float
    bound: float
    p: float
    n: int
    holm: float = float("nan")

    def holds(self, level: float) -> bool:
        """After Holm's correction, where there was one; never with fewer than two seeds."""
        return bool((self.p if np.isnan(self.holm) else self.holm) < level)


def paired(
    claim: str, differences: Sequence[float], side: str, limit: float, level: float
) -> Finding:
    """One-sided t test of the mean of paired differences against ``limit``.

    >>> found = paired("gain", [2.0, 3.0, 4.0], "above", 0.0, 0.05)
    >>> round(found.mean, 2), round(found.bound, 2), round(found.p, 3)
    (3.0, 1.31, 0.018)
    """
    values = np.asarray(differences, dtype=np.float64)
    n, sign = len(values), 1.0 if side == "above" else -1.0
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        nan = float("nan")
        return Finding(claim, side, limit, mean, nan, nan, 1.0, n)
    sd = float(values.std(ddof=1))
    error = sd / n**0.5
    bound = mean - sign * float(stats.t.ppf(1 - level, n - 1)) * error
    if error == 0.0:
        p = 0.0 if sign * (mean - limit) > 0 else 1.0
    else:
        p = float(stats.t.sf(sign * (mean - limit) / error, n - 1))
    return Finding(claim, side, limit, mean, sd, bound, p, n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted


def claims(results: Results, protocol: Protocol, *, coop: str = "coop") -> list[Finding]:
    """The family of claims with Holm's p-values; ``coop`` names the arm that is put to the test."""
    tests = protocol.tests
    found = []

    def claim(name: str, values: Sequence[float], side: str, limit: float) -> None:
        found.append(paired(name, values, side, limit, tests.level))

    for view in VIEWS:
        gain = gains(results, view)
        claim(f"plus: coop - placebo, {view}", gain("plus", coop, "placebo"), "above",
              tests.smallest_effect)  # fmt: skip
        claim(f"plus: coop - single, {view}", gain("plus", coop, "single"), "above", 0.0)
        for world in ("null", "nuisance"):
            claim(f"{world}: coop - single, {view}", gain(world, coop, "single"), "below",
                  tests.smallest_effect)  # fmt: skip
        claim(f"absence: coop - single, {view}", gain("absence", coop, "single"), "above", 0.0)
    for world in ("plus", "absence"):
        above = [
            100 * (aligned["accuracy"] - aligned["placebo"])
            for job, result in results.items()
            if job.world == world and job.arm == coop and (aligned := result.get("alignment"))
        ]
        claim(f"{world}: alignment accuracy - its placebo", above, "above", 0.0)
    corrected = holm([finding.p for finding in found])
    return [
        Finding(**{**vars(finding), "holm": p}) for finding, p in zip(found, corrected, strict=True)
    ]


def gains(results: Results, view: str) -> Callable[[str, str, str], list[float]]:
    """``(world, arm, other)`` to the differences in points, of the seeds that have both."""

    def between(world: str, arm: str, other: str) -> list[float]:
        found = []
        for job, result in results.items():
            if (job.world, job.arm) == (world, arm):
                base = results.get(baseline(Job(job.world, other, job.seed)))
                if base is not None:
                    found.append(result["accuracy"][view] - base["accuracy"][view])
        return found

    return between


def baseline(job: Job) -> Job:
    """Where the result of an arm lies: single training in ``null`` is that of ``plus``."""
    if job.world == "null" and job.arm == "single":
        return Job("plus", "single", job.seed)
    return job


def mutants_caught(results: Results, protocol: Protocol) -> list[Finding]:
    """What trained mutants lose against the intact arm of the same seeds, by view."""
    tests = protocol.tests
    return [
        paired(
            f"{world}: coop - {arm}, {view}",
            gains(results, view)(world, "coop", arm),
            "above",
            tests.mutant_gap,
            tests.level,
        )  # fmt: skip
        for arm, world in TRAINED.items()
        if arm not in EXACT
        for view in VIEWS
    ]


EXACT = ("shifted by a block", "masks ignored")
"""Trained mutants that another check than their accuracy must catch."""


def without_effect(results: Results) -> dict[Job, Mapping[str, Any]]:
    """Results as an alignment without effect gives them: cooperation is single training."""
    changed = dict(results)
    for job in results:
        if job.arm == "coop":
            single = results.get(baseline(Job(job.world, "single", job.seed)))
            if single is not None:
                changed[job] = single
    return changed
