"""Does attention look where people and objects are? Against the boxes of scene graphs.

The paper calls localisation a by-product of attention (section 5) and shows no number. Ours: at
every block of a test clip whose view has an annotated frame there, the block's weights are laid on
the picture (``carried_back``) and held against the boxes of that frame.

- ``pointing``: whether the middle of the most attended cell lies in a box (the pointing game); of
  cells that tie, the share.
- ``in_box``: the share of the attention that falls into boxes; a cell counts by the part of its
  area that they cover.

Two maps that look at nothing stand beside: ``centre``, a Gaussian about the middle of what is
shown, and ``uniform``. Cameras are aimed at people, so that the centre alone does well: only the
difference to it says that something was learned. A number is the mean over sequences of the mean
over their blocks; intervals resample sequences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.distributed import World
from baselines.ccau.evaluation.attended_blocks import Looked, annotated_blocks
from baselines.ccau.evaluation.predictions import SavedPredictions, load_predictions
from baselines.ccau.runs.build_task import load_trained
from baselines.ccau.runs.json_files import read_json, write_json
from baselines.ccau.runs.run_folder import reserved
from homage_sdk.errors import CheckpointError, ShardError
from homage_sdk.evaluation.intervals import intervals, paired_difference, resamples
from homage_sdk.progress import Meter, Progress
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.annotations import PackedGraph
from homage_sdk.taxonomy import class_key

PERSON = "person"
TARGETS = ("person", "objects")
MAPS = ("attention", "centre", "uniform")
METRICS = ("pointing", "in_box")
Floats = NDArray[np.float64]


def score(weights: Floats, middles_in: NDArray[np.bool_], share_in: Floats) -> tuple[float, float]:
    """Pointing and in_box of a map: weights [cells], and which middles and how much lie in boxes.

    >>> score(np.array([0.5, 0.5, 0.0]), np.array([True, False, True]), np.array([0.5, 0.25, 1.0]))
    (0.5, 0.375)
    """
    highest = weights == weights.max()
    return float(middles_in[highest].mean()), float((weights * share_in).sum() / weights.sum())


def attended(
    run: Path, shards_folder: Path
) -> tuple[ShardSet, SavedPredictions, dict[str, Iterator[Looked]]]:
    """The shards and predictions of an evaluated run, and each modality's annotated blocks.

    Raises CheckpointError: not evaluated, evaluated on other shards, or without attention.
    """
    shards = ShardSet.open(shards_folder)
    _, config = load_trained(run, shards)
    saved = load_predictions(run / "predictions.npz")
    evaluated_on = read_json(run, "results.json", "identity")["identity"]["shards"]
    if evaluated_on != shards.fingerprint:
        raise CheckpointError(
            "the predictions are of other shards",
            place=run,
            found=evaluated_on[:12],
            expected=shards.fingerprint[:12],
            hint=f"`ccau evaluate {run} --shards {shards_folder}`",
        )
    attending = {m: p for m, p in saved.by_modality.items() if p.clip_attention is not None}
    if not attending:
        raise CheckpointError(
            "no attention is saved here",
            place=run / "predictions.npz",
            hint="evaluate the run again; a network with model.attention = 'none' has none",
        )
    found = {m: annotated_blocks(shards, config, m, p) for m, p in attending.items()}
    return shards, saved, found


def localise(
    run: Path, shards_folder: Path, *, draws: int = 1000, progress: Progress | None = None
) -> dict[str, Any]:
    """Hold the attention in ``run/predictions.npz`` against boxes; writes ``localisation.json``.

    ``progress`` hears modalities. Raises as ``attended`` does, and ShardError where no test clip
    has an annotated frame at any of its blocks.
    """
    with reserved(run, World()):
        _, saved, by_modality = attended(run, shards_folder)
        meter, found = Meter(progress, len(by_modality)), {}
        for modality, looked in by_modality.items():
            blocks = list(_scores(looked))
            if blocks:
                found[modality] = _summary(blocks, saved.split, draws)
            meter.advance()
        if not found:
            raise ShardError(
                "no annotated frame at any block of a test clip",
                place=shards_folder,
                expected="scene graphs of a view that was judged",
                hint="pack a catalog that has scene graphs",
            )
        identity = read_json(run, "results.json", "identity")
        result = {
            "name": identity["name"],
            "draws": draws,
            "identity": identity["identity"],
            "modalities": found,
        }
        write_json(run / "localisation.json", result)
    return result


Block = tuple[str, str, dict[str, tuple[float, float]]]
"""Sequence, target, and the pointing and in_box of each map."""


def _scores(looked: Iterable[Looked]) -> Iterator[Block]:
    """Each annotated block against each target that is in sight."""
    for each in looked:
        maps = {"attention": each.weights, **each.cells.blind}
        for target in TARGETS:
            boxes = boxes_of(each.graph, target)
            share = inside(each.points, boxes).mean(axis=1)
            if share.any():
                hits = inside(each.middles, boxes)
                scores = {name: score(of, hits, share) for name, of in maps.items()}
                yield each.sequence, target, scores


def boxes_of(graph: PackedGraph, target: str) -> Floats:
    """The boxes of the person, or of all else, as shares of the picture's sides: [boxes, 4]."""
    size = np.array([graph.width, graph.height] * 2, dtype=np.float64)
    chosen = [o.box for o in graph.objects if (class_key(o.name) == PERSON) == (target == "person")]
    return np.array(chosen, dtype=np.float64).reshape(-1, 4) / size


def inside(points: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Whether each point [..., 2] lies in any of the boxes [boxes, 4]: bool [...]."""
    x, y = points[..., 0, None], points[..., 1, None]
    left, top, right, bottom = boxes.T
    found: NDArray[np.bool_] = ((left <= x) & (x <= right) & (top <= y) & (y <= bottom)).any(
        axis=-1
    )
    return found


def _summary(
    blocks: Sequence[Block], split: Mapping[str, str], draws: int
) -> dict[str, dict[str, Any]]:
    """Each target's numbers with intervals, and attention less each map that looks at nothing."""
    found: dict[str, dict[str, Any]] = {}
    for target in TARGETS:
        by_sequence: dict[str, list[list[tuple[float, float]]]] = defaultdict(list)
        for sequence, of, scores in blocks:
            if of == target:
                by_sequence[sequence].append([scores[name] for name in MAPS])
        if not by_sequence:
            continue
        names = sorted(by_sequence)
        values = np.array([np.mean(by_sequence[name], axis=0) for name in names])  # [S, maps, 2]
        counts = resamples([split[name] for name in names], draws=draws)
        each: dict[str, Any] = {
            "n_sequences": len(names),
            "n_blocks": sum(map(len, by_sequence.values())),
        }
        for column, metric in enumerate(METRICS):
            means = {name: _mean_of(values[:, m, column]) for m, name in enumerate(MAPS)}

            def measure(c: Floats, means: Mapping[str, Any] = means) -> dict[str, Floats]:
                return {name: of(c) for name, of in means.items()}

            shown = intervals(measure, counts)
            each[metric] = {name: [i.value, i.low, i.high] for name, i in shown.items()}
            for other in MAPS[1:]:
                less = paired_difference(means["attention"], means[other], counts)
                each[metric][f"attention - {other}"] = {
                    "difference": [less.value, less.low, less.high],
                    "p": less.p_value,
                    "detectable": less.detectable,
                }
        found[target] = each
    return found


def _mean_of(values: Floats) -> Callable[[Floats], Floats]:
    """The mean over S sequences under counts [D, S]."""
    return lambda counts: (counts @ values) / counts.sum(axis=1)
