"""The results of a run as rows of text: each modality alone, beside chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLES = {"ego": "Ego", "third": "3rd person", "audio": "Audio", "scene_graph": "Scene graph"}
CHANCE = ("prior", "random")


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


def middle(value: float | list[float]) -> float:
    """The value itself, without its interval."""
    return value[0] if isinstance(value, list) else value


def is_learned(results: Mapping[str, Any], kind: str) -> bool:
    """Whether the run learned ``activity`` or ``atomic``; an untrained head's numbers say nothing.

    >>> is_learned({"targets": "both"}, "atomic"), is_learned({"targets": "activity"}, "atomic")
    (True, False)
    """
    return results["targets"] in (kind, "both")


def own_rows(results: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of a table: ours, one view of several, chance.

    Numbers are means over the test splits (micro: pooled), with 95 % intervals.
    """
    rows = []
    for modality, found in results["modalities"].items():
        numbers = {"ours": {kind: found[kind]["model"] for kind in ("activity", "atomic")}}
        for row in CHANCE:
            numbers[row] = {kind: found[kind][row] for kind in ("activity", "atomic")}
        if "one_view" in found:
            numbers["one view"] = found["one_view"]
        for row, each in numbers.items():
            activity, atomic = (
                each[kind] if row in CHANCE or is_learned(results, kind) else {}
                for kind in ("activity", "atomic")
            )
            top = activity.get("mean", {})
            precision = {**atomic.get("mean", {}), "micro": atomic.get("pooled", {}).get("micro")}
            rows.append(
                {
                    "modality": TITLES.get(modality, modality) if row == "ours" else "",
                    "row": row,
                    "top-1 %": percent(top.get("top1")),
                    "top-3 %": _plain(top.get("top3")),
                    "mAP, weighted %": percent(precision.get("weighted")),
                    "macro %": _plain(precision.get("macro")),
                    "micro %": _plain(precision.get("micro")),
                    "above chance?": _verdict(results, found) if row == "ours" else "",
                }
            )
    return rows


def fewshot_rows(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of what ``fewshot.json`` holds: mean ± deviation over the draws of support sets.

    >>> of = {"mean": 0.5, "std": 0.125}
    >>> fewshot_rows({"modalities": {"ego": {"5": {"accuracy": of, "map": of}}}})
    [{'modality': 'Ego', 'k': '5', 'accuracy %': '50.0 ± 12.5', 'map %': '50.0 ± 12.5'}]
    """
    return [
        {"modality": TITLES.get(modality, modality), "k": str(k)}
        | {
            f"{name} %": f"{percent(numbers[name]['mean'])} ± {percent(numbers[name]['std'])}"
            for name in ("accuracy", "map")
        }
        for modality, table in found["modalities"].items()
        for k, numbers in table.items()
    ]


def _plain(value: float | list[float] | None) -> str:
    return percent(None if value is None else middle(value))


def _verdict(results: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Whether the lower end of an interval lies above both chance rows, for what was learned."""
    said = []
    for kind, metric in (("activity", "top1"), ("atomic", "weighted")):
        if is_learned(results, kind):
            low = found[kind]["model"]["mean"][metric][1]
            highest = max(middle(found[kind][row]["mean"][metric]) for row in CHANCE)
            said.append(f"{kind} {'yes' if low > highest else 'not shown'}")
    return ", ".join(said)
