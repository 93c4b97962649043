"""The results of a run as rows of text: each modality alone, beside chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from baselines.ccau.evaluation.counted import Comparison, Counted

TITLES = {
    "ego": "Ego",
    "third": "3rd person",
    "audio": "Audio",
    "scene_graph": "Scene graph (annotations at test time)",
    "sensors": "Sensors",
}
ANNOTATED = ("scene_graph",)
"""Annotations at test time: every row of theirs says so."""
OURS = "ours"
CHANCE = ("prior", "random")
KINDS = ("activity", "atomic")
PER_CLIP = ", per clip"
OTHER_ROWS = {"one_view": "one view", "common": "on common"}
"""Key in ``results.json`` to the name of a row that not every modality has."""

FEWSHOT_NOTE = (
    "Intervals resample support sets and test sequences; one support set says nothing of others."
)
PER_CLIP_NOTE = (
    "per clip: every clip counts once, as in the paper's public code; intervals resample sequences "
    "either way."
)
SMALL_SAMPLE = (
    "small sample: points by which half of the sequences give a higher weighted mAP than all do, "
    "so that it is too high by at least about as much; in brackets, what scores dealt to "
    "sequences at random have above what they would have on endless data."
)


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
    """Rows of a table: ours, chance, one view of several, ours on the sequences that all have.

    Numbers are means over the test splits (micro: pooled), with 95 % intervals: of sequences, and
    of clips as the public code has them. Each row says on how many sequences and clips it was
    computed.
    """
    rows = []
    for modality, found in results["modalities"].items():
        mark = results.get("marks", {}).get(modality, "")
        for name, numbers in _numbers(found):
            for by, each in (("", numbers), (PER_CLIP, numbers["per_clip"])):
                row = name + by
                learned = {k: name in CHANCE or is_learned(results, k) for k in KINDS}
                top, precision = (_means(each, kind, learned) for kind in KINDS)
                rows.append(
                    {
                        "modality": _title(modality, mark)
                        if row == OURS or modality in ANNOTATED or mark
                        else "",
                        "row": row,
                        **Counted(**numbers.get("counted", found["counted"])).cells(),
                        "top-1 %": percent(top.get("top1")),
                        "top-3 %": _plain(top.get("top3")),
                        "mAP, weighted %": percent(precision.get("weighted")),
                        "macro %": _plain(precision.get("macro")),
                        "micro %": _plain(precision.get("micro")),
                        "small sample": small_sample(precision),
                        "above chance?": _verdict(results, each, found, by) if name == OURS else "",
                    }
                )
    return rows


def _title(modality: str, mark: str) -> str:
    return TITLES.get(modality, modality) + (f" ({mark})" if mark else "")


def _numbers(found: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of each row of one modality to its numbers by kind, and the same ``per_clip``."""
    for name, key in {OURS: "model", **dict(zip(CHANCE, CHANCE, strict=True))}.items():
        yield (
            name,
            {
                **{kind: found[kind][key] for kind in KINDS},
                "per_clip": {kind: found["per_clip"][kind][key] for kind in KINDS},
            },
        )
    for key, name in OTHER_ROWS.items():
        if key in found:
            yield name, found[key]


def _means(each: Mapping[str, Any], kind: str, learned: Mapping[str, bool]) -> dict[str, Any]:
    """Numbers of one kind: means over the splits, micro pooled; nothing of an untrained head."""
    if not learned[kind]:
        return {}
    return {**each[kind]["mean"], "micro": each[kind].get("pooled", {}).get("micro")}


def small_sample(precision: Mapping[str, Any]) -> str:
    """How much of a weighted mAP comes of there being so few sequences, in points.

    First what half of the sequences give more than all; in brackets what scores that know nothing
    have here above what they would have on endless data (``ScoredRows.small_sample``).

    >>> found = {"dealt": 0.25, "endless": 0.2, "halved": 0.51}
    >>> small_sample({"weighted": [0.5, 0.4, 0.6], "small_sample": found})
    '+1.0 (chance +5.0)'
    """
    if "small_sample" not in precision:
        return ""
    found, whole = precision["small_sample"], middle(precision["weighted"])
    halved, chance = found["halved"] - whole, found["dealt"] - found["endless"]
    return f"{100 * halved:+.1f} (chance {100 * chance:+.1f})"


