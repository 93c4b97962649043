"""The results of a run as rows of text, beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baselines.ccau.evaluation.result_rows import own_rows
from baselines.ccau.paper.published_numbers import PAPER

PAPER_ROW = "paper *"


def result_rows(results: Mapping[str, Any]) -> list[dict[str, str]]:
    """The rows of each modality, and after them the paper's CCAU on real HOMAGE."""
    rows = []
    theirs = PAPER["6"]["Cooperative Compositional"]
    for modality, found in results["modalities"].items():
        rows += own_rows({**results, "modalities": {modality: found}})
        if ("accuracy", modality) in theirs:
            shown = {
                "top-1 %": f"{theirs['accuracy', modality]:.1f}",
                "mAP, weighted %": f"{theirs['map', modality]:.1f}",
            }
            rows.append({**dict.fromkeys(rows[-1], ""), "row": PAPER_ROW, **shown})
    return rows
