"""The sensor network: units and absent channels have no influence, what was recorded does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.ccau.models.build_nets import build_nets
from baselines.ccau.models.sensor_net import RecordedNorm
from homage_sdk.errors import UsageError
from tests.unit.ccau.models.batches import TINY, A, C, N

S, J = 3, 6


def net(seed=0):
    config = replace(TINY, sensor_channels=S)
    return build_nets(config, ("sensors",), A, C, seed)["sensors"]


def windows(n_clips=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    values = torch.randn(n_clips, N, J, S, generator=g)
    recorded = torch.rand(n_clips, N, J, S, generator=g) < 0.7
    return values, recorded


def joined(values, recorded):
    return torch.stack([torch.where(recorded, values, 0), recorded.float()], dim=2)


def test_statistics_are_those_of_everything_recorded():
    norm = RecordedNorm(S)
    seen = [windows(seed=seed) for seed in range(3)]
    seen = [(1013.0 + 0.3 * values, recorded) for values, recorded in seen]
    for values, recorded in seen:
        norm(values, recorded)
    for channel in range(S):
        whole = torch.cat([v[..., channel][r[..., channel]] for v, r in seen]).double().numpy()
        assert norm.mean[channel] == pytest.approx(whole.mean(), rel=1e-9)
        variance = norm.squares[channel] / norm.count[channel]
        assert variance == pytest.approx(np.var(whole), rel=1e-6)
    norm.eval()
    before = norm.mean.clone()
    out = norm(*seen[0])
    assert torch.equal(before, norm.mean)
    assert torch.equal(out[~seen[0][1]], torch.zeros_like(out[~seen[0][1]]))
    assert 0.8 < out[seen[0][1]].std() < 1.2


def test_units_and_what_stands_where_nothing_was_recorded_change_nothing():
    values, recorded = windows()
    scale, shift = torch.tensor([1e-5, 1.0, 50.0]), torch.tensor([5e-5, -40.0, 1000.0])  # tesla
    answers = []
    for change in (values, values * scale + shift):
        made = net().train()
        made(joined(change, recorded))  # learns the statistics
        answers.append(made.eval()(joined(change, recorded)).activity)
    torch.testing.assert_close(*answers, atol=1e-3, rtol=1e-3)
    plain = joined(values, recorded)
    made = net().train()
    made(plain)
    made.eval()
    filled = torch.stack([torch.where(recorded, values, 1e6), recorded.float()], dim=2)
    assert torch.equal(made(plain).activity, made(filled).activity)
    moved = torch.stack([torch.where(recorded, -values, 0), recorded.float()], dim=2)
    assert not torch.allclose(made(plain).activity, made(moved).activity)


def test_a_channel_that_is_never_there_does_no_harm():
    values, recorded = windows()
    recorded[..., 1] = False
    made = net().train()
    out = made(joined(values, recorded))
    assert out.activity.isfinite().all() and out.blocks.shape == (5, N, made.config.features)
    assert made.backbone.norm.count[1] == 0
    out.activity.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


def test_a_channel_that_did_not_vary_in_training_says_nothing():
    values, recorded = windows()
    recorded[:] = True
    recorded[..., 1] = False  # never there
    values[..., 2] = 20.1  # never another, and no number of few bits
    norm = RecordedNorm(S)
    shown = norm(values, recorded)
    assert shown[..., 0].std() == pytest.approx(1, abs=0.1)
    assert not shown[..., 1:].any()
    values[..., 2] = 20.6
    shown = norm.eval()(values, torch.ones_like(recorded))
    assert not shown[..., 1:].any()


def test_another_shape_is_refused():
    values, recorded = windows()
    with pytest.raises(UsageError, match="sensors have another shape"):
        net()(joined(values, recorded)[..., :2])
    with pytest.raises(UsageError, match="no channel"):
        build_nets(TINY, ("sensors",), A, C, 0)
