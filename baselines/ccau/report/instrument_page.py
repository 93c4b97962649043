"""The page of the instrument: what was claimed, what was found, with a figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from baselines.ccau.instrument.checks import FaultCheck, exact_checks
from baselines.ccau.instrument.claims import (
    PairedTest,
    claims,
    must_be_caught,
    mutants_caught,
    outside_the_family,
    without_effect,
)
from baselines.ccau.instrument.linear_nets import VIEWS
from baselines.ccau.instrument.protocol import Protocol
from baselines.ccau.instrument.summary import (
    arm_rows,
    check_rows,
    claim_rows,
    complete_seeds,
    cpu_minutes,
    difference_rows,
    gains_by_arm,
    mutant_rows,
)
from baselines.ccau.instrument.trials import LAST_STEPS, Trial
from baselines.ccau.report.figures import COLOURS, GREY, figure_of, new_figure, svg
from homage_sdk.errors import UsageError
from homage_sdk.storage import write_file

TEMPLATE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Findings:
    """What the page says of the complete seeds."""

    level: float
    claims: list[PairedTest]
    without_effect: list[PairedTest]
    """The claims of ``plus``, where an alignment without effect stands in place of ``coop``."""
    mutants: list[PairedTest]
    exact: list[FaultCheck]

    @property
    def failed_claims(self) -> list[str]:
        """Names of the claims that do not hold."""
        return [f.claim for f in self.claims if not f.holds(self.level)]

    @property
    def no_effect_is_noticed(self) -> bool:
        """Whether an alignment without effect fails a claim."""
        return not all(f.holds(self.level) for f in self.without_effect)

    @property
    def failures(self) -> list[str]:
        """A line for each claim that does not hold and each fault that went unnoticed."""
        unnoticed = [f.claim for f in self.mutants if must_be_caught(f) and not f.holds(self.level)]
        unnoticed += [check.mutant for check in self.exact if not (check.passes and check.caught)]
        if not self.no_effect_is_noticed:
            unnoticed.append("an alignment without effect")
        return [*self.failed_claims, *(f"unnoticed: {fault}" for fault in unnoticed)]


def write_page(
    results: Mapping[Trial, Mapping[str, Any]], protocol: Protocol, page: Path
) -> Findings:
    """Write ``page`` (Markdown) and the figure beside it; the same results give the same bytes.

    Raises UsageError where no seed is complete or ``page`` is not ``.md``, StorageError.
    """
    figure = figure_of(page)
    seeds = complete_seeds(results, protocol.seeds.confirmatory)
    if not seeds:
        raise UsageError("no seed has all arms yet", hint="run `ccau instrument` to the end")
    kept = {job: result for job, result in sorted(results.items(), key=_order) if job.seed in seeds}
    level = protocol.tests.level
    findings = Findings(
        level,
        claims=claims(kept, protocol),
        without_effect=[
            f for f in claims(without_effect(kept), protocol) if f.claim.startswith("plus")
        ],
        mutants=mutants_caught(kept, protocol),
        exact=exact_checks(protocol, seeds[0]),
    )
    found, failing = findings.claims, findings.failed_claims
    verdict = (
        f"All {len(found)} claims hold." if not failing
        else f"{len(found) - len(failing)} of {len(found)} claims hold; not: {'; '.join(failing)}."
    )  # fmt: skip
    planned = len(protocol.seeds.confirmatory)
    align = protocol.align
    text = TEMPLATE.read_text(encoding="utf-8").format(
        **asdict(protocol.world),
        **next(iter(kept.values()))["code"],
        figure=quote(figure.name),
        verdict=verdict,
        minutes=cpu_minutes(kept),
        n_results=len(kept),
        align=f"negatives `{align.negatives}`, "
        f"{'cosine' if align.normalize else 'dot product'}, tau {align.tau:g}, "
        f"weight {align.weight:g}",
        longer=protocol.training.longer,
        seeds_note=f"{len(seeds)} of the {planned} seeds of the protocol were run.",
        level=level,
        smallest=protocol.tests.smallest_effect,
        claims=claim_rows(found, level),
        last=LAST_STEPS,
        arms=arm_rows(kept, protocol),
        outside=difference_rows(outside_the_family(kept, protocol)),
        no_op="fails the claims of `plus`"
        if findings.no_effect_is_noticed
        else "still passes: **not caught**",
        mutants=mutant_rows(findings.mutants, level),
        checks=check_rows(findings.exact),
        gap=protocol.tests.mutant_gap,
    )
    write_file(page, text)
    write_file(figure, gain_figure(kept) + "\n")
    return findings


def gain_figure(results: Mapping[Trial, Mapping[str, Any]]) -> str:
    """Gain of each arm on single training: a point a seed, a bar at the mean; SVG."""
    rows = gains_by_arm(results)
    figure, (axis,) = new_figure(1, width=7.0, height=0.42 * len(rows) + 1.0)
    for place, (_, _, by_view) in enumerate(reversed(rows)):
        for shift, view in zip((0.15, -0.15), VIEWS, strict=True):
            gains, height = by_view[view], place + shift
            axis.plot(gains, [height] * len(gains), "o", color=COLOURS[view], alpha=0.4, ms=4)
            mean = sum(gains) / len(gains)
            axis.plot([mean, mean], [height - 0.13, height + 0.13], color=COLOURS[view], lw=2.5,
                      label=view if place == 0 else None)  # fmt: skip
    axis.axvline(0.0, color=GREY, linewidth=0.8)
    axis.set_yticks(range(len(rows)), [f"{world}: {arm}" for world, arm, _ in reversed(rows)])
    axis.set_xlabel("points of accuracy above single training, each view alone", fontsize=8)
    axis.legend(fontsize=8, frameon=False)
    return svg(figure)


def _order(item: tuple[Trial, Any]) -> tuple[int, str, str]:
    job = item[0]
    return job.seed, job.world, job.arm
