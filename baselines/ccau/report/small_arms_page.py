"""The page of the small arms: what was aligned, the tables, and the controls with their curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from baselines.ccau.comparison.compare_arms import ArmDifference, compare_pairs, with_holm
from baselines.ccau.comparison.learning_curves import LearningCurve, learning_curves
from baselines.ccau.comparison.manipulation import ManipulationCheck
from baselines.ccau.comparison.run_numbers import RunNumbers
from baselines.ccau.evaluation.result_rows import TITLES
from baselines.ccau.paper.arms import ARMS, CONTROL_ARMS
from baselines.ccau.paper.published_numbers import Cell
from baselines.ccau.report.figures import COLOURS, figure_of, new_figure, svg
from baselines.ccau.report.paper_tables import (
    DRAWS,
    TITLE,
    Tables,
    checks_of,
    runs_of_arm,
    table_rows,
)
from baselines.ccau.report.table_text import (
    CHECKED,
    NOTE,
    check_rows,
    difference_cells,
    markdown_table,
)
from baselines.ccau.runs.json_files import read_json
from homage_sdk.errors import CheckpointError
from homage_sdk.evaluation.estimands import ESTIMANDS
from homage_sdk.storage import write_file

TEMPLATE = Path(__file__).with_suffix(".md")
LEVEL = 0.05
LONGER = (
    f"{CONTROL_ARMS[0].longer} times the epochs, cosine to constant rate, last weights to best "
    "epoch, on participants set aside, so fewer to learn from"
)
COMPARED = (
    ("compositional_long", "single_atomic_long", "composition, all trained longer"),
    ("compositional_long", "coop_atomic_long", "composition against cooperation, trained longer"),
    ("coop_atomic_long", "coop_atomic", LONGER),
)
"""Differences between control arms, and what each is the effect of."""
STYLES = dict(zip((arm.name for arm in CONTROL_ARMS), ("--", ":", "-"), strict=True))


def write_small_arms(out: Path, tables: Tables, page: Path, *, draws: int = DRAWS) -> None:
    """Write ``page`` from the runs in ``out``, and where control arms ran their curves beside it.

    Raises UsageError for a page that is not ``.md``, CheckpointError for runs without their logs.
    """
    figure, checks = figure_of(page), checks_of(out)
    curves = [c for arm in CONTROL_ARMS for c in learning_curves(arm.name, runs_of_arm(out, arm))]
    text = TEMPLATE.read_text(encoding="utf-8").format(
        verdict="\n".join(verdicts(tables, checks)),
        made=made_of(out),
        checked=CHECKED,
        checks=markdown_table(check_rows(checks)) or "No arm here aligns anything.\n",
        tables=_tables(tables),
        controls=_controls(out, curves, figure, draws),
    )
    write_file(page, text)
    if curves:
        write_file(figure, curve_figure(curves) + "\n")


def verdicts(tables: Tables, checks: Sequence[ManipulationCheck]) -> list[str]:
    """What the numbers allow to say, in sentences."""
    failed = [f"{each.arm} ({each.pair})" for each in checks if not each.passes]
    passed = len(checks) - len(failed)
    lines = [
        f"{passed} of {len(checks)} aligned pairs pass their manipulation check"
        + (f"; not: {', '.join(failed)}." if failed else ".")
    ] * bool(checks)
    once = {place.key: place for place in reversed(tables)}  # two tables may show one difference
    tested = {
        place: found.difference
        for place, found in tables.items()
        if found.difference is not None
        and found.difference.holm is not None
        and once[place.key] is place
    }
    if not tested:
        return [*lines, "No two arms can be compared yet."]
    kept = {place: each for place, each in tested.items() if (each.holm or 0.0) < LEVEL}
    lines.append(
        f"Of {len(tested)} differences in the tables {len(kept)} have a Holm p below {LEVEL:g}"
        + (":\n" if kept else ": none is claimed.")
    )
    lines += [
        f"* {place.row}, {TITLES.get(place.cell[1], place.cell[1])} {place.cell[0]} of "
        f"{place.estimand}s {each.value:+.1f} [{each.low:+.1f}, {each.high:+.1f}] (Table "
        f"{place.table})"
        for place, each in kept.items()
    ]
    lines += [""] * bool(kept)
    powers = [each.detectable for each in tested.values()]
    lines.append(
        f"A true difference would have to be {min(powers):.1f} to {max(powers):.1f} points (median "
        f"{np.median(powers):.1f}) to be found four times of five before the correction."
    )
    return lines


def made_of(out: Path) -> str:
    """On what, with which settings and by which code the arms were trained, from their records."""
    runs = [run for arm in (*ARMS, *CONTROL_ARMS) for run in runs_of_arm(out, arm)]
    seeds = sorted({run.name for run in runs})
    by_shards = {read_json(run, "config.json")["shards"]["fingerprint"] for run in runs}
    if len(by_shards) != 1:
        raise CheckpointError(
            "the arms were trained on different shards",
            place=out,
            found=", ".join(sorted(each[:12] for each in by_shards)),
            hint="train all of them on the same",
        )
    first = read_json(runs[0], "config.json")
    judged = [r for r in runs if (r / "results.json").is_file()]
    tested = read_json(judged[0], "results.json")["splits"] if judged else {}
    on = ", ".join(f"{name} {n}" for name, n in tested.items())
    arms = {run.parent.name for run in runs}
    return (
        f"{len(arms)} arms, seeds {', '.join(seed.removeprefix('seed-') for seed in seeds)}; "
        f"trained on {len(first['parts']['train'])} sequences, tested on {on or 'none'}; shards "
        f"{by_shards.pop()[:12]}. {_settings(first['config'])}"
    )


def _settings(config: Mapping[str, Any]) -> str:
    align, data, optim = config["align"], config["data"], config["optim"]
    how = "cosine" if align["normalize"] else "dot product"
    return (
        f"Preset `{config['preset']}`: negatives `{align['negatives']}`, {how}, tau "
        f"{align['tau']:g}, weight {align['weight']:g}, pairs {align['pairs']}; width "
        f"{config['model']['width']}, {data['size']} pixels, batch {data['batch_size']}, "
        f"{optim['epochs']} epochs."
    )


def _tables(tables: Tables) -> str:
    parts = [f"\n## Tables\n\n{NOTE}\n"]
    for table in dict.fromkeys(place.table for place in tables):
        parts.append(f"\n### {TITLE[table]}\n\n{markdown_table(table_rows(table, tables))}")
    return "".join([*parts, "\n"])


def _controls(out: Path, curves: Sequence[LearningCurve], figure: Path, draws: int) -> str:
    """Curves of the control arms as a table and a figure, and their differences on the test."""
    if not curves:
        return "The control arms were not trained: `ccau arms --table controls`.\n"
    longer = CONTROL_ARMS[0].longer
    parts = [
        f"Atomic actions alone, and beside activities, {longer} times as long, with one rate and "
        "one budget. The curves are weighted mAP on the participants set aside, mean over seeds "
        "(each the mean of a tenth of the epochs); an arm has converged where its last quarter "
        "brought less than a point. Each run is judged by its best epoch there.\n\n",
        markdown_table(curve_rows(curves)),
        f"\n![Atomic mAP by epoch]({quote(figure.name)})\n\n",
        "On the test sequences (Holm p over these rows):\n\n",
        markdown_table(control_rows(out, draws)),
    ]
    return "".join(parts)


def curve_rows(curves: Sequence[LearningCurve]) -> list[dict[str, str]]:
    """A row a curve: mAP after each quarter of the epochs, and whether it still rises."""
    return [
        {
            "arm": curve.arm,
            "modality": TITLES.get(curve.modality, curve.modality),
            **{f"after {n} %": f"{100 * curve.at(n / 100):.1f}" for n in (25, 50, 75, 100)},
            "last quarter": f"{100 * curve.late_rise:+.1f}",
            "converged": "yes" if curve.has_converged else "**no**",
            "epochs": f"{curve.epochs[-1]}",
            "seeds": f"{len(curve.values)}",
        }
        for curve in curves
    ]


def control_rows(out: Path, draws: int) -> list[dict[str, str]]:
    """Differences between control arms on the test sequences, with Holm's p over all of them."""
    known = {arm.name: arm for arm in (*ARMS, *CONTROL_ARMS)}
    numbers, found = RunNumbers(draws), list[tuple[dict[str, str], ArmDifference | None]]()
    for first, second, what in COMPARED:
        sides = [{r.name: r for r in runs_of_arm(out, known[arm])} for arm in (first, second)]
        pairs = [(run, sides[1][seed]) for seed, run in sides[0].items() if seed in sides[1]]
        cells: list[Cell] = [("map", modality) for modality in TITLES if pairs]
        numbers.read([run for pair in pairs for run in pair], cells)
        for cell in cells:
            if any(numbers.of(run, cell, "sequence") is None for pair in pairs for run in pair):
                continue
            for estimand in ESTIMANDS:
                row = {
                    "difference of": f"{first} - {second}",
                    "effect of": what,
                    "modality": TITLES[cell[1]],
                    "of": f"{estimand}s",
                }
                found.append((row, compare_pairs(numbers, cell, estimand, pairs)))
    corrected = with_holm([difference for _, difference in found])
    return [
        {**row, **difference_cells(difference, "no sequence that both have")}
        for (row, _), difference in zip(found, corrected, strict=True)
    ]


def curve_figure(curves: Sequence[LearningCurve]) -> str:
    """A panel a modality: mAP by epoch of each arm, thin lines for seeds; SVG."""
    modalities = list(dict.fromkeys(curve.modality for curve in curves))
    figure, axes = new_figure(len(modalities), width=3.6, height=2.9)
    for axis, modality in zip(axes, modalities, strict=True):
        colour = COLOURS.get(modality, COLOURS["ego"])
        for curve in curves:
            if curve.modality != modality:
                continue
            for seed in curve.values:
                axis.plot(curve.epochs, 100 * seed, color=colour, alpha=0.2, linewidth=0.7)
            axis.plot(curve.epochs, 100 * curve.mean, color=colour, linewidth=1.8,
                      linestyle=STYLES[curve.arm], label=curve.arm)  # fmt: skip
        axis.set_title(f"{TITLES.get(modality, modality)}: atomic mAP, %", fontsize=9, loc="left")
        axis.set_xlabel("epoch", fontsize=8)
        axis.legend(fontsize=7, frameon=False)
    return svg(figure)
