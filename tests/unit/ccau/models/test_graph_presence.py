"""Where a clip is annotated tells nothing: annotators chose frames by the labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.ccau.config.objective_config import CompositionConfig
from baselines.ccau.evaluation.predictions import (
    merge,
    predictions_as_arrays,
    predictions_from_arrays,
)
from baselines.ccau.tasks import Single
from tests.unit.ccau.models.batches import N, batch, nets

PATTERNS = torch.tensor([[1, 0, 0], [0, 0, 1], [1, 1, 1], [0, 1, 1]]).bool()
"""Of four activities: which blocks of their clips have an annotated frame."""


def clips(*, by_presence):
    """Sixteen clips of four activities, told apart by presence alone, or by the objects alone."""
    inputs, targets = batch(16, modalities=("scene_graph",))
    graphs = inputs["scene_graph"]
    activity = torch.arange(16) % 4
    same = {name: value[:1].expand_as(value).clone() for name, value in vars(graphs).items()}
    same = {name: value[:, :1].expand_as(value).clone() for name, value in same.items()}
    graphs = replace(graphs, **same)
    graphs.object_class.clamp_(min=0)
    graphs.present[:] = PATTERNS[activity] if by_presence else True
    if not by_presence:
        graphs.object_class[:] = activity[:, None, None]
    targets.activity = activity
    targets.present["scene_graph"][:] = True
    return {"scene_graph": graphs}, targets


def learned(inputs, targets, steps=60):
    """The share of the clips that a network knows after training on them."""
    task = Single(nets(("scene_graph",), head_dropout=0.0), CompositionConfig(targets="activity"))
    optimizer = torch.optim.Adam(task.parameters(), lr=5e-3)
    for step in range(steps):
        optimizer.zero_grad()
        task.losses(inputs, targets, step=step)["total"].backward()
        optimizer.step()
    task.eval()
    with torch.no_grad():
        logits = task.outputs(inputs, targets, step=0)["scene_graph"].activity
    return (logits.argmax(dim=1) == targets.activity).float().mean().item(), logits


def test_presence_alone_cannot_be_learned_from_and_contents_can():
    share, logits = learned(*clips(by_presence=True))
    assert share == 0.25  # chance, on the very clips that were trained on
    torch.testing.assert_close(logits, logits[:1].expand_as(logits), rtol=0, atol=0)
    share, _ = learned(*clips(by_presence=False))
    assert share == 1.0


def test_an_answer_is_that_of_the_graphs_wherever_they_were_annotated():
    net = nets(("scene_graph",))["scene_graph"].eval()
    inputs, _ = clips(by_presence=True)
    graphs = inputs["scene_graph"]
    whole = replace(graphs, present=torch.ones_like(graphs.present))
    for field in ("activity", "atomic", "activity_block", "atomic_block", "blocks", "clip"):
        assert torch.equal(getattr(net(graphs), field), getattr(net(whole), field)), field
    # Also where the end of the clip is padded, and its graphs there are not looked at.
    valid = torch.tensor([True, True, False]).expand(16, N)
    shown = replace(graphs, present=graphs.present.clone())
    shown.present[:, 0] = True
    assert torch.equal(net(shown, valid).activity, net(whole, valid).activity)
    assert torch.equal(net(shown, valid).valid, valid)


def test_scores_of_noise_rank_no_sequence_by_how_much_of_it_is_annotated():
    """Half of the sequences have one annotated clip of eight, the others eight."""
    how = nets(("scene_graph",))["scene_graph"].atomic_join
    rng = np.random.default_rng(0)
    rows = {name: [] for name in ("sequence", "clip", "present", "atomic")}
    for sequence in range(2000):
        for clip in range(8):
            rows["sequence"].append(f"s{sequence:04d}")
            rows["clip"].append(clip)
            rows["present"].append(sequence % 2 == 1 or clip == 0)
            rows["atomic"].append(rng.random(1))
    columns = {name: np.array(values) for name, values in rows.items()}
    n = len(columns["clip"])
    others = {
        "view": np.zeros(n, np.int64), "activity": np.ones((n, 1)), "context": np.ones((n, 1)),
        "activity_label": np.zeros(n, np.int64), "atomic_label": np.zeros((n, 1)),
        "atomic_known": np.ones(n, np.bool_),
    }  # fmt: skip
    planned = {(s, int(c)): 1 for s, c in zip(columns["sequence"], columns["clip"], strict=True)}
    merged = merge({**columns, **others}, planned, how)
    found = merged.atomic[:, 0]
    kept = predictions_from_arrays(predictions_as_arrays(merged, ""), "")
    for same in (kept, kept.one_view(), kept.only(kept.sequences)):
        assert np.array_equal(same.atomic[:, 0], found)
    many, few = found[1::2], found[::2]
    above = (many[:, None] > few[None]).mean()  # the share of pairs in which more is higher
    assert above == pytest.approx(0.5, abs=0.03)


def test_an_atomic_action_of_a_clip_is_the_mean_of_its_blocks():
    net = nets(("scene_graph",), classify="block")["scene_graph"].eval()
    inputs, _ = batch(4, modalities=("scene_graph",))
    out = net(inputs["scene_graph"])
    mean = out.atomic_block.sigmoid().mean(dim=1)
    torch.testing.assert_close(out.atomic.sigmoid(), mean)
    assert not torch.allclose(out.atomic.sigmoid(), out.atomic_block.sigmoid().amax(dim=1))


def test_a_clip_without_any_graph_is_not_valid():
    net = nets(("scene_graph",))["scene_graph"].eval()
    inputs, _ = clips(by_presence=True)
    inputs["scene_graph"].present[0] = False
    out = net(inputs["scene_graph"])
    assert not out.valid[0].any() and out.valid[1:].all()
