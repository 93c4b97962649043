"""Every method overfits eight clips, in every modality that it trains."""

from __future__ import annotations

import pytest
import torch

from baselines.ccau.config.config import from_dict
from baselines.ccau.config.objective_config import AlignmentConfig, CompositionConfig
from baselines.ccau.tasks import Cooperative, CooperativeKD, Single, StaticKD
from tests.unit.ccau.models.batches import ALL, batch, nets

CALM = {"gru_dropout": 0.0, "head_dropout": 0.0, "width": 8}
OFFICIAL = from_dict({"preset": "official"})
METHODS = {
    "single": lambda: Single(nets(**CALM)),
    "single, official heads and focal loss": lambda: Single(
        nets(**CALM, classify="clip", attention="official"), CompositionConfig(atomic="focal")
    ),
    "cooperative": lambda: Cooperative(
        nets(**CALM), align=AlignmentConfig(normalize=True, tau=0.2, negatives="batch")
    ),
    "cooperative, official": lambda: Cooperative(
        nets(**CALM, classify="clip", attention="official"),
        OFFICIAL.composition,
        OFFICIAL.align,
    ),
    "uncertainty": lambda: Single(nets(**CALM), CompositionConfig(weighting="uncertainty")),
    "static distillation": lambda: StaticKD(nets(**CALM)),
    "cooperative distillation": lambda: CooperativeKD(nets(**CALM)),
}


def eight_clips():
    """Labels of a clip hold in all its blocks, and all its modalities show something."""
    inputs, targets = batch(8, seed=1)
    targets.atomic_block[:] = targets.atomic_clip[:, None]
    inputs["scene_graph"].present[:] = True
    return inputs, targets


def not_learned(task, inputs, targets):
    """The modalities that do not know the labels of all clips yet, by what they miss."""
    with torch.no_grad():
        out = task.outputs(inputs, targets, step=99)
    atomic = {m: (out[m].atomic > 0) == (targets.atomic_clip > 0.5) for m in task.trained}
    return {
        m: (out[m].activity.argmax(1), right.float().mean())
        for m, right in atomic.items()
        if not (out[m].activity.argmax(1) == targets.activity).all() or right.float().mean() <= 0.95
    }


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_overfits_eight_clips(method):
    task = METHODS[method]().train()
    inputs, targets = eight_clips()
    optimizer = torch.optim.Adam(task.parameter_groups(), lr=3e-3)
    for step in range(60):
        optimizer.zero_grad()
        losses = task.losses(inputs, targets, step=step)
        losses["total"].backward()
        optimizer.step()
        if step % 6 == 5 and not (wrong := not_learned(task, inputs, targets)):
            break
    assert not wrong
    assert set(task.trained) == ({"ego"} if method == "static distillation" else set(ALL))
