"""The page of the instrument: what was claimed, what was found, with a figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baselines.ccau.instrument.arms import LAST_STEPS, Trial
from baselines.ccau.instrument.checks import exact_checks
from baselines.ccau.instrument.claims import (
    claims,
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
from baselines.ccau.report.figures import COLOURS, GREY, new_figure, svg
from homage_sdk.errors import UsageError
from homage_sdk.storage import write_file

TEMPLATE = Path(__file__).with_suffix(".md")


def write_page(results: Mapping[Trial, Mapping[str, Any]], protocol: Protocol, page: Path) -> None:
    """Write ``page`` (Markdown) and the figure beside it; the same results give the same bytes.

    Raises UsageError where no seed is complete, StorageError.
    """
    seeds = complete_seeds(results, protocol.seeds.confirmatory)
    if not seeds:
        raise UsageError("no seed has all arms yet", hint="run `ccau instrument` to the end")
    kept = {job: result for job, result in sorted(results.items(), key=_order) if job.seed in seeds}
    level = protocol.tests.level
    found = claims(kept, protocol)
    trained, exact = mutants_caught(kept, protocol), exact_checks(protocol, seeds[0])
    failing = [f.claim for f in found if not f.holds(level)]
    silent = [f for f in claims(without_effect(kept), protocol) if f.claim.startswith("plus")]
    unnoticed = all(f.holds(level) for f in silent)
    verdict = (
        f"All {len(found)} claims hold." if not failing
        else f"{len(found) - len(failing)} of {len(found)} claims hold; not: {'; '.join(failing)}."
    )  # fmt: skip
    planned = len(protocol.seeds.confirmatory)
    align = protocol.align
    text = TEMPLATE.read_text(encoding="utf-8").format(
        **asdict(protocol.world),
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
        no_op="still passes: **not caught**" if unnoticed else "fails the claims of `plus`",
        mutants=mutant_rows(trained, level),
        checks=check_rows(exact),
        gap=protocol.tests.mutant_gap,
    )
    write_file(page, text)
    write_file(page.with_suffix(".svg"), gain_figure(kept) + "\n")


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
