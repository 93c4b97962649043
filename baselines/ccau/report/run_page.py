"""The page of a run: the dataset it saw, loss curves, results beside chance, how it was made."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from markupsafe import Markup

from baselines.ccau.evaluation.model_card import data_facts
from baselines.ccau.evaluation.result_rows import TITLES, notes, own_rows
from baselines.ccau.report import figures
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.run_folder import check_run, one_state
from homage_sdk.report.html import Section, fill_text
from homage_sdk.version import __version__

_TRAINING = """
<p>{{ steps }} optimiser steps over {{ modalities|join(", ") }};
task <code>{{ config.task.kind }}</code>,
targets <code>{{ config.composition.targets }}</code>,
alignment weight <code>{{ config.align.weight }}</code>,
atomic weight <code>{{ config.composition.atomic_weight }}</code>.</p>
<div class="figure">{{ curves }}</div>
"""

_RESULTS = """
<p>At test time each modality is alone: no other one is looked at. Mean over the test splits,
with 95 % intervals by bootstrap over sequences. <i>Prior</i> answers with the
class frequencies of the training part, <i>random</i> with anything: a modality has learned
something where its interval lies above both.</p>
<div class="figure">{{ bars }}</div>
<table>
<thead><tr>
{% for name in rows[0] %}<th{% if "%" in name %} class="n"{% endif %}>{{ name }}</th>{% endfor %}
</tr></thead>
{% for row in rows %}
<tr>
{% for name in row %}<td{% if "%" in name %} class="n"{% endif %}>{{ row[name] }}</td>{% endfor %}
</tr>
{% endfor %}
</table>
{% for line in notes %}<p>{{ line }}</p>
{% endfor %}
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
    results = read_json(run, "results.json", "estimands")
    body = fill_text(
        _RESULTS,
        rows=own_rows(results),
        bars=Markup(figures.results(run)),
        notes=notes(results),
        note=results["selection_note"],
    )
    return Section("results", "CCAU: each modality alone", body)


def made_section(run: Path) -> Section:
    """Versions, seed, hashes: what it takes to make the run again."""
    described, results = read_json(run, "config.json"), read_json(run, "results.json")
    facts = [
        ("seed", described["config"]["run"]["seed"]),
        ("shards, SHA-256 of the manifest", described["shards"]["fingerprint"]),
        ("checkpoint", f"{run / str(results['checkpoint'])}"),
        *data_facts(described),
        ("homage_sdk", __version__),
        ("torch", version("torch")),
        ("Python", platform.python_version()),
    ]
    return Section("made", "How it was made", fill_text(_MADE, facts=facts))


def run_sections(run: Path) -> list[Section]:
    """All sections about a trained and evaluated run; CheckpointError where it is none."""
    with one_state(run):
        check_run(run)
        return [training_section(run), results_section(run), made_section(run)]
