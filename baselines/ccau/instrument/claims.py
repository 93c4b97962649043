"""What the instrument claims, tested over seeds: paired one-sided bounds, Holm over the family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from baselines.ccau.instrument.linear_nets import VIEWS
from baselines.ccau.instrument.mutants import LOSING, TRAINED
from baselines.ccau.instrument.protocol import Protocol
from baselines.ccau.instrument.trials import Trial
from homage_sdk.evaluation.multiplicity import holm

Results = Mapping[Trial, Mapping[str, Any]]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class PairedTest:
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
) -> PairedTest:
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
        return PairedTest(claim, side, limit, mean, nan, nan, 1.0, n)
    sd = float(values.std(ddof=1))
    error = sd / n**0.5
    bound = mean - sign * float(stats.t.ppf(1 - level, n - 1)) * error
    if error == 0.0:
        p = 0.0 if sign * (mean - limit) > 0 else 1.0
    else:
        p = float(stats.t.sf(sign * (mean - limit) / error, n - 1))
    return PairedTest(claim, side, limit, mean, sd, bound, p, n)


def claims(results: Results, protocol: Protocol, *, coop: str = "coop") -> list[PairedTest]:
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
        PairedTest(**{**vars(finding), "holm": p})
        for finding, p in zip(found, corrected, strict=True)
    ]


def gains(results: Results, view: str) -> Callable[[str, str, str], list[float]]:
    """``(world, arm, other)`` to the differences in points, of the seeds that have both."""

    def between(world: str, arm: str, other: str) -> list[float]:
        found = []
        for job, result in results.items():
            if (job.world, job.arm) == (world, arm):
                base = results.get(baseline(Trial(job.world, other, job.seed)))
                if base is not None:
                    found.append(result["accuracy"][view] - base["accuracy"][view])
        return found

    return between


def baseline(job: Trial) -> Trial:
    """Where the result of an arm lies: single training in ``null`` is that of ``plus``."""
    if job.world == "null" and job.arm == "single":
        return Trial("plus", "single", job.seed)
    return job


def outside_the_family(results: Results, protocol: Protocol) -> list[PairedTest]:
    """Differences that no claim of the protocol is about, with bounds and without a verdict."""
    found = []
    for world, arm, other in (
        ("null", "coop", "placebo"),
        ("null", "placebo", "single"),
        ("plus", "placebo", "single"),
        ("plus", "coop", "longer"),
        ("plus", "longer", "single"),
    ):
        for view in VIEWS:
            values = gains(results, view)(world, arm, other)
            name = f"{world}: {arm} - {other}, {view}"
            found.append(paired(name, values, "above", 0.0, protocol.tests.level / 2))
    return found


def mutants_caught(results: Results, protocol: Protocol) -> list[PairedTest]:
    """What trained mutants lose against the intact arm of the same seeds, by view."""
    tests = protocol.tests
    found = []
    for arm, world in TRAINED.items():
        for view in VIEWS:
            lost = gains(results, view)(world, "coop", arm)
            name = f"{world}: coop - {arm}, {view}"
            found.append(paired(name, lost, "above", tests.mutant_gap, tests.level))
    return found


def must_be_caught(finding: PairedTest) -> bool:
    """Whether accuracy is the check that this mutant of :func:`mutants_caught` must fail."""
    return any(f"coop - {arm}," in finding.claim for arm in LOSING)


def without_effect(results: Results) -> dict[Trial, Mapping[str, Any]]:
    """Results as an alignment without effect gives them: cooperation is single training."""
    changed = dict(results)
    for job in results:
        if job.arm == "coop":
            single = results.get(baseline(Trial(job.world, "single", job.seed)))
            if single is not None:
                changed[job] = single
    return changed
