"""The model card of a checkpoint: what it is, of what, how, how good, and what was not tried.

All of it is read from what the run recorded; ``ccau info`` prints the same facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from baselines.ccau.data.partition import TEST_SPLITS
from baselines.ccau.evaluation.result_rows import fewshot_notes, fewshot_rows, notes, own_rows
from baselines.ccau.models.build_nets import MODALITIES
from baselines.ccau.runs.card_file import write_card
from baselines.ccau.runs.checkpoint import (
    IMPORTED,
    STATE,
    CheckpointManifest,
    is_checkpoint,
    read_manifest,
)
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.run_folder import BEST, LAST

Described = Mapping[str, Any]
"""``config.json`` of a run."""
_STATES = {"results": "estimands", "fewshot": "estimands"}
"""Of each kind of results, where it states how many sequences it is of."""
_IMPORTED = "- imported from the authors' files, which do not say on what and how they were trained"


def write_cards(run: Path) -> None:
    """Write the card of each checkpoint of a run, and in its own folder that of its result.

    Raises CheckpointError for a damaged file and StorageError.
    """
    described = read_json(run, "config.json")
    judged = {name: _if_there(run, name) for name in ("run.json", "results.json", "fewshot.json")}
    there = [name for name in (LAST, BEST) if is_checkpoint(run / name)]
    for name in there:
        manifest = read_manifest(run / name)
        state = read_json(run / name, STATE)["training"]
        text = model_card(described, name, manifest, state, **_of_weights(judged, manifest))
        write_card(run / name, text)
        if name == judged["run.json"].get("result", there[-1]):
            write_card(run, text)


def _if_there(run: Path, name: str) -> dict[str, Any]:
    return read_json(run, name) if (run / name).is_file() else {}


def _of_weights(
    judged: Mapping[str, dict[str, Any]], manifest: CheckpointManifest
) -> dict[str, dict[str, Any]]:
    """The results of these very weights; those of an older version of the code are none."""
    kinds, sha256 = ("results", "fewshot"), _sha256(manifest)
    found = {kind: judged[f"{kind}.json"] for kind in kinds}
    same = {
        kind: of.get("identity", {}).get("model_sha256") == sha256 and _STATES[kind] in of
        for kind, of in found.items()
    }
    return {kind: found[kind] if same[kind] else {} for kind in kinds}


def _sha256(manifest: CheckpointManifest) -> str:
    return manifest.files["model.safetensors"].sha256


def what_facts(described: Described) -> Iterator[tuple[str, str]]:
    """Which model this is."""
    config = described["config"]
    task = config["task"]
    yield "run", f"{config['name']}: {task['kind']} of {', '.join(task['modalities'])}"


def weight_facts(
    name: str, manifest: CheckpointManifest, state: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Which weights these are, and of which code."""
    yield "weights", f"{name}, step {state['step']}, sha256 {_sha256(manifest)[:12]}..."
    yield "written by", f"homage_sdk {manifest.code_version}, torch {manifest.torch}"


def data_facts(described: Described) -> Iterator[tuple[str, str]]:
    """What was trained and selected on, and what was left out."""
    parts, data = described["parts"], described["config"]["data"]
    yield "trained on", f"{len(parts['train']):,} sequences"
    yield "validated on", f"{len(parts['validation']):,} sequences"
    left = {name: data.get(name) for name in ("exclude_activities", "novel_share")}
    yield "left out", "; ".join(f"{name} {it}" for name, it in left.items() if it) or "nothing"


def change_facts(described: Described) -> Iterator[tuple[str, str]]:
    """Settings that changed when the run went on."""
    for change in described.get("changes", ()):
        yield "changed", "{setting} {old} to {new} after step {step}".format(**change)


