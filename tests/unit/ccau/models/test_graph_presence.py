"""Where a clip is annotated tells nothing: annotators chose frames by the labels."""

from __future__ import annotations

from dataclasses import replace

import torch

from baselines.ccau.config.objective_config import CompositionConfig
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


def test_a_clip_without_any_graph_is_not_valid():
    net = nets(("scene_graph",))["scene_graph"].eval()
    inputs, _ = clips(by_presence=True)
    inputs["scene_graph"].present[0] = False
    out = net(inputs["scene_graph"])
    assert not out.valid[0].any() and out.valid[1:].all()
