"""What an alignment rests on, told from the log of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from baselines.ccau.runs.metrics_log import read_metrics
from homage_sdk.evaluation.metrics import known_mean

LAST_SHARE = 0.1
"""Of the steps of a run, the last ones that are looked at."""
LEAST_STEPS = 20
ABOVE_CHANCE = 0.03
"""By how much an accuracy must exceed chance, and be twice of it, to count as high."""


def notes_of(run: Path) -> tuple[str, ...]:
    """:func:`alignment_notes` of a run folder; none where it has no log."""
    path = run / "metrics.jsonl"
    return tuple(alignment_notes(read_metrics(path))) if path.is_file() else ()


def last_figures(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float, float, float]]:
    """Pair of modalities to its alignment accuracy, chance and placebo at the end of training.

    ``rows`` are those of ``metrics.jsonl``; means over the last tenth of the steps,
    NaN where none has the figure.
    """
    steps = [row["stats"] for row in rows if row["kind"] == "step"]
    last = steps[-max(LEAST_STEPS, round(LAST_SHARE * len(steps))) :]
    seen: dict[str, list[list[float]]] = defaultdict(list)
    for stats in last:
        for name in stats:
            kind, _, pair = name.partition("/")
            if kind == "alignment_placebo":
                of = (f"alignment_{figure}/{pair}" for figure in ("accuracy", "chance", "placebo"))
                seen[pair].append([stats[each] for each in of])
    found = {}
    for pair, figures in seen.items():
        accuracy, chance, placebo = map(known_mean, zip(*figures, strict=True))
        found[pair] = accuracy, chance, placebo
    return found


def alignment_notes(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each pair of modalities whose accuracy is high and rests on the block number.

    It does where the placebo, the partner of another clip at the same block number, reaches half
    of what the accuracy has above chance, or more; see :func:`last_figures`.
    """
    notes = []
    for pair, (accuracy, chance, placebo) in last_figures(rows).items():
        is_high = accuracy > max(2 * chance, chance + ABOVE_CHANCE)
        if is_high and placebo - chance >= (accuracy - chance) / 2:
            notes.append(
                f"alignment of {pair.replace('-', ' and ')} rests on the block number: accuracy "
                f"{accuracy:.0%} (chance {chance:.0%}), {placebo:.0%} where the partner is of "
                "another clip; set align.negatives = 'same_block' or align.centre = true"
            )
    return notes