def how_facts(described: Described, state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How it was trained; the whole configuration is in the checkpoint's ``manifest.json``."""
    config = described["config"]
    optim, data, run = config["optim"], config["data"], config["run"]
    yield "steps", f"{state['step']:,} in {state['epoch']} epochs of {optim['epochs']}"
    ranks = f"{state['world_size']} ranks"
    yield "a step", f"{data['batch_size']} clips x {optim['accumulate']} micro-batches x {ranks}"
    shown = f"{data['blocks']} blocks of {data['block_frames']} frames, one in {data['stride']}"
    yield "a clip", f"{shown}, {data['size']} pixels a side"
    yield "rate", f"Adam, {optim['lr']}, {optim['schedule']}, weight decay {optim['weight_decay']}"
    yield "precision", f"{optim['precision']}"
    yield "seed", f"{run['seed']}"
    yield "labels", config["composition"]["targets"]
    yield "alignment", f"weight {config['align']['weight']}"
    yield "selection", run["selection"]


def model_card(
    described: Described,
    name: str,
    manifest: CheckpointManifest,
    state: Mapping[str, Any],
    *,
    results: Mapping[str, Any],
    fewshot: Mapping[str, Any],
) -> str:
    """The card as Markdown; with empty ``results`` these weights are not evaluated."""
    shards = described["shards"]
    weights_mb = manifest.files["model.safetensors"].bytes / 1e6
    lines = [f"# {described['config']['name']}, {name}", "", "## What", ""]
    lines += _items(what_facts(described), weight_facts(name, manifest, state))
    lines += [
        f"- size: {weights_mb:.1f} MB in `model.safetensors`; no file here is a pickle",
        "- settings: `manifest.json`, key `config`",
        "",
        "## On what",
        "",
        f"- shards: fingerprint {shards['fingerprint'][:12]}...",
    ]
    imported = state["ended"] == IMPORTED
    lines += [_IMPORTED] if imported else _items(data_facts(described))
    for kind, names in manifest.classes.items():
        what = "sensor channels" if kind == "sensor" else f"{kind} classes"
        lines += ["", f"<details><summary>{len(names)} {what}</summary>", ""]
        lines += [", ".join(names), "", "</details>"]
    how = [] if imported else _items(how_facts(described, state), change_facts(described))
    lines += ["", "## How", "", *(how or [f"{_IMPORTED}; epoch {state['epoch']}"])]
    lines += ["", "## Results", "", *_result_lines(results, fewshot)]
    lines += ["", "## What it was not tried on", ""]
    lines += [f"- {line}" for line in untried(described, results, fewshot)]
    return "\n".join(lines) + "\n"


def _items(*facts: Iterator[tuple[str, str]]) -> list[str]:
    return [f"- {name}: {value}" for each in facts for name, value in each]


def _result_lines(results: Mapping[str, Any], fewshot: Mapping[str, Any]) -> list[str]:
    lines = []
    if results:
        lines += [
            "Each modality alone, mean over the test splits (micro: pooled), 95 % interval by "
            f"bootstrap over sequences; {results['selection_note']}.",
            "",
            *_table(own_rows(results)),
            "",
            *notes(results),
        ]
    if fewshot:
        draws = f"mean over {fewshot['draws']} draws of support sets, 95 % interval"
        lines += [
            "",
            f"Few-shot on activities that training never saw, {draws}.",
            "",
            *_table(fewshot_rows(fewshot)),
            "",
            *fewshot_notes(fewshot),
        ]
    return lines or ["Not evaluated yet: `ccau evaluate`."]


def _table(rows: list[dict[str, str]]) -> list[str]:
    head = [f"| {' | '.join(rows[0])} |", "|" + "---|" * len(rows[0])] if rows else []
    return head + [f"| {' | '.join(row.values())} |" for row in rows]


def untried(
    described: Described, results: Mapping[str, Any], fewshot: Mapping[str, Any]
) -> Iterator[str]:
    """What this run does not tell of these weights."""
    config = described["config"]
    trained = config["task"]["modalities"]
    if missing := [m for m in MODALITIES if m not in trained]:
        yield f"no network for {', '.join(missing)}"
    targets = config["composition"]["targets"]
    if targets != "both":
        other = {"activity": "atomic", "atomic": "activity"}[targets]
        yield f"the {other} head was not trained: its answers mean nothing"
    judged = results.get("splits", {})
    if open_splits := [split for split in TEST_SPLITS if split not in judged]:
        yield f"not evaluated on the split {' or '.join(open_splits)}"
    if silent := [m for m in trained if results and m not in results["modalities"]]:
        yield f"no test sequence had {', '.join(silent)}"
    yield "other seeds: they give other numbers"
    if not fewshot:
        yield "classes outside the lists above"
    yield "any data but the shards above: other homes, cameras, people and languages"
