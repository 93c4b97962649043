"""Results on a terminal: rich tables, the paper's numbers beside ours and labelled as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from baselines.ccau.paper.numbers import PAPER

if TYPE_CHECKING:
    from baselines.ccau.training.doctor import Check

ROWS = ("model", "prior", "random")
TITLES = {"ego": "Ego", "third": "3rd person", "audio": "Audio", "scene_graph": "Scene graph"}


def percent(value: float | list[float] | None) -> str:
    """A share as percent, with its interval where there is one.

    >>> percent([0.5, 0.4, 0.6]), percent(0.125), percent(None)
    ('50.0 [40, 60]', '12.5', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, list):
        middle, low, high = (100 * v for v in value)
        return f"{middle:.1f} [{max(low, 0):.0f}, {min(high, 100):.0f}]"
    return f"{100 * value:.1f}"


def plain(value: float | list[float] | None) -> str:
    """The same without the interval."""
    return percent(value[0] if isinstance(value, list) else value)


def is_learned(results: Mapping[str, Any], kind: str) -> bool:
    """Whether the run learned ``activity`` or ``atomic``; an untrained head's numbers say nothing.

    >>> is_learned({"targets": "both"}, "atomic"), is_learned({"targets": "activity"}, "atomic")
    (True, False)
    """
    return results["targets"] in (kind, "both")


def _unlearned(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The same metrics, each None."""
    return {k: _unlearned(v) if isinstance(v, Mapping) else None for k, v in numbers.items()}


def results_table(results: Mapping[str, Any]) -> Table:
    """One run, every modality alone, beside chance and beside the paper."""
    splits = " + ".join(f"{name} ({count})" for name, count in results["splits"].items())
    table = Table(title=f"{results['name']}: each modality alone, {splits}", title_justify="left")
    for heading in ("modality", "row", "top-1 %", "top-3", "mAP, weighted", "macro", "micro"):
        table.add_column(heading, no_wrap=True)
    part = "mean"
    for modality, found in results["modalities"].items():
        rows = {row: (found["activity"][row], found["atomic"][row]) for row in ROWS}
        if "one_view" in found:
            rows["one view"] = (found["one_view"]["activity"], found["one_view"]["atomic"])
        for row, pair in rows.items():
            activity, atomic = (
                numbers if row in ROWS[1:] or is_learned(results, kind) else _unlearned(numbers)
                for kind, numbers in zip(("activity", "atomic"), pair, strict=True)
            )
            table.add_row(
                TITLES.get(modality, modality) if row == "model" else "",
                "ours" if row == "model" else row,
                percent(activity[part]["top1"]),
                plain(activity[part]["top3"]),
                percent(atomic[part]["weighted"]),
                plain(atomic[part]["macro"]),
                plain(atomic.get("pooled", {}).get("micro")),
                style="bold" if row == "model" else "dim",
            )
        theirs = PAPER["6"]["Cooperative Compositional"]
        if ("accuracy", modality) in theirs:
            accuracy, precision = theirs["accuracy", modality], theirs["map", modality]
            table.add_row(
                "", "paper *", f"{accuracy:.1f}", "", f"{precision:.1f}", style="italic dim"
            )
    table.caption = (
        "Mean over the test splits (micro: pooled), 95 % interval by bootstrap over sequences; "
        f"{results['selection_note']}. * the paper's CCAU on real HOMAGE (Table 6): not ours, and "
        "comparable only with runs on that data."
    )
    return table


def checks_table(name: str, checks: Sequence[Check]) -> Table:
    """What ``ccau doctor`` found, a line a check."""
    table = Table(title=f"doctor: {name}", title_justify="left")
    table.add_column("check", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("found", overflow="fold")
    styles = {"passed": "green", "FAILED": "bold red", "undecided": "yellow"}
    for check in checks:
        table.add_row(check.name, Text(check.outcome, styles[check.outcome]), Text(check.detail))
    return table
