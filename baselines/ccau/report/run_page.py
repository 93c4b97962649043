"""The page of a run: the dataset it saw, loss curves, results beside chance, how it was made."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from baselines.ccau.report import figures
from baselines.ccau.report.terminal import TITLES, is_learned, percent, plain
from baselines.ccau.runs.json_files import read_json
from homage_sdk import __version__
from homage_sdk.report.html import Section, fill_text

_ROWS = {"model": "ours", "prior": "prior", "random": "random"}

_TRAINING = """
<p>{{ steps }} optimiser steps over {{ modalities|join(", ") }};
task <code>{{ config.task.kind }}</code>,
targets <code>{{ config.composition.targets }}</code>,
alignment weight <code>{{ config.align.weight }}</code>,
atomic weight <code>{{ config.composition.atomic_weight }}</code>.</p>
<div class="figure">{{ curves }}</div>
"""

_RESULTS = """
<p>At test time each modality is alone: no other one is looked at. Mean over the test splits
({{ splits }}), with 95 % intervals by bootstrap over sequences. <i>Prior</i> answers with the
class frequencies of the training part, <i>random</i> with anything: a modality has learned
something where its interval lies above both.</p>
<div class="figure">{{ bars }}</div>
<table>
<thead><tr><th>Modality</th><th>Row</th><th class="n">Activity, top-1 %</th>
<th class="n">top-3 %</th><th class="n">Atomic mAP, weighted %</th><th class="n">macro %</th>
<th>Above chance?</th></tr></thead>
{% for row in rows %}
<tr><td>{{ row.modality }}</td><td>{{ row.kind }}</td><td class="n">{{ row.top1 }}</td>
<td class="n">{{ row.top3 }}</td><td class="n">{{ row.weighted }}</td>
<td class="n">{{ row.macro }}</td><td>{{ row.verdict }}</td></tr>
{% endfor %}
</table>
<p class="soft">Weights: {{ note }}. These figures are of the data named at the top of this page.
On a synthetic release they say that the road works, nothing about HOMAGE.</p>
"""

_MADE = """
<table>
{% for name, value in facts %}
<tr><td>{{ name }}</td><td><code>{{ value }}</code></td></tr>
{% endfor %}
</table>
"""


def training_section(run: Path) -> Section:
    """Loss curves of a run; CheckpointError when it has not been trained."""
    described = read_json(run, "config.json")
    config = described["config"]
    body = fill_text(
        _TRAINING,
        config=config,
        modalities=[TITLES.get(m, m) for m in config["task"]["modalities"]],
        steps=read_json(run, "run.json")["step"],
        curves=Markup(figures.loss_curves(run)),
    )
    return Section("training", "CCAU: training", body)


def results_section(run: Path) -> Section:
    """Each modality alone beside chance; CheckpointError when it has not been evaluated."""
    results = read_json(run, "results.json")
    rows = []
    for modality, found in results["modalities"].items():
        for kind, label in _ROWS.items():
            activity, atomic = (
                found[what][kind]["mean"] if kind != "model" or is_learned(results, what) else {}
                for what in ("activity", "atomic")
            )
            rows.append(
                {
                    "modality": TITLES.get(modality, modality) if kind == "model" else "",
                    "kind": label,
                    "top1": percent(activity.get("top1")),
                    "top3": plain(activity.get("top3")),
                    "weighted": percent(atomic.get("weighted")),
                    "macro": plain(atomic.get("macro")),
                    "verdict": _verdict(results, found) if kind == "model" else "",
                }
            )
    body = fill_text(
        _RESULTS,
        rows=rows,
        bars=Markup(figures.results(run)),
        splits=", ".join(f"{name}: {n} sequences" for name, n in results["splits"].items()),
        note=results["selection_note"],
    )
    return Section("results", "CCAU: each modality alone", body)


def _verdict(results: dict[str, Any], found: dict[str, Any]) -> str:
    """Whether the lower end of an interval lies above both chance rows, for what was learned."""
    said = []
    for kind, metric, name in (("activity", "top1", "activity"), ("atomic", "weighted", "atomic")):
        if not is_learned(results, kind):
            continue
        low = found[kind]["model"]["mean"][metric][1]
        chance = [found[kind][row]["mean"][metric] for row in ("prior", "random")]
        highest = max(c[0] if isinstance(c, list) else c for c in chance)
        said.append(f"{name} {'yes' if low > highest else 'not shown'}")
    return ", ".join(said)


def made_section(run: Path) -> Section:
    """Versions, seed, hashes: what it takes to make the run again."""
    described, results = read_json(run, "config.json"), read_json(run, "results.json")
    parts = described["parts"]
    facts = [
        ("seed", described["config"]["run"]["seed"]),
        ("shards, SHA-256 of the manifest", described["shards"]["fingerprint"]),
        ("checkpoint", f"{run / str(results['checkpoint'])}"),
        *((f"sequences, {name} part", len(keys)) for name, keys in parts.items()),
        ("homage_sdk", __version__),
        ("torch", version("torch")),
        ("Python", platform.python_version()),
    ]
    return Section("made", "How it was made", fill_text(_MADE, facts=facts))


def run_sections(run: Path) -> list[Section]:
    """All sections about a trained and evaluated run."""
    return [training_section(run), results_section(run), made_section(run)]
