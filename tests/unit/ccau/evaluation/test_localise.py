"""Attention against boxes: the geometry of cells, the maps that look at nothing, the report."""

from __future__ import annotations

import dataclasses
import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch

from baselines.ccau.cli import app
from baselines.ccau.evaluation.attended_blocks import CellGrid
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.evaluation.localise import (
    boxes_of,
    inside,
    localise,
    score,
)
from baselines.ccau.evaluation.predictions import load_predictions, save_predictions
from baselines.ccau.models.encoder import VideoEncoder, cell_middles, cell_spans
from baselines.ccau.report.table_text import localisation_rows
from baselines.ccau.training.train import train
from homage_sdk.cli import run as run_command
from homage_sdk.errors import CheckpointError
from homage_sdk.loader import ClipLoader, LoaderOptions
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.annotations import PackedGraph
from tests.conftest import once

SIZE = 96


@pytest.mark.parametrize("size", [64, 96, 128])
def test_a_cell_stands_for_what_the_network_sees_there(size):
    """The gradient of each cell's features is centred on its middle, in pixels."""
    middles = [middle * size for middle in cell_middles(size)]
    centres = []
    for seed in range(3):
        torch.manual_seed(seed)
        encoder = VideoEncoder(8).eval()
        x = torch.randn(1, 1, 3, 3, size, size, requires_grad=True)
        cells, n = encoder(x)[0, 0], len(middles)
        row = []
        for i in range(n):
            (gradient,) = torch.autograd.grad(cells[n // 2 * n + i].sum(), x, retain_graph=True)
            weight = gradient.square().sum(dim=(0, 1, 2, 3, 4))
            row.append(float((weight * (torch.arange(size) + 0.5)).sum() / weight.sum()))
        centres.append(row)
    for centre, middle in list(zip(np.mean(centres, axis=0), middles, strict=True))[1:]:
        assert abs(centre - middle) < 2.5
    assert np.mean(centres, axis=0)[0] < middles[0]


@pytest.mark.parametrize("size", [64, 96, 100, 128])
def test_spans_cover_the_side_since_its_end_is_looked_at_too(size):
    spans = cell_spans(size)
    assert spans[0][0] == 0 and spans[-1][1] == 1
    assert all(end == begin for (_, end), (begin, _) in pairwise(spans))
    torch.manual_seed(0)
    x = torch.randn(1, 1, 3, 3, size, size, requires_grad=True)
    (gradient,) = torch.autograd.grad(VideoEncoder(8).eval()(x).sum(), x)
    weight = gradient.abs().sum(dim=(0, 1, 2, 3, 4))
    assert weight[-8:].mean() > 0.05 * weight.mean()


def graph(*objects: tuple[str, tuple[float, float, float, float]]) -> PackedGraph:
    items = [
        {"id": n, "name": name, "box": box, "class_id": 1, "column": 0}
        for n, (name, box) in enumerate(objects)
    ]
    return PackedGraph.model_validate_json(
        json.dumps({"view": 1, "frame": 5, "width": 200, "height": 100, "objects": items,
                    "relationships": []})
    )  # fmt: skip


def test_boxes_are_shares_of_the_picture_and_the_person_is_apart():
    found = graph(("person", (0, 0, 100, 100)), ("cup", (100, 50, 150, 75)))
    np.testing.assert_allclose(boxes_of(found, "person"), [[0, 0, 0.5, 1]])
    published = graph((" Person ", (0, 0, 100, 100)), ("cup", (100, 50, 150, 75)))
    np.testing.assert_array_equal(boxes_of(published, "person"), boxes_of(found, "person"))
    np.testing.assert_allclose(boxes_of(found, "objects"), [[0.5, 0.5, 0.75, 0.75]])
    assert boxes_of(graph(), "person").shape == (0, 4)


def test_points_lie_in_any_box_and_never_count_twice():
    boxes = np.array([[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 0.75, 0.75]])
    points = np.array([[0.1, 0.1], [0.3, 0.3], [0.7, 0.7], [0.8, 0.2]])
    assert inside(points, boxes).tolist() == [True, True, True, False]
    assert not inside(points, np.zeros((0, 4))).any()


def test_attention_on_the_box_scores_full_and_uniform_the_share_of_the_area():
    cells = CellGrid(128)
    box = np.array([[0.0, 0.0, 1.0, 0.5]])  # the upper half
    hits, share = inside(cells.middles, box), inside(cells.points, box).mean(axis=1)
    on = np.zeros(16)
    on[1] = 1
    off = np.zeros(16)
    off[13] = 1
    assert score(on, hits, share) == (1.0, 1.0) and score(off, hits, share) == (0.0, 0.0)
    pointing, in_box = score(cells.blind["uniform"], hits, share)
    assert pointing == 0.5 and in_box == pytest.approx(share.mean())
    centre = cells.blind["centre"].reshape(4, 4)
    assert centre.sum() == pytest.approx(1) and centre[2, 2] == centre.max()
    np.testing.assert_allclose(centre, centre.T)


@pytest.fixture(scope="session")
def judged(shared_folder, small_shards):
    """A tiny run with a grid of nine cells, evaluated. Copied before it is changed."""
    from tests.unit.ccau.conftest import _tiny

    def make(out):
        config = _tiny(
            **{"data.size": SIZE, "task.modalities": "['third']", "task.kind": "single",
               "optim.epochs": 1, "data.blocks": 4, "data.block_frames": 5}
        )  # fmt: skip
        train(config, small_shards, out)
        evaluate(out, small_shards, device="cpu")

    return once(shared_folder, "attending_run", make)


def one_hot(run, pick):
    """Rewrite the predictions so that every block looks at one cell alone."""
    saved = load_predictions(run / "predictions.npz")
    third = saved.by_modality["third"]
    weights = np.zeros_like(third.clip_attention)
    weights[..., pick] = 1
    changed = dataclasses.replace(third, clip_attention=weights)
    saved = dataclasses.replace(saved, by_modality={"third": changed})
    save_predictions(run / "predictions.npz", saved)


def by_another_road(shards, run, cell):
    """Mean over sequences of whether the cell's middle is in the person's box: from batches."""
    saved = load_predictions(run / "predictions.npz")
    options = LoaderOptions(
        modalities=("third", "scene_graph"), sequences=saved.by_modality["third"].sequences,
        batch_size=4, blocks=4, block_frames=5, size=SIZE, crop=96, mode="eval",
    )  # fmt: skip
    person = shards.taxonomy("object").names.index("person")
    hits = {}
    for batch in ClipLoader(shards, options):
        for b, sequence in enumerate(batch.sequence):
            if not sequence:
                continue
            sample = next(s for s in shards.samples if s.sequence == sequence)
            graphs = shards.annotations(sample.key).scene_graphs
            views = {graph.view for graph in graphs}
            if not views:
                continue
            (view,) = (v for v in sample.views if v.number in views)  # one view is annotated
            x0, y0 = (view.width - 96) // 4 * 2, (view.height - 96) // 4 * 2
            # Cells 0, 1, 2 are centred on pixels 0, 32, 64 of 96; of the first, half is in sight.
            px, py = ((8.25, 32.5, 64.5)[at] for at in (cell % 3, cell // 3))
            for n in range(4):
                objects = batch.scene_graph.object_class[b, n] == person
                if not batch.scene_graph.present[b, n] or not objects.any():
                    continue
                box = batch.scene_graph.object_box[b, n][objects][0].numpy()
                box = box * np.array([view.width, view.height] * 2)
                left, top, right, bottom = box - [x0, y0, x0, y0]
                if right <= 0 or bottom <= 0 or left >= SIZE or top >= SIZE:
                    continue  # out of sight
                hits.setdefault(sequence, []).append(left <= px <= right and top <= py <= bottom)
    return hits


@pytest.mark.parametrize("cell", [0, 4, 5])
def test_the_pointing_game_is_that_of_a_plain_loop_over_batches(
    judged, small_shards, tmp_path, cell
):
    run = tmp_path / "run"
    shutil.copytree(judged, run)
    one_hot(run, cell)
    found = localise(run, small_shards, draws=50)["modalities"]["third"]["person"]
    hits = by_another_road(ShardSet.open(small_shards), run, cell)
    assert found["n_sequences"] == len(hits) > 1
    assert found["n_blocks"] == sum(map(len, hits.values())) > 5
    expected = np.mean([np.mean(each) for each in hits.values()])
    assert found["pointing"]["attention"][0] == pytest.approx(expected)


def test_the_command_writes_numbers_beside_maps_that_look_at_nothing(
    judged, small_shards, tmp_path, capsys
):
    run = tmp_path / "run"
    shutil.copytree(judged, run)
    words = ["localise", str(run), "--shards", str(small_shards), "--draws", "50"]
    assert run_command(app, [*words, "--picture", str(tmp_path / "looks.png")]) == 0
    assert (tmp_path / "looks.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "centre" in said and "uniform" in said
    found = json.loads((run / "localisation.json").read_text())
    third = found["modalities"]["third"]
    for target in ("person", "objects"):
        for metric in ("pointing", "in_box"):
            for name in ("attention", "centre", "uniform"):
                value, low, high = third[target][metric][name]
                assert 0 <= low <= value <= high <= 1
            less = third[target][metric]["attention - centre"]["difference"][0]
            ours, theirs = (third[target][metric][n][0] for n in ("attention", "centre"))
            assert less == pytest.approx(ours - theirs)
    rows = localisation_rows(found)
    assert len(rows) == 2 * 5
    # Three sequences: no p is stated of so few, and none is made up.
    assert {row["pointing p"] for row in rows if " - " in row["map"]} == {"-"}
    assert "nan" not in str(rows)


def test_predictions_without_attention_or_of_other_shards_are_refused(
    judged, small_shards, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(judged, run)
    results = json.loads((run / "results.json").read_text())
    changed = {**results, "identity": {**results["identity"], "shards": "0" * 64}}
    (run / "results.json").write_text(json.dumps(changed))
    with pytest.raises(CheckpointError, match="predictions are of other shards"):
        localise(run, small_shards)
    (run / "results.json").write_text(json.dumps(results))
    saved = load_predictions(run / "predictions.npz")
    blind = dataclasses.replace(saved.by_modality["third"], clip_attention=None)
    blind = dataclasses.replace(saved, by_modality={"third": blind})
    save_predictions(run / "predictions.npz", blind)
    with pytest.raises(CheckpointError, match="no attention is saved"):
        localise(run, small_shards)
