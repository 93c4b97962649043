"""Numbers of arms and their differences as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from baselines.ccau.comparison.compare_arms import ArmDifference, OurCell
from baselines.ccau.comparison.compare_predictions import ComparedCell
from baselines.ccau.comparison.manipulation import ManipulationCheck
from baselines.ccau.evaluation.localise import MAPS, METRICS
from baselines.ccau.evaluation.result_rows import TITLES
from homage_sdk.evaluation.intervals import Interval95

NOTE = (
    "Ours: mean over the test splits and seeds, its 95 % interval, ± standard deviation over "
    "seeds; of sequences, and of clips as in the public code. Differences are to the first row "
    "that has the number, paired by seed and sequence: 95 % interval, p, and p after Holm's "
    "correction over all differences of these tables; `detectable` is the true difference, in "
    "points, that would be found (p < 0.05, uncorrected) four times of five. Intervals and p are "
    "of other sequences and other seeds (with one seed, of sequences alone), in Table 7 of other "
    "support sets too. Paper: real HOMAGE, not ours."
)
COMPARED = (
    "Points, with the 95 % interval of other sequences and other seeds (with one seed, of "
    "sequences alone); Holm p is over these rows; detectable: the true difference that would be "
    "found (p < 0.05, uncorrected) four times of five. A dash: too few sequences to say."
)


CHECKED = (
    "Alignment accuracy at the end of training, its chance level, and its placebo: the accuracy at "
    "finding the same block of another clip instead. In brackets the 95 % interval of the "
    "difference over seeds. Where the check fails, a difference to an arm that does not align says "
    "nothing about cooperation."
)


def check_rows(checks: Sequence[ManipulationCheck]) -> list[dict[str, str]]:
    """Rows of the manipulation checks."""
    return [
        {
            "arm": each.arm,
            "pair": " - ".join(TITLES.get(m, m) for m in each.pair.split("-")),
            "accuracy %": _figure(100 * each.accuracy, ".1f"),
            "chance %": _figure(100 * each.chance, ".1f"),
            "above chance": _points(each.above_chance),
            "placebo %": _figure(100 * each.placebo, ".1f"),
            "above placebo": _points(each.above_placebo),
            "seeds": f"{each.above_chance.n_seeds}",
            "check": _verdict(each),
        }
        for each in checks
    ]


def _verdict(check: ManipulationCheck) -> str:
    if not check.is_decided:
        return "one seed: open"
    if math.isnan(check.placebo):
        return "**fails**: no placebo"
    return "passes" if check.passes else "**fails**"


def _points(found: Interval95) -> str:
    value, low, high = (100 * each for each in (found.value, found.low, found.high))
    return _with_interval(value, low, high)


def _with_interval(value: float, low: float, high: float, sign: str = "+") -> str:
    """Points with their interval; "-" stands for what is not known."""
    form = f"{sign}.1f"
    between = "-" if math.isnan(low) else f"{low:{form}}, {high:{form}}"
    return f"{_figure(value, form)} [{between}]"


def _figure(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def compared_rows(found: Sequence[ComparedCell]) -> list[dict[str, str]]:
    """Rows of ``ccau compare``."""
    return [
        {
            "modality": TITLES.get(each.cell[1], each.cell[1]),
            "what": f"{each.cell[0]} %",
            "of": f"{each.estimand}s",
            "first": said(each.first),
            "second": said(each.second),
            **difference_cells(each.difference, "no sequence that both have"),
        }
        for each in found
    ]


def said(cell: OurCell) -> str:
    """A number: mean, interval, deviation over seeds."""
    text = f"{cell.mean:.1f} [{cell.low:.1f}, {cell.high:.1f}]"
    text += f" ± {cell.std:.1f}" if len(cell.seeds) > 1 else ""
    text += " (one support set)" if cell.support_sets == 1 else ""
    return text + (f" (without {cell.untaught} untaught draws)" if cell.untaught else "")


def difference_cells(found: ArmDifference | None, why_not: str = "") -> dict[str, str]:
    """The cells of a difference: value with interval, p, Holm's p, what could be found, on what.

    >>> difference_cells(None, "judged on other sequences")["difference"]
    'not comparable: judged on other sequences'
    """
    names = ("difference", "p", "Holm p", "detectable", "on")
    if found is None:
        texts = [f"not comparable: {why_not}" if why_not else "", *[""] * 4]
    else:
        on = f"{found.n} sequences, {found.n_seeds} seed{'' if found.n_seeds == 1 else 's'}"
        if found.p_value is None:
            texts = ["+0.0, the same answers", "", "", "", on]
        else:
            texts = [
                _with_interval(found.value, found.low, found.high),
                _figure(found.p_value, ".4f"),
                "" if found.holm is None else f"{found.holm:.4f}",
                _figure(found.detectable, ".1f"),
                on,
            ]
    return dict(zip(names, texts, strict=True))


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows of text as a table in Markdown; "" without any."""
    if not rows:
        return ""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def localisation_rows(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of ``ccau localise``: each map's two numbers, percent, with intervals by sequence."""
    rows = []
    for modality, targets in result["modalities"].items():
        for target, found in targets.items():
            for name in (*MAPS, *(f"attention - {other}" for other in MAPS[1:])):
                about = (modality, target, str(found["n_sequences"]), f"{found['n_blocks']:,}")
                if name != MAPS[0]:
                    about = ("", "", "", "")
                row = dict(zip(("modality", "boxes", "sequences", "frames"), about, strict=True))
                row["map"] = name
                for metric in METRICS:
                    each = found[metric][name]
                    is_difference = isinstance(each, dict)
                    value, low, high = each["difference"] if is_difference else each
                    points = (100 * value, 100 * low, 100 * high)
                    row[f"{metric} %"] = _with_interval(*points, sign="+" if is_difference else "")
                    row[f"{metric} p"] = _figure(each["p"], ".3f") if is_difference else ""
                rows.append(row)
    return rows