def notes(results: Mapping[str, Any]) -> list[str]:
    """What has to be said below the rows: what was asked for, what is comparable."""
    asked = ", ".join(f"{name} {count}" for name, count in results["splits"].items())
    lines = [f"Asked for: {asked} sequences; each row is of those that have the modality."]
    lines.append(PER_CLIP_NOTE)
    if is_learned(results, "atomic"):
        lines.append(SMALL_SAMPLE)
    if len(results["modalities"]) > 1:
        lines.append(Comparison(**results["comparison"]).note())
    lines += [
        f"prior: no sequence that trained the run has {kind} labels, so that it answers all alike."
        for kind in results["without_prior"]
    ]
    return lines


def fewshot_rows(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of what ``fewshot.json`` holds: means over draws of support sets, with intervals.

    >>> of = {"mean": 0.5, "interval": [0.25, 0.75]}
    >>> n = {"test": 9}
    >>> judged = {"sequences": n, "clips": {"test": 20}, "activities": n, "atomic": n}
    >>> both = {"accuracy": of, "map": of}
    >>> table = {"5": {"sequences_in_support": 10, "support_sets": 20, **both, "per_clip": both}}
    >>> rows = fewshot_rows({"modalities": {"ego": table}, "judged": {"ego": {"counted": judged}}})
    >>> list(rows[0].values())[:7]
    ['Ego', '5', '10', '20', 'test 9', '20', '50.0 [25, 75]']
    >>> [row["of"] for row in rows]
    ['sequences', 'clips']
    """
    return [
        {
            "modality": TITLES.get(modality, modality),
            "k": str(k),
            "support": str(numbers["sequences_in_support"]),
            "support sets": _support_sets(numbers),
            **Counted(**found["judged"][modality]["counted"]).cells(),
        }
        | {
            f"{name} %": percent([each[name]["mean"], *each[name]["interval"]])
            for name in ("accuracy", "map")
        }
        | {"of": of}
        for modality, table in found["modalities"].items()
        for k, numbers in table.items()
        for of, each in (("sequences", numbers), ("clips", numbers["per_clip"]))
    ]


def _support_sets(numbers: Mapping[str, Any]) -> str:
    """How many differ, and how many draws taught no atomic action (left out of the mean)."""
    untaught = numbers["map"].get("untaught", 0)
    return f"{numbers['support_sets']}" + (f" (mAP without {untaught} draws)" if untaught else "")


def fewshot_notes(found: Mapping[str, Any]) -> list[str]:
    """What has to be said below the rows: modalities and classes that could not be judged whole."""
    lines = [FEWSHOT_NOTE]
    lines += [f"{modality}: not judged: {why}" for modality, why in found["not_judged"].items()]
    for modality, of in found["judged"].items():
        if names := of["without_support"]:
            lines.append(
                f"{modality}: no support of {', '.join(names)}: its sequences count as misses"
            )
    judged = [of["sequences"] for of in found["judged"].values()]
    if any(each != judged[0] for each in judged):
        lines.append("Modalities were judged on different sequences: do not compare their rows.")
    return lines


def _plain(value: float | list[float] | None) -> str:
    return percent(None if value is None else middle(value))


def _verdict(
    results: Mapping[str, Any], ours: Mapping[str, Any], found: Mapping[str, Any], by: str
) -> str:
    """Whether the lower end of an interval lies above both chance rows, for what was learned."""
    chance, said = found["per_clip"] if by else found, []
    for kind, metric in (("activity", "top1"), ("atomic", "weighted")):
        if is_learned(results, kind):
            low = ours[kind]["mean"][metric][1]
            highest = max(middle(chance[kind][row]["mean"][metric]) for row in CHANCE)
            said.append(f"{kind} {'yes' if low > highest else 'not shown'}")
    return ", ".join(said)
